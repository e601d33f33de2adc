"""A network from inside: how the gradient flows through it, and all its numbers."""

import numpy as np

from minigan.plotting.style import FAKE, INK, OTHERS, REAL, styled

__all__ = ["draw_gradient_flow", "draw_units"]

#: How the first, second, … network is drawn: they differ in more than their colours.
LOOKS = [
    {"color": colour, "marker": marker, "markersize": 7, "linewidth": 1.5}
    for colour, marker in zip((INK, *OTHERS), "os^DvP", strict=True)
]

#: The distances between the layers and between the units of a drawn network.
APART, BELOW = 3.2, 1.4


@styled
def draw_gradient_flow(figure, names, networks):
    """A row per layer, the input on top: its outputs, their gradient, and where none passes.

    names: of the layers. networks: label -> (outputs, gradients, flat), with one number per layer
    each: the standard deviation of the outputs y, the norm of dL/dy, and the share of outputs, in
    [0, 1], at which the layer is flat (None where that has no meaning).
    """
    panels = figure.subplots(1, 3, sharey=True)
    rows = np.arange(len(names))
    for (label, (outputs, gradients, flat)), look in zip(networks.items(), LOOKS, strict=False):
        for axes, values in zip(panels, (outputs, gradients), strict=False):
            values = np.asarray(values, np.float64)
            axes.plot(np.where(values > 0, values, np.nan), rows, **look, label=label)
            zeros = rows[values == 0]  # no place on a logarithmic axis: crosses at its left end
            left = {"color": look["color"], "transform": axes.get_yaxis_transform()}
            axes.plot(np.full(len(zeros), 0.01), zeros, "x", **left)
        known = [row for row in rows if flat[row] is not None]
        panels[2].plot([100 * flat[row] for row in known], known, **look, label=label)
    for axes in panels[:2]:
        axes.set_xscale("log")
        axes.grid(True, color="#DDDDDD")
    panels[0].set(title="Forward: outputs", xlabel="standard deviation of y")
    panels[1].set(title="Backward: gradient", xlabel="norm of dL/dy")
    panels[2].set(title="Flat: no gradient passes", xlabel="share of outputs [%]", xlim=(-3, 103))
    panels[0].set_yticks(rows, names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    if len(networks) > 1:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), markerscale=1)


@styled
def draw_units(axes, units, edges):
    """Every unit and every weight of a small network, each with its value and its gradient.

    units: a list of layers, each a list of (name, value, gradient). edges: a list of
    (layer, from, to, value, gradient), from a unit of `layer` to one of the next. Values are blue
    and were computed from left to right, from the input; gradients are orange, from right to left.
    """
    place = [
        [(k * APART, (len(layer) - 1) * BELOW / 2 - i * BELOW) for i in range(len(layer))]
        for k, layer in enumerate(units)
    ]
    for layer, start, end, value, gradient in edges:
        (x0, y0), (x1, y1) = place[layer][start], place[layer + 1][end]
        axes.plot([x0, x1], [y0, y1], color=OTHERS[4], linewidth=1, zorder=1)
        if value is not None:
            at = 0.36 if start < end else 0.64 if start > end else 0.5  # crossing: not on one spot
            _numbers(axes, x0 + at * (x1 - x0), y0 + at * (y1 - y0), value, gradient, 10)
    for layer, places in zip(units, place, strict=True):
        for (name, value, gradient), (x, y) in zip(layer, places, strict=True):
            axes.scatter(x, y, s=2600, color="white", edgecolors=INK, linewidths=1.5, zorder=2)
            axes.text(x, y + 0.4, name, ha="center", va="bottom", fontweight="bold")
            _numbers(axes, x, y, value, gradient, 11, box=None)
    deepest = max(map(len, units))
    right, top = (len(units) - 1) * APART, (deepest - 1) * BELOW / 2 + 1.1
    for text, side, start, end, colour in (
        ("forward: values", "left", -0.4, right / 2 - 0.4, REAL),
        ("backward: gradients", "right", right + 0.4, right / 2 + 0.4, FAKE),
    ):
        arrow = {"arrowstyle": "->", "color": colour, "linewidth": 2}
        axes.annotate("", (end, top), (start, top), arrowprops=arrow)
        axes.text(start, top + 0.08, text, color=colour, ha=side)
    axes.set(xlim=(-0.7, right + 0.7), ylim=(-(deepest - 1) * BELOW / 2 - 0.5, top + 0.4))
    axes.set_axis_off()


WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


def _numbers(axes, x, y, value, gradient, size, box=WHITE):
    """The value above the gradient, in a box."""
    common = {"ha": "center", "fontsize": size, "zorder": 3, "bbox": box}
    axes.text(x, y + 0.02, f"{value:+.3f}", va="bottom", color=REAL, **common)
    if gradient is not None:
        axes.text(x, y - 0.04, f"{gradient:+.3f}", va="top", color=FAKE, **common)
