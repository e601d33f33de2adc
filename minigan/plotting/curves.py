"""Curves over the steps of training."""

import numpy as np

from minigan.plotting.style import FAKE, INK, REAL, styled

__all__ = ["draw_losses", "draw_shares", "draw_stretches", "summarize"]


def summarize(values, stretches=150):
    """Values of steps 1, 2, … n in at most so many stretches of (nearly) equal length.

    Returns the last step, the mean, the minimum and the maximum of each stretch, four arrays.
    """
    values = np.asarray(values, np.float64)
    ends = np.linspace(0, len(values), min(stretches, len(values)) + 1).round().astype(int)
    starts, ends = ends[:-1], ends[1:]
    mean = np.add.reduceat(values, starts) / (ends - starts)
    return ends, mean, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def draw_stretches(axes, values, colour, now=np.inf, label=None):
    """Values of steps 1, 2, … n, up to `now`: the mean of each stretch and, shaded, its range."""
    steps, *curves = summarize(values)
    mean, low, high = (curve[steps <= now] for curve in curves)
    steps = steps[steps <= now]
    axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(steps, mean, color=colour, label=label)
    axes.set(xlim=(0, len(values)), xlabel="step")
    axes.locator_params(axis="x", nbins=4)


@styled
def draw_losses(axes, discriminator, generator, *, balance=None, now=np.inf, unit=""):
    """Both players' losses at the steps 1, 2, … n, as `draw_stretches` draws them.

    A player whose losses are all NaN is left out. balance: the losses (of D, of G) where D cannot
    tell fakes from real samples, drawn dotted. now: draw up to this step only, on axes that have
    room for all. unit: of the losses, or "".
    """
    players = [("discriminator", discriminator, INK), ("generator", generator, FAKE)]
    for (name, losses, colour), level in zip(players, balance or (None, None), strict=True):
        if np.isnan(losses).all():
            continue
        draw_stretches(axes, losses, colour, now, name)
        if level is not None:
            axes.axhline(level, color=colour, linestyle=":", linewidth=1.5)
    if balance is not None:
        axes.plot([], [], color="gray", linestyle=":", linewidth=1.5, label="if D cannot tell")
    axes.set(title="Losses", ylabel=f"loss [{unit}]" if unit else "loss")
    # A range that shows all but the most extreme 1 % of the losses, with room for the legend.
    quantiles = np.nanquantile([discriminator, generator], [0.005, 0.995])
    low, high = min([*quantiles, *(balance or [])]), max([*quantiles, *(balance or [])])
    margin = max(high - low, 1e-6)
    axes.set_ylim(low - 0.05 * margin, high + 0.5 * margin)
    axes.legend(loc="upper right")


@styled
def draw_shares(axes, shares):
    """Coverage: rows (step, captured modes, high-quality samples), shares of all, in [0, 1]."""
    steps, modes, high_quality = np.transpose(shares)
    axes.plot(steps, 100 * modes, color=REAL, label="modes captured")
    axes.plot(steps, 100 * high_quality, color=FAKE, label="high-quality samples")
    axes.set(xlim=(0, steps[-1]), ylim=(0, 105), xlabel="step", ylabel="share [%]")
    axes.set_title("Coverage of the modes")
    axes.locator_params(axis="x", nbins=4)
    axes.legend(loc="lower right")
