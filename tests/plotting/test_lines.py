"""Tests of the pictures of distributions on a line."""

import numpy as np
import pytest

from minigan.plotting import draw_densities, picture


def test_the_histogram_has_the_area_of_the_samples_in_the_window():
    axes = picture(4, 3).subplots()
    x = np.linspace(-1, 1, 101)
    samples = np.concatenate([np.linspace(-0.999, 0.999, 750), np.full(250, 5.0)])
    draw_densities(axes, x, samples=samples, names=("data", "G"))
    heights, edges, _ = axes.patches[0].get_data()
    assert (heights * np.diff(edges)).sum() == pytest.approx(0.75)
    assert (edges[0], edges[-1]) == (-1, 1) == axes.get_xlim()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["G: samples"]


def test_the_window_leaves_room_above_the_real_density_unless_told():
    x = np.linspace(0, 1, 11)
    real, fake = np.full(11, 2.0), np.linspace(0, 100, 11)
    free, told = (picture(4, 3).subplots() for _ in range(2))
    draw_densities(free, x, real, fake)
    draw_densities(told, x, real, fake, top=7)
    assert free.get_ylim() == (0, pytest.approx(3.2)) and told.get_ylim() == (0, 7)
    outline, model = (line.get_ydata() for line in free.lines)
    np.testing.assert_array_equal(outline, real)
    np.testing.assert_array_equal(model, fake)
    names = [text.get_text() for text in free.get_legend().get_texts()]
    assert names == ["data", "model"]
