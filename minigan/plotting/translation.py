"""Unpaired translation: samples of two domains, what they are translated to, and the way back.

A cycle is a triple of arrays: the originals, their translations, and these translated back.
"""

import numpy as np

from minigan.plotting.curves import draw_stretches
from minigan.plotting.images import show_rows
from minigan.plotting.style import FAKE, INK, styled

__all__ = ["draw_cycle_error", "draw_moves", "draw_translations"]

STAGES = ("original", "translated", "and back")
MARGINS = {"left": 0.06, "right": 0.98, "bottom": 0.06, "top": 0.9, "wspace": 0.1, "hspace": 0.22}
LINES = 100  # points that are followed by a line


@styled
def draw_moves(figure, cycles, domains, window, title=""):
    """Points of the plane and where each of them goes: a row of panels for each of two cycles.

    cycles: two triples of points (n, 2). domains: the names of the two domains; the first cycle
    starts in the first. window: the panels show [−window, window]². A point keeps its colour, which
    shows how far right it began. A line leads to it from its place in the panel before. Grey points
    are the originals of the domain in which it should be.
    """
    figure.set_layout_engine("none")  # fixed margins: faster, and nothing moves
    panels = figure.subplots(2, 3, sharex=True, sharey=True, gridspec_kw=MARGINS)
    for row, points in enumerate(cycles):
        for column, axes in enumerate(panels[row]):
            domain = (row + column) % 2
            axes.scatter(*cycles[domain][0].T, s=14, color="#D0D0D0", linewidths=0)
            if column:
                lines = np.stack([points[column - 1], points[column]], axis=1)[:LINES]
                axes.plot(*lines.T, color=INK, linewidth=0.6, alpha=0.3, zorder=1)
            axes.scatter(*points[column].T, s=8, c=points[0][:, 0], linewidths=0, zorder=2)
            axes.set(xlim=(-window, window), ylim=(-window, window), aspect="equal")
            axes.set_title(f"{STAGES[column]}: {domains[domain]}")
            axes.locator_params(nbins=5)
    figure.suptitle(title, weight="bold")


@styled
def draw_translations(figure, cycles, title=""):
    """A sheet of three rows for each of two cycles, triples of images (n, H, W, C) in [−1, 1]."""
    for axes, images in zip(figure.subplots(2, 1), cycles, strict=True):
        show_rows(axes, np.stack(images), STAGES)
    figure.suptitle(title, weight="bold")


@styled
def draw_cycle_error(figure, errors):
    """The cycle loss at the steps 1, 2, … n, on a logarithmic axis: mean and range of stretches."""
    axes = figure.subplots()
    draw_stretches(axes, errors, FAKE)
    axes.set(yscale="log", title="Cycle error", ylabel="mean |back − original|, both ways")
