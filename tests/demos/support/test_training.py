"""The loops of the demos: when figures are read, and what is kept of them."""

from types import SimpleNamespace

import numpy as np
import pytest

from minigan import Record
from minigan.backend import get_backend
from support.training import losses_of, progress, records_of, shown_losses


class OnDevice:
    """A figure that is still on a GPU; it notes when it is waited for."""

    read = None  # a list of steps

    def __init__(self, step):
        self.step = step

    def __float__(self):
        self.read.append(self.step)
        return float(self.step)


def records(first, last):
    for step in range(first, last + 1):
        names = "discriminator_loss", "generator_loss"
        yield Record(step, 0.5, {name: OnDevice(step) for name in names})


@pytest.fixture(autouse=True)
def nothing_read(monkeypatch):
    monkeypatch.setattr(OnDevice, "read", [])


def test_figures_are_read_at_every_tenth_step_and_at_the_last(capsys):
    game = SimpleNamespace(backend=get_backend("numpy"), steps=7)  # a run that is resumed
    kept = [record for record in progress(records(8, 34), game, 34, shown_losses)]
    assert sorted(set(OnDevice.read)) == [10, 20, 30, 34]
    bar = capsys.readouterr().err
    assert "34/34" in bar and "losses: D 34.000, G 34.000" in bar
    np.testing.assert_array_equal(losses_of(kept), [np.arange(8, 35)] * 2)


def test_a_progress_bar_ends_with_the_loop():
    """Whoever leaves it leaves the records' own loop, too."""
    left = []

    def training():
        try:
            yield from records(1, 9)
        finally:
            left.append(True)

    game = SimpleNamespace(backend=get_backend("numpy"), steps=0)
    for _ in progress(training(), game, 9, shown_losses):
        break
    assert left == [True]


def test_records_come_back_from_a_checkpoint():
    history = {"records": [record.as_dict() for record in records(1, 3)]}
    again = records_of(history)
    assert again is history["records"] and [record.step for record in again] == [1, 2, 3]
    again.append(Record(4, 0.5, {"generator_loss": 4.0}))
    assert records_of(history) == again  # the same again
    found = losses_of(again)
    assert np.isnan(found[0, 3]) and found[1, 3] == 4
