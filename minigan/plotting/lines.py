"""Distributions on a line: the real density, a model's density, and samples as a histogram."""

import numpy as np

from minigan.plotting.style import FAKE, REAL, styled

__all__ = ["draw_densities"]


@styled
def draw_densities(
    axes, x, real=None, fake=None, *, samples=None, names=("data", "model"), top=None
):
    """Densities over the points x (n,): the real one as an area, the model's as a line.

    real, fake: (n,) densities, or None. samples: (m,) of the model, drawn as a histogram whose area
    is the share of samples in the window. names: of data and model, in the legend. top: the upper
    end of the vertical axis; by default, room for the real density or, without it, for all.
    """
    x = np.asarray(x)
    if real is not None:
        axes.fill_between(x, real, color=REAL, alpha=0.25, linewidth=0, label=names[0])
        axes.plot(x, real, color=REAL, linewidth=1.5)
    if samples is not None:
        counts, edges = np.histogram(samples, 80, (x[0], x[-1]))
        heights = counts / (len(samples) * np.diff(edges))
        axes.stairs(heights, edges, fill=True, color=FAKE, alpha=0.45, label=f"{names[1]}: samples")
    if fake is not None:
        axes.plot(x, fake, color=FAKE, label=names[1])
    if top is None and real is not None:
        top = 1.6 * np.max(real)
    axes.set(xlim=(x[0], x[-1]), xlabel="x", ylabel="density")
    axes.set_ylim(0, top)
    axes.legend(loc="upper right", markerscale=1)
