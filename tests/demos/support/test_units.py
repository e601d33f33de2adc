"""Tests of the pictures of a network's inside."""

import numpy as np

from minigan.plotting import FAKE, REAL, draw_gradient_flow, draw_units, picture


def test_the_gradient_flow_of_two_networks():
    figure = picture(9, 3)
    flows = {
        "a": ([1.0, 2.0, 3.0], [0.1, 0.0, 1.0], [None, 0.25, None]),
        "b": ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [None, 0.5, None]),
    }
    draw_gradient_flow(figure, ["x", "y", "z"], flows)
    outputs, gradients, flat = figure.axes
    np.testing.assert_array_equal(outputs.lines[0].get_xydata(), [[1, 0], [2, 1], [3, 2]])
    trail, zeros = gradients.lines[:2]
    np.testing.assert_array_equal(trail.get_xdata(), [0.1, np.nan, 1])
    np.testing.assert_array_equal(zeros.get_ydata(), [1])  # marked, as no logarithm has a place
    np.testing.assert_array_equal([line.get_xydata()[0] for line in flat.lines], [[25, 1], [50, 1]])
    assert [text.get_text() for text in outputs.get_yticklabels()] == ["x", "y", "z"]
    low, high = outputs.get_ylim()
    assert low > high  # the input on top
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_one_network_needs_no_legend():
    figure = picture(9, 3)
    draw_gradient_flow(figure, ["x"], {"": ([1.0], [1.0], [None])})
    assert not figure.legends


def test_units_and_weights_show_value_and_gradient():
    axes = picture(6, 4).subplots()
    units = [[("x1", 1.0, None), ("x2", -2.0, 0.5)], [("y", 0.25, 1.0)]]
    draw_units(axes, units, [(0, 0, 0, 3.0, -4.0), (0, 1, 0, None, None)])
    values = ["+1.000", "-2.000", "+0.250", "+3.000"]

    def numbers(colour):
        return sorted(text.get_text() for text in axes.texts if text.get_color() == colour)

    assert numbers(REAL) == sorted([*values, "forward: values"])
    assert numbers(FAKE) == sorted(["+0.500", "+1.000", "-4.000", "backward: gradients"])
    assert len(axes.lines) == 2
