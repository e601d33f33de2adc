"""Tests of the curves over the steps of training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.plotting import draw_losses, draw_shares, picture
from minigan.plotting.curves import summarize


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), st.integers(1, 20))
def test_summarize_against_plain_loops(values, stretches):
    ends, mean, low, high = summarize(values, stretches)
    assert len(ends) == min(stretches, len(values)) and ends[-1] == len(values)
    start = 0
    for k, end in enumerate(ends):
        stretch = values[start:end]
        assert abs(len(stretch) - len(values) / len(ends)) <= 1
        assert mean[k] == pytest.approx(sum(stretch) / len(stretch), abs=1e-9)
        assert (low[k], high[k]) == (min(stretch), max(stretch))
        start = end


def losses(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_losses_up_to_now_on_axes_for_all():
    d, g = np.linspace(2, 1, 1000), np.linspace(0.5, 0.7, 1000)
    whole, part, none = (picture(4, 3).subplots() for _ in range(3))
    draw_losses(whole, d, g)
    draw_losses(part, d, g, now=400)
    draw_losses(none, d, g, now=0)
    assert losses(whole)["discriminator"][-1] == pytest.approx([1000, 1], abs=0.01)
    last, loss = losses(part)["generator"][-1]
    assert 390 < last <= 400 and loss == pytest.approx(
        np.interp(last, np.arange(1000), g), abs=1e-2
    )
    assert len(losses(none)["generator"]) == 0
    assert whole.get_xlim() == part.get_xlim() == none.get_xlim() == (0, 1000)
    assert whole.get_ylim() == part.get_ylim() == none.get_ylim()


def test_the_balance_is_in_sight():
    axes = picture(4, 3).subplots()
    draw_losses(axes, np.full(5, 0.1), np.full(5, 0.2), balance=(1.4, -0.7), unit="nats")
    low, high = axes.get_ylim()
    assert low < -0.7 and high > 1.4
    dotted = [line.get_ydata() for line in axes.lines if line.get_linestyle() == ":"]
    assert [y[0] for y in dotted if len(y)] == [1.4, -0.7]
    assert axes.get_ylabel() == "loss [nats]"


def test_shares_are_shown_in_percent():
    axes = picture(4, 3).subplots()
    draw_shares(axes, [(0, 0.125, 0.0), (10, 1.0, 0.5)])
    modes, quality = axes.lines
    np.testing.assert_array_equal(modes.get_xydata(), [[0, 12.5], [10, 100]])
    np.testing.assert_array_equal(quality.get_xydata(), [[0, 0], [10, 50]])
