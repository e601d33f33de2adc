"""The histogram: assume nothing about the shape, count the samples in equal cells.

It is maximum likelihood among all densities that are constant on each cell. It also shows why
counting does not lead to images: with b bins per feature there are bᵈ cells, and already in a few
dimensions most of them are empty.
"""

import numpy as np

from minigan.checks import check_integer, check_samples
from minigan.density.contract import Density

__all__ = ["Histogram"]

MAX_CELLS = 10_000_000


class Histogram(Density):
    """p(x) = nₖ / (n Δ) for x in cell k, 0 outside (Bishop, PRML, equation 2.241).

    nₖ of the n samples lie in cell k; Δ is the volume of a cell. Why these heights: maximise
    Σₖ nₖ log pₖ under the constraint Σₖ pₖ Δ = 1. With a multiplier λ the derivative nₖ/pₖ − λΔ is
    zero at pₖ = nₖ/(λΔ), and the constraint gives λ = n.

    bins: how many per feature; many bins show noise, few blur. limits: d pairs (low, high), the
    box that is divided; without it, from the smallest to the largest sample. A point in an empty
    cell, or outside, has log-density −inf.

    After `fit`, edges is a list of d arrays (bins + 1,), and heights, (bins, …, bins), holds pₖ.
    A cell includes its lower edge; the last one includes its upper edge too.
    """

    def __init__(self, bins, limits=None):
        self.bins = check_integer("bins", bins, 1)
        self.limits = None if limits is None else _check_limits(limits)

    def fit(self, x):
        """Learn from x (n, d).

        ValueError if a sample lies outside the limits, or for more than 10 million cells.
        """
        x = check_samples(x)
        n, d = x.shape
        if self.bins**d > MAX_CELLS:
            raise ValueError(
                f"bins: expected at most {MAX_CELLS:,} cells, got {self.bins}^{d} cells: a "
                "histogram is for few dimensions"
            )
        edges = self._edges(x)
        cells, inside = _cells(x, edges)
        if not inside.all():
            outside = np.count_nonzero(~inside)
            raise ValueError(f"x: {outside} of {n} samples lie outside the limits: widen them")
        counts = np.bincount(cells, minlength=self.bins**d).reshape((self.bins,) * d)
        volume = np.prod([(edge[-1] - edge[0]) / self.bins for edge in edges])
        self.heights = counts / (n * volume)
        self.edges = edges
        self.dimension = d
        return self

    def log_density(self, x):
        """log pₖ for the cell k of each sample of x (n, d): (n,)."""
        cells, inside = _cells(self.check_queries(x), self.edges)
        with np.errstate(divide="ignore"):
            log_heights = np.log(self.heights.ravel())
        return np.where(inside, log_heights[cells], -np.inf)

    def sample(self, n, rng):
        """n samples, (n, d): a cell with probability pₖ Δ, then a uniform point in it."""
        self.check_draw(n, rng)
        mass = self.heights.ravel() / self.heights.sum()
        cells = rng.choice(len(mass), size=n, p=mass)
        corners = np.unravel_index(cells, self.heights.shape)
        low = np.stack([e[i] for e, i in zip(self.edges, corners, strict=True)], axis=1)
        high = np.stack([e[i + 1] for e, i in zip(self.edges, corners, strict=True)], axis=1)
        return low + rng.random((n, self.dimension)) * (high - low)

    def _edges(self, x):
        """d arrays of bins + 1 equally spaced edges."""
        limits = self.limits
        if limits is None:
            limits = np.stack([x.min(axis=0), x.max(axis=0)], axis=1)
        if len(limits) != x.shape[1]:
            raise ValueError(
                f"x: expected one feature per pair of limits, {len(limits)}, got {x.shape[1]}"
            )
        edges = [np.linspace(low, high, self.bins + 1) for low, high in limits]
        for feature, edge in enumerate(edges):
            if not (np.diff(edge) > 0).all():
                raise ValueError(
                    f"x: feature {feature} runs from {edge[0]} to {edge[-1]}, which cannot be "
                    f"divided into {self.bins} bins: pass wider limits"
                )
        return edges


def _cells(x, edges):
    """The flat index of the cell of each sample (n,), and whether it is inside at all (n,)."""
    index, inside = [], np.ones(len(x), dtype=bool)
    for values, edge in zip(x.T, edges, strict=True):
        bins = len(edge) - 1
        inside &= (values >= edge[0]) & (values <= edge[-1])
        index.append(np.clip(np.searchsorted(edge, values, side="right") - 1, 0, bins - 1))
    return np.ravel_multi_index(index, [len(edge) - 1 for edge in edges]), inside


def _check_limits(limits):
    """limits as (d, 2), each low < high."""
    limits = np.array(limits, dtype=np.float64)
    pairs = limits.ndim == 2 and limits.shape[1] == 2 and np.isfinite(limits).all()
    if not pairs or (limits[:, 0] >= limits[:, 1]).any():
        raise ValueError(f"limits: expected d pairs, finite, low < high, got {limits.tolist()}")
    return limits
