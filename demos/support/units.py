"""A small network of dense layers and activations, drawn with all its numbers."""

import numpy as np

from minigan.plotting import FAKE, INK, OTHERS, REAL, minus, styled

__all__ = ["draw_units"]

#: The distances between two layers, where lines cross and where not; between the units of a layer;
#: from a unit to the label of its bias.
WIDE, APART, BELOW, OUTSIDE = 3.6, 2.2, 2.8, 1.2

#: The height of a line of text, its size, and what keeps it readable on a line.
LINE, SIZE, WHITE = 0.26, 10.5, {"facecolor": "white", "edgecolor": "none", "pad": 1}


@styled
def draw_units(axes, units, weights, biases):
    """Every unit, weight and bias of a network, each with its value and, below, its gradient.

    units: a list of layers, each a list of (name, value, gradient). weights: a list of (layer,
    from, to, name, value, gradient), from a unit of `layer` to one of the next; value and gradient
    may be missing. biases: a list of (layer, unit, name, value, gradient). Values are blue and were
    computed from left to right, from the input; gradients are orange, from right to left.
    """
    crossed = {layer for layer, start, end, *_ in weights if start < end}
    x = np.cumsum([0.0, *(WIDE if k in crossed else APART for k in range(len(units) - 1))])
    place = [
        [(x[k], (len(layer) - 1) * BELOW / 2 - i * BELOW) for i in range(len(layer))]
        for k, layer in enumerate(units)
    ]
    for layer, start, end, name, *numbers in weights:
        (x0, y0), (x1, y1) = place[layer][start], place[layer + 1][end]
        axes.plot([x0, x1], [y0, y1], color=OTHERS[4], linewidth=1, zorder=1)
        at = 0.28 if layer in crossed and start != end else 0.5  # not where two lines cross
        _label(axes, x0 + at * (x1 - x0), y0 + at * (y1 - y0), name, *numbers)
    for layer, unit, name, *numbers in biases:
        x0, y0 = place[layer][unit]
        end = y0 + (-OUTSIDE if y0 < 0 else OUTSIDE)  # where no other line runs
        axes.plot([x0, x0], [y0, end], color=OTHERS[4], linewidth=1, zorder=1)
        _label(axes, x0, end, name, *numbers)
    for layer, places in zip(units, place, strict=True):
        for (name, value, gradient), at in zip(layer, places, strict=True):
            axes.scatter(*at, s=3000, color="white", edgecolors=INK, linewidths=1.5, zorder=2)
            _label(axes, *at, name, value, gradient, box=None)
    right, top = x[-1], (max(map(len, units)) - 1) * BELOW / 2 + 2.0
    for text, side, start, end, colour in (
        ("forward: values", "left", -0.5, right / 2 - 0.4, REAL),
        ("backward: gradients", "right", right + 0.5, right / 2 + 0.4, FAKE),
    ):
        arrow = {"arrowstyle": "->", "color": colour, "linewidth": 2}
        axes.annotate("", (end, top), (start, top), arrowprops=arrow)
        axes.text(start, top + 0.1, text, color=colour, ha=side)
    axes.set(xlim=(-0.7, right + 0.7), ylim=(0.35 - top, top + 0.4))
    axes.set_axis_off()


def _label(axes, x, y, name, value=None, gradient=None, box=WHITE):
    """The name, below it the value, below it the gradient; what is None is left out."""
    numbers = [None if n is None else minus(f"{n:+.3f}") for n in (value, gradient)]
    shown = [(text, c) for text, c in zip((name, *numbers), (INK, REAL, FAKE), strict=True) if text]
    for i, (text, colour) in enumerate(shown):
        axes.text(
            x, y + LINE * ((len(shown) - 1) / 2 - i), text, ha="center", va="center", color=colour,
            fontsize=SIZE, weight="bold" if text == name else None, bbox=box, zorder=3,
        )  # fmt: skip
