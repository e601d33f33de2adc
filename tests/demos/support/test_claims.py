"""Claims are kept as they are, and said, also when they do not hold."""

import numpy as np

from support.claims import borne_out


def test_what_does_not_hold_is_said(capsys):
    found = borne_out({"It collapses": np.bool_(True), "It is cured": np.bool_(False)})
    assert found == {"It collapses": True, "It is cured": False}
    assert all(type(held) is bool for held in found.values())  # for JSON
    said = capsys.readouterr().out
    assert "It collapses: yes" in said and "It is cured: NOT in this run" in said
