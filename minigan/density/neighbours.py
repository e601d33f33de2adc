"""The k-nearest-neighbour density: fix the count, let the volume follow the data.

A Parzen window has one width everywhere: too wide where samples are dense, or too narrow where
they are rare. Here a ball grows until it holds k samples. The price: the result is no density.
"""

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import gammaln

from minigan.checks import check_integer, check_samples
from minigan.density.contract import Density

__all__ = ["NearestNeighbours"]


class NearestNeighbours(Density):
    """p(x) = k / (n V rₖ(x)ᵈ) (Loftsgaarden & Quesenberry 1965; PRML, equation 2.246).

    rₖ(x) is the distance from x to its k-th nearest sample and V = π^(d/2) / Γ(d/2 + 1) the volume
    of the unit ball in d dimensions. Why: a ball of volume v around x holds the probability
    P ≈ p(x) v, and of n samples about nP = k fall into it. k: at most n; a small k follows the
    noise, a large one blurs.

    It does not integrate to one. Far away rₖ(x) ≈ |x|, so p falls like |x|⁻ᵈ. A shell at distance
    r has a surface that grows like rᵈ⁻¹, so the integral sums 1/r and diverges: each doubling of
    the radius adds d (k/n) log 2, without end (PRML, exercise 2.61). Over a bounded region p(x)
    estimates the density well, and better as n grows with k → ∞ and k/n → 0. What cannot be
    normalised cannot be sampled: this class has no `sample`.

    Where k samples coincide with x the radius is 0 and the log-density +inf. A sample of the fit
    is its own first neighbour, so k = 1 gives +inf at every one of them.
    """

    def __init__(self, k):
        self.k = check_integer("k", k, 1)

    def fit(self, x):
        """Keep x (n, d). ValueError if n < k."""
        x = check_samples(x)
        if len(x) < self.k:
            raise ValueError(f"x: expected at least k = {self.k} samples, got {len(x)}")
        self.tree = cKDTree(x, copy_data=True)
        self.dimension = x.shape[1]
        return self

    def log_density(self, x):
        """log k − log n − log V − d log rₖ(x) of x (n, d): (n,)."""
        x, d = self.check_queries(x), self.dimension
        radius = self.tree.query(x, k=[self.k])[0][:, 0]
        log_unit_ball = 0.5 * d * np.log(np.pi) - gammaln(0.5 * d + 1)
        with np.errstate(divide="ignore"):
            return np.log(self.k / self.tree.n) - log_unit_ball - d * np.log(radius)
