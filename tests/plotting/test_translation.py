"""Tests of the pictures of unpaired translation."""

import numpy as np
import pytest

from minigan.plotting import draw_cycle_error, draw_moves, draw_translations, picture


@pytest.fixture
def cycles():
    return np.random.default_rng(0).normal(size=(2, 3, 150, 2))


def test_points_keep_their_colour_and_lines_follow_them(cycles):
    figure = picture(9, 6)
    draw_moves(figure, cycles, ("A", "B"), 4.0, "Title")
    panels = np.reshape(figure.axes, (2, 3))
    titles = [[axes.get_title().split(": ")[1] for axes in row] for row in panels]
    assert titles == [["A", "B", "A"], ["B", "A", "B"]]
    for row, cycle in zip(panels, cycles, strict=True):
        for stage, axes in enumerate(row):
            grey, points = axes.collections
            other = cycles[["A", "B"].index(axes.get_title().split(": ")[1])][0]
            np.testing.assert_array_equal(grey.get_offsets(), other)
            np.testing.assert_array_equal(points.get_offsets(), cycle[stage])
            np.testing.assert_array_equal(points.get_array(), cycle[0][:, 0])
            assert len(axes.lines) == (100 if stage else 0)
            for i in (0, 99) if stage else ():
                ends = axes.lines[i].get_xydata()
                np.testing.assert_array_equal(ends, [cycle[stage - 1][i], cycle[stage][i]])
            assert axes.get_xlim() == axes.get_ylim() == (-4, 4)


def test_images_in_rows():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, 5, 4, 6, 1))
    figure = picture(6, 4)
    draw_translations(figure, images, "Title")
    for axes, cycle in zip(figure.axes, images, strict=True):
        sheet = axes.images[0].get_array()
        assert [label.get_text() for label in axes.get_yticklabels()][1] == "translated"
        for row, middle in enumerate(axes.get_yticks()):
            top = round(middle - 1.5)  # images are 4 high
            for column in range(5):
                left = column * (6 + 2)
                shown = sheet[top : top + 4, left : left + 6]
                np.testing.assert_array_equal(shown, cycle[row, column, ..., 0])


def test_cycle_error_on_a_logarithmic_axis():
    figure, errors = picture(5, 4), 0.9 ** np.arange(40)
    draw_cycle_error(figure, errors)
    axes = figure.axes[0]
    assert axes.get_yscale() == "log" and axes.get_xlim() == (0, 40)
    np.testing.assert_allclose(axes.lines[0].get_xydata(), np.stack([range(1, 41), errors], axis=1))
