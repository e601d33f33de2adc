"""Pushforward: the density of y = f(x) when the density of x is known.

This is a generator on a line: noise in, samples out, and the density of what comes out can still
be written down. Maps and their branches are data; `Pushforward` is the formula.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.stats
from scipy.special import logsumexp

from minigan.density.contract import Density, Known

__all__ = [
    "IDENTITY",
    "NORMAL_QUANTILE",
    "SQUARE",
    "UNIFORM",
    "Branch",
    "Map",
    "Pushforward",
    "quantile_map",
]


class Branch(NamedTuple):
    """One stretch on which a map is monotone, seen from its image.

    inverse maps y (n,) to the preimage xᵢ(y) on this stretch (n,), log_slope maps y (n,) to
    log |dxᵢ/dy| (n,), and image is (low, high), the y that have a preimage on this stretch.
    """

    inverse: Callable
    log_slope: Callable
    image: tuple = (-np.inf, np.inf)


class Map(NamedTuple):
    """A piecewise monotone function of one number: forward maps x (n,) to y (n,)."""

    forward: Callable
    branches: tuple


class Pushforward(Density):
    """The distribution of y = f(x): p_Y(y) = Σᵢ p_X(xᵢ(y)) |dxᵢ/dy| (PRML, equation 1.27).

    The sum runs over the preimages xᵢ of y. Why: a short interval dy receives its probability from
    the intervals dxᵢ that f maps onto it, p_Y(y) dy = Σᵢ p_X(xᵢ) |dxᵢ|. Where f is steep the
    density gets thin, where it is flat it piles up: for x² of a Gaussian it is infinite at 0.

    map: f, a `Map` such as SQUARE. base: p_X, of one number: a fitted estimator, or
    `Known(scipy.stats...)`; without it UNIFORM, on [0, 1]. Nothing is learned: there is no `fit`.
    """

    def __init__(self, map, base=None):
        base = UNIFORM if base is None else base
        if not isinstance(map, Map):
            raise TypeError(f"map: expected a Map, got {type(map).__name__}")
        if not (hasattr(base, "log_density") and hasattr(base, "sample")):
            raise TypeError(f"base: expected log_density and sample, got {type(base).__name__}")
        if getattr(base, "dimension", None) != 1:
            raise ValueError("base: expected to be fitted, on samples (n, 1)")
        self.map, self.base = map, base
        self.dimension = 1

    def log_density(self, y):
        """log p_Y(y) of y (n, 1): (n,)."""
        y = self.check_queries(y, "y")[:, 0]
        return logsumexp([self._branch_log_density(b, y) for b in self.map.branches], axis=0)

    def sample(self, n, rng):
        """n samples, (n, 1): f of samples of the base. No density is needed for that."""
        self.check_draw(n, rng)
        return self.map.forward(self.base.sample(n, rng)[:, 0])[:, None]

    def _branch_log_density(self, branch, y):
        """log p_X(xᵢ(y)) + log |dxᵢ/dy|: (n,), −inf where y or its preimage is impossible."""
        result = np.full(len(y), -np.inf)
        low, high = branch.image
        rows = np.flatnonzero((y >= low) & (y <= high))
        x = branch.inverse(y[rows])
        rows, x = rows[~np.isinf(x)], x[~np.isinf(x)]
        if len(rows):
            log_base = self.base.log_density(x[:, None])
            # Where the base is 0 and the slope infinite, −inf + inf would be NaN.
            possible = log_base > -np.inf
            rows = rows[possible]
            result[rows] = log_base[possible] + branch.log_slope(y[rows])
        return result


UNIFORM = Known(scipy.stats.uniform())

IDENTITY = Map(np.positive, (Branch(np.positive, np.zeros_like),))


def _square_log_slope(y):
    """log |d(±√y)/dy| = −log(2√y), +inf at 0."""
    with np.errstate(divide="ignore"):
        return -np.log(2 * np.sqrt(y))


# Two branches: y = x² comes from +√y and from −√y. A base on [0, 1] has nothing on the second.
SQUARE = Map(
    np.square,
    (
        Branch(np.sqrt, _square_log_slope, (0, np.inf)),
        Branch(lambda y: -np.sqrt(y), _square_log_slope, (0, np.inf)),
    ),
)


def quantile_map(distribution):
    """y = F⁻¹(x), which maps UNIFORM to `distribution`, a continuous one of scipy.stats.

    Its inverse is F, whose slope is the density: p_Y(y) = 1 · |dF/dy|. Inverse-transform sampling
    is this pushforward.
    """
    branch = Branch(distribution.cdf, distribution.logpdf, distribution.support())
    return Map(distribution.ppf, (branch,))


NORMAL_QUANTILE = quantile_map(scipy.stats.norm())
