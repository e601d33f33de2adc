"""Curves over the steps of training."""

import numpy as np

from minigan.plotting.style import FAKE, INK, REAL, styled

__all__ = ["draw_losses", "draw_shares", "summarize"]

#: Points of a curve: a loss of thousands of steps is drawn as the means of so many stretches.
STRETCHES = 150


def summarize(values, stretches=STRETCHES):
    """Values of steps 1, 2, … n in at most so many stretches of (nearly) equal length.

    Returns the last step, the mean, the minimum and the maximum of each stretch, four arrays.
    """
    values = np.asarray(values, np.float64)
    ends = np.linspace(0, len(values), min(stretches, len(values)) + 1).round().astype(int)
    starts, ends = ends[:-1], ends[1:]
    mean = np.add.reduceat(values, starts) / (ends - starts)
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return ends, mean, low, high


@styled
def draw_losses(axes, discriminator, generator, *, balance=None, now=None, unit=""):
    """Both players' losses at the steps 1, 2, … n: the mean of each stretch and, shaded, its range.

    A player whose losses are all NaN is left out. balance: the losses (of D, of G) where D cannot
    tell fakes from real samples, drawn dotted. now: draw up to this step only, on axes that have
    room for all. unit: of the losses, or "".
    """
    players = [("discriminator", discriminator, INK), ("generator", generator, FAKE)]
    for (name, losses, colour), level in zip(players, balance or (None, None), strict=True):
        if np.isnan(losses).all():
            continue
        steps, mean, low, high = summarize(losses)
        shown = steps <= (len(losses) if now is None else now)
        axes.fill_between(
            steps[shown], low[shown], high[shown], color=colour, alpha=0.2, linewidth=0
        )
        axes.plot(steps[shown], mean[shown], color=colour, label=name)
        if level is not None:
            axes.axhline(level, color=colour, linestyle=":", linewidth=1.5)
    if balance is not None:
        axes.plot([], [], color="gray", linestyle=":", linewidth=1.5, label="if D cannot tell")
    axes.set(xlim=(0, len(discriminator)), xlabel="step", title="Losses")
    axes.set_ylabel(f"loss [{unit}]" if unit else "loss")
    axes.set_ylim(_limits(np.concatenate([discriminator, generator]), balance))
    axes.locator_params(axis="x", nbins=6)
    axes.legend(loc="upper right")


@styled
def draw_shares(axes, shares):
    """Coverage: rows (step, captured modes, high-quality samples), shares of all, in [0, 1]."""
    steps, modes, high_quality = np.transpose(shares)
    axes.plot(steps, 100 * modes, color=REAL, label="modes captured")
    axes.plot(steps, 100 * high_quality, color=FAKE, linestyle="--", label="high-quality samples")
    axes.set(xlim=(0, steps[-1]), ylim=(0, 105), xlabel="step", ylabel="share [%]")
    axes.set_title("Coverage of the modes")
    axes.locator_params(axis="x", nbins=6)
    axes.legend(loc="lower right")


def _limits(losses, balance):
    """A range that shows all but the most extreme 1 % of the losses, with room for the legend."""
    low, high = np.nanquantile(losses, [0.005, 0.995])
    low, high = min([low, *(balance or [])]), max([high, *(balance or [])])
    margin = max(high - low, 1e-6)
    return low - 0.05 * margin, high + 0.5 * margin
