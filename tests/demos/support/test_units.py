"""The drawn network: every unit, weight and bias has its name, its value and its gradient."""

from minigan.plotting import FAKE, INK, REAL, picture
from support.units import draw_units


def test_units_and_weights_show_name_value_and_gradient():
    axes = picture(6, 4).subplots()
    units = [[("x1", 1.0, None), ("x2", -2.0, 0.5)], [("y", 0.25, 1.0)]]
    draw_units(axes, units, [(0, 0, 0, "w", 3.0, -4.0), (0, 1, 0, "tanh")], [(1, 0, "b", 0.5, -1)])

    def shown(colour):
        return sorted(text.get_text() for text in axes.texts if text.get_color() == colour)

    assert shown(INK) == sorted(["x1", "x2", "y", "w", "tanh", "b"])
    assert shown(REAL) == sorted(
        ["+1.000", "−2.000", "+0.250", "+3.000", "+0.500", "forward: values"]
    )
    assert shown(FAKE) == sorted(["+0.500", "+1.000", "−4.000", "−1.000", "backward: gradients"])
    assert len(axes.lines) == 3  # two weights and a bias


def test_a_label_has_its_name_above_its_value_and_its_gradient_below():
    axes = picture(6, 4).subplots()
    draw_units(axes, [[("x", 1.0, 2.0)], [("y", 3.0, 4.0)]], [], [])
    heights = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert heights["x"] > heights["+1.000"] > heights["+2.000"]


def test_where_lines_cross_no_label_stands():
    axes = picture(6, 4).subplots()
    layer = [("u", 1.0, None), ("v", 1.0, None)]
    crossing = [(0, 0, 1, "p", 1.0, 1.0), (0, 1, 0, "q", 1.0, 1.0)]
    draw_units(axes, [layer, layer], crossing, [])
    (x,) = {(line.get_xdata()[0] + line.get_xdata()[1]) / 2 for line in axes.lines}
    places = {text.get_text(): text.get_position()[0] for text in axes.texts}
    assert abs(places["p"] - x) > 0.5 and abs(places["q"] - x) > 0.5
