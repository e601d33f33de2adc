"""A GAN on 2-D data: the samples, D's judgement of the plane, and where it pushes the fakes."""

from dataclasses import dataclass

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.path import Path

from minigan.plotting.curves import draw_losses, draw_shares
from minigan.plotting.style import FAKE, INK, JUDGEMENT, REAL, styled

__all__ = ["Moment", "arrow_lengths", "draw_frame", "draw_moment", "draw_moments"]


#: Margins of an animation's frame, as shares of its width and height.
FRAME = {"left": 0.06, "right": 0.965, "bottom": 0.17, "top": 0.82, "wspace": 0.28}

ARROW = Path([(-1, 0.1), (0.3, 0.1), (0.3, 0.4), (1, 0), (0.3, -0.4), (0.3, -0.1), (-1, -0.1)])


@dataclass(frozen=True)
class Moment:
    """The game at one step of training.

    step: how many steps were made. fake: generated samples (n, 2). push: (m, 2) with m ≤ n, the
    direction in which the generator's loss falls fastest at the first m of them. judgement:
    (rows, columns), D's verdict on the points of a grid over the window, the first row at the
    bottom, from −1 (fake) over 0 (cannot tell) to 1 (real). caption: a line about the samples.
    """

    step: int
    fake: np.ndarray
    push: np.ndarray
    judgement: np.ndarray
    caption: str = ""


@styled
def draw_moments(
    figure, moments, extent, real, losses, *, shares=(), balance=None, unit="", notes=None
):
    """A row of moments above the losses and, where there are modes, their coverage.

    moments: a list of `Moment`. extent: the window (xmin, xmax, ymin, ymax). real: samples (n, 2).
    losses: two arrays (of D, of G), (steps,). shares: for `draw_shares`; empty without modes.
    balance, unit: see `draw_losses`. notes: (step, text at the losses, text at the shares), where
    there is something to see; None: nowhere.
    """
    above, below = figure.subfigures(2, 1, height_ratios=[1.1, 1])
    panels = above.subplots(1, len(moments), squeeze=False)[0]
    for axes, moment in zip(panels, moments, strict=True):
        judgement = draw_moment(axes, moment, extent, real)
        axes.set_xlabel(moment.caption.replace(", ", "\n"))
        axes.set(xticks=[], yticks=[])
    bar = above.colorbar(judgement, ax=panels, pad=0.01, shrink=0.7, aspect=15, ticks=[-1, 0, 1])
    bar.ax.set_yticklabels(["fake", "unsure", "real"])
    bar.ax.set_title("D says", size=10, weight="normal")
    _draw_legend(figure)
    curves = below.subplots(1, 2 if len(shares) else 1, squeeze=False)[0]
    draw_losses(curves[0], *losses, balance=balance, unit=unit)
    if len(shares):
        draw_shares(curves[1], shares)
    for axes, text in zip(curves, notes[1:] if notes else (), strict=False):
        axes.axvline(notes[0], color=INK, linewidth=1, linestyle="--", zorder=0)
        axes.set_title(text, size=10)


@styled
def draw_moment(axes, moment, extent, real):
    """The samples on D's judgement of the plane, an arrow on each fake that has a push.

    Returns the picture of the judgement, for a colour bar.
    """
    image = axes.imshow(
        moment.judgement, JUDGEMENT, extent=extent, origin="lower", vmin=-1, vmax=1,
        interpolation="bilinear", aspect="equal",
    )  # fmt: skip
    axes.scatter(*real.T, s=8, color=REAL, linewidths=0, zorder=2)
    axes.scatter(*moment.fake.T, s=5, color=FAKE, linewidths=0, zorder=3)
    points, arrows = moment.fake[: len(moment.push)], arrow_lengths(moment.push, extent)
    axes.quiver(
        *points.T, *arrows.T, color=INK, angles="xy", scale_units="xy", scale=1, width=0.005,
        zorder=2.5,
    )  # fmt: skip
    axes.set(xlim=extent[:2], ylim=extent[2:], title=f"step {moment.step:,}")
    axes.set_xlabel(moment.caption)
    axes.locator_params(nbins=5)
    axes.spines[:].set_visible(True)
    return image


@styled
def draw_frame(figure, moment, extent, real, losses, *, balance=None, unit=""):
    """One frame of an animation: the moment, and the losses of the whole run up to then."""
    figure.set_layout_engine("none")  # fixed margins: three times as fast, and nothing moves
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25], gridspec_kw=FRAME)
    draw_moment(left, moment, extent, real)
    draw_losses(right, *losses, balance=balance, now=moment.step, unit=unit)
    _draw_legend(figure)


def _draw_legend(figure):
    handles = [
        Line2D([], [], linestyle="", marker=marker, markersize=size, color=colour, label=label)
        for marker, size, colour, label in (
            ("o", 2.5, REAL, "real"),
            ("o", 2.5, FAKE, "generated"),
            (ARROW, 6, INK, "push of the gradient"),
        )
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, columnspacing=1)


def arrow_lengths(push, extent):
    """Arrows (m, 2) in proportion to the pushes; the longest 10 % all are a tenth of the window."""
    length = np.linalg.norm(push, axis=1, keepdims=True)
    longest = np.quantile(length, 0.9) if len(push) else 0
    if longest == 0:
        return np.zeros_like(push)
    return push / np.maximum(length, longest) * 0.1 * (extent[1] - extent[0])
