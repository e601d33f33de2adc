"""Tests of the confusion matrix: rows are what was asked for, and figures are percentages."""

import numpy as np

from minigan.plotting import picture
from support.image_pictures import draw_confusion


def test_rows_columns_and_figures():
    shares = np.array([[0.9, 0.1, 0.0], [0.0, 0.004, 0.996], [0.25, 0.25, 0.5]])
    figure = picture(5, 4)
    draw_confusion(figure, shares, "Title")
    axes = figure.axes[0]
    written = {(round(t.get_position()[1]), round(t.get_position()[0])): t for t in axes.texts}
    assert {place: int(text.get_text()) for place, text in written.items()} == {
        (0, 0): 90,
        (0, 1): 10,
        (1, 2): 100,
        (2, 0): 25,
        (2, 1): 25,
        (2, 2): 50,
    }
    assert written[0, 0].get_color() != written[0, 1].get_color()  # readable on dark and on pale
    np.testing.assert_allclose(axes.images[0].get_array(), 100 * shares)
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("asked for", "classified as")
    assert axes.get_title() == "Title"
