"""What a data distribution can do: draw samples and, where a formula exists, tell its density.

A subclass of `Distribution` writes `draw` and, if its density has a closed form, `_log_density`.
`GaussianMixture` is the one that experiments on mode collapse need: its modes are known, so that
the samples of a generator can be counted mode by mode.

Everything here is float64 and lives on the host. Points are always (n, d), also for d = 1.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
from scipy.special import logsumexp

from minigan.checks import as_generator, check_integer

__all__ = ["Distribution", "GaussianMixture"]


class Distribution(ABC):
    """A probability distribution over points of `dimension` numbers that can be sampled.

    extent: the window that holds practically all of the mass, for plotting: (min, max) of each
    axis, one after the other.
    """

    def __init__(self, name, dimension, extent):
        low, high = extent[::2], extent[1::2]
        ordered = all(a < b for a, b in zip(low, high, strict=False))
        if len(extent) != 2 * dimension or not ordered or not all(map(math.isfinite, extent)):
            expected = f"finite numbers, min < max for each of {dimension} axes"
            raise ValueError(f"{name}: extent: expected {expected}, got {extent}")
        self.name, self.dimension = name, dimension
        self.extent = tuple(float(bound) for bound in extent)

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}, dimension {self.dimension}>"

    def sample(self, n, rng):
        """n independent samples, (n, d). The same seed, or state of `rng`, gives the same bits."""
        return self.draw(check_integer("n", n, 1), as_generator(rng))

    @property
    def has_density(self):
        """Whether there is an exact density in closed form, for `log_density` and `density`."""
        return self._log_density is not None

    @abstractmethod
    def draw(self, n, rng):
        """As `sample`, for an n and a generator that have been checked."""

    def log_density(self, x):
        """log p(x) in nats, (n,), for points x (n, d); −inf outside the support.

        NotImplementedError where the density has no closed form (see `has_density`).
        """
        if not self.has_density:
            raise NotImplementedError(f"{self.name} has no density in closed form, only samples")
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise ValueError(f"{self.name}: expected points (n, {self.dimension}), got {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError(f"{self.name}: expected finite points, got NaN or infinity")
        return self._log_density(x)

    def density(self, x):
        """p(x), (n,), for points x (n, d)."""
        return np.exp(self.log_density(x))

    #: As `log_density`, for points that have been checked: a method where there is a closed form.
    _log_density = None


class GaussianMixture(Distribution):
    """A mixture of K Gaussians without correlations between the axes.

        p(x) = Σₖ wₖ Πⱼ N(xⱼ; μₖⱼ, σₖⱼ²)

    means: (K, d). sigma: one standard deviation for all (only then is mode coverage defined), or
    (K, d), one per component and axis. weights: (K,) probabilities of the components; without
    them all are equal. extent: without it, the means' bounding box and 5 standard deviations
    around it. Means, weights and a sigma (K, d) are kept as read-only float64 copies.
    """

    def __init__(self, means, sigma, weights=None, *, name="gaussian-mixture", extent=None):
        self.means, self.sigma = _constant(means), _constant(sigma)
        shape = self.means.shape
        if len(shape) != 2 or 0 in shape or not np.isfinite(self.means).all():
            raise ValueError(f"means: expected finite numbers (K, d), got {means}")
        positive = np.isfinite(self.sigma).all() and (self.sigma > 0).all()
        if self.sigma.shape not in ((), shape) or not positive:
            expected = f"one positive, finite number, or {shape} of them"
            raise ValueError(f"sigma: expected {expected}, got {sigma}")
        if self.sigma.ndim == 0:
            self.sigma = float(self.sigma)
        components, dimension = shape
        if weights is None:
            weights = np.full(components, 1 / components)
        self.weights = _constant(weights)
        legal = self.weights.shape == (components,) and (self.weights >= 0).all()  # NaN is not
        if not legal or abs(self.weights.sum() - 1) > 1e-9:
            expected = f"{components} numbers of at least 0 that sum to 1"
            raise ValueError(f"weights: expected {expected}, got {weights}")
        if extent is None:
            low = (self.means - 5 * self.sigma).min(axis=0)
            high = (self.means + 5 * self.sigma).max(axis=0)
            extent = np.stack([low, high], axis=1).ravel()
        super().__init__(name, dimension, extent)

    def draw(self, n, rng, labelled=False):
        k = rng.choice(len(self.weights), size=n, p=self.weights)
        sigma = np.broadcast_to(self.sigma, self.means.shape)
        x = self.means[k] + sigma[k] * rng.standard_normal((n, self.dimension))
        return (x, k) if labelled else x

    def sample_labelled(self, n, rng):
        """x as `sample` returns it, and k (n,), int64: the component that each sample came from."""
        return self.draw(check_integer("n", n, 1), as_generator(rng), labelled=True)

    def _log_density(self, x):
        sigma = np.broadcast_to(self.sigma, self.means.shape)
        z = (x[:, None, :] - self.means) / sigma  # (n, K, d)
        log_peak = -np.log(sigma).sum(axis=1) - 0.5 * self.dimension * math.log(2 * math.pi)  # (K,)
        # Far from every mode each exp(...) underflows to 0, so the sum is taken in log space.
        return logsumexp(log_peak - 0.5 * (z * z).sum(axis=2), b=self.weights, axis=1)


def _constant(values):
    """A float64 copy that cannot be written to."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
