"""The histogram: assume nothing about the shape, count the samples in equal cells.

It is maximum likelihood among all densities that are constant on each cell. It also shows why
counting does not lead to images: with b bins a feature there are bᵈ cells, and in two dimensions
most of them are already empty.
"""

import numpy as np

from minigan.checks import check_integer
from minigan.density.contract import Density, check_samples

__all__ = ["Histogram"]

MAX_CELLS = 10_000_000


class Histogram(Density):
    """p(x) = n_k / (n Δ) for x in cell k, 0 outside (Bishop, PRML, equation 2.241).

    Δ is the volume of a cell. Why these heights: maximise Σₖ nₖ log pₖ under the constraint
    Σₖ pₖ Δ = 1. With a multiplier λ the derivative nₖ/pₖ - λΔ is zero at pₖ = nₖ/(λΔ), and the
    constraint gives λ = n.

    The number of bins decides between noise (many) and a blur (few). A sample in an empty cell, or
    outside, has log-density -inf.

    Parameters
    ----------
    bins : int
        Bins a feature.
    limits : sequence of d pairs (low, high), optional
        The box that is divided. Without it: from the smallest to the largest sample.

    Attributes
    ----------
    edges : list of d arrays (bins + 1,)
        Each cell holds its lower edge; the last one its upper edge too.
    heights : (bins,) * d
        pₖ.
    """

    def __init__(self, bins: int, limits=None):
        self.bins = check_integer("bins", bins, 1)
        self.limits = None if limits is None else _check_limits(limits)

    def fit(self, x: np.ndarray) -> "Histogram":
        """Learn from x (n, d). ValueError if a sample lies outside the limits."""
        x = check_samples(x)
        n, d = x.shape
        if self.bins**d > MAX_CELLS:
            raise ValueError(
                f"{self.bins} bins in {d} dimensions are {self.bins}^{d} cells, more than "
                f"{MAX_CELLS:,}: a histogram is for few dimensions"
            )
        edges = self._edges(x)
        cells, inside = _cells(x, edges)
        if not inside.all():
            raise ValueError(
                f"{np.count_nonzero(~inside)} of {n} samples lie outside the limits: widen them, "
                "or leave these samples out"
            )
        counts = np.bincount(cells, minlength=self.bins**d).reshape((self.bins,) * d)
        volume = np.prod([(edge[-1] - edge[0]) / self.bins for edge in edges])
        self.heights = counts / (n * volume)
        self.edges = edges
        self.dimension = d
        return self

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pₖ for the cell k of each sample of x (n, d): (n,)."""
        cells, inside = _cells(self.check_queries(x), self.edges)
        with np.errstate(divide="ignore"):
            log_heights = np.log(self.heights.ravel())
        return np.where(inside, log_heights[cells], -np.inf)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n samples (n, d): a cell with probability pₖ Δ, then a uniform point in it."""
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
            raise ValueError(f"x has {x.shape[1]} features, but limits has {len(limits)} pairs")
        edges = [np.linspace(low, high, self.bins + 1) for low, high in limits]
        for feature, edge in enumerate(edges):
            if not (np.diff(edge) > 0).all():
                raise ValueError(
                    f"feature {feature} runs from {edge[0]} to {edge[-1]}, which cannot be divided "
                    f"into {self.bins} bins: pass wider limits"
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
    """Return limits as (d, 2), each low < high."""
    limits = np.array(limits, dtype=np.float64)
    if limits.ndim != 2 or limits.shape[1] != 2:
        raise ValueError(f"limits must be d pairs (low, high), got shape {limits.shape}")
    if not (np.isfinite(limits).all() and (limits[:, 0] < limits[:, 1]).all()):
        raise ValueError(f"limits must be finite with low < high, got {limits.tolist()}")
    return limits
