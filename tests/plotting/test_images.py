"""Tests of sheets of images."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minigan.plotting import draw_images, draw_progress, picture, tile


@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 2), st.sampled_from([1, 3]))
def test_every_image_has_its_place_and_the_rest_is_white(n, columns, gap, channels):
    images = np.random.default_rng(n).uniform(-1, 0.9, (n, 4, 3, channels))
    sheet = tile(images, columns, gap)
    rows = -(-n // columns)
    assert sheet.shape == (rows * (4 + gap) - gap, columns * (3 + gap) - gap, channels)
    expected = np.ones_like(sheet)
    for i in range(n):
        top, left = i // columns * (4 + gap), i % columns * (3 + gap)
        expected[top : top + 4, left : left + 3] = images[i]
    np.testing.assert_array_equal(sheet, expected)


def test_minus_one_is_black_and_one_is_white():
    for channels in (1, 3):
        figure = picture(2, 2)
        images = np.stack([np.full((8, 8, channels), -1.0), np.full((8, 8, channels), 1.0)])
        draw_images(figure, images, 1, "title")
        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
        (axes,) = figure.axes
        for y, value in ((4, 0), (14, 255)):
            column, up = axes.transData.transform([4, y]).round().astype(int)
            assert (pixels[len(pixels) - up, column] == value).all()


def test_progress_labels_each_row_with_its_step_at_its_middle():
    figure = picture(8, 3)
    images = np.zeros((3, 4, 10, 10, 1))
    draw_progress(figure, [0, 100, 2000], images, np.ones((2, 5)), title="rows", note="why")
    figure.canvas.draw()
    history, curves = figure.axes
    assert [label.get_text() for label in history.get_yticklabels()] == ["0", "100", "2,000"]
    np.testing.assert_array_equal(history.get_yticks(), [4.5, 16.5, 28.5])  # rows of 10, gaps of 2
    assert (history.get_title(), curves.get_title()) == ("rows", "Losses: why")
