"""What a data distribution can do: draw samples and, where a formula exists, say its density.

`Distribution` fixes the interface; a subclass writes `_sample` and, if its density has a closed
form, `_log_density`. `GaussianMixture` is the subclass that mode-collapse experiments need: its
modes are known, so that a generator's samples can be counted mode by mode.

Everything here is float64 and lives on the host. Points are always (n, d), also for d = 1.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
from scipy.special import logsumexp

__all__ = ["Distribution", "GaussianMixture"]


class Distribution(ABC):
    """A probability distribution on R^d that can be sampled.

    Attributes
    ----------
    name : str
    dimension : int
        d, the number of coordinates of a sample.
    extent : tuple of float
        The window that holds practically all of the mass, for plotting: (xmin, xmax) for d = 1,
        (xmin, xmax, ymin, ymax) for d = 2, one such pair per axis beyond.
    has_density : bool
        Whether `log_density` and `density` exist. Only exact, closed-form densities count.
    """

    has_density = False

    def __init__(self, name: str, dimension: int, extent):
        if len(extent) != 2 * dimension or not all(map(math.isfinite, extent)):
            raise ValueError(
                f"{name}: extent must hold 2 finite numbers per axis, {2 * dimension} for "
                f"dimension {dimension}, got {extent}"
            )
        if any(low >= high for low, high in zip(extent[::2], extent[1::2], strict=True)):
            raise ValueError(f"{name}: extent must be (min, max) for each axis, got {extent}")
        self.name = name
        self.dimension = dimension
        self.extent = tuple(float(bound) for bound in extent)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, dimension {self.dimension}>"

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n independent samples, (n, d) float64. The same state of rng, the same bits."""
        _check_draw(n, rng)
        return self._sample(int(n), rng)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) in nats for points x of shape (n, d): (n,) float64, -inf outside the support.

        Raises NotImplementedError where the density has no closed form (see `has_density`).
        """
        if not self.has_density:
            raise NotImplementedError(f"{self.name} has no density in closed form, only samples")
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise ValueError(
                f"{self.name}: expected points of shape (n, {self.dimension}), got {x.shape}"
            )
        if not np.isfinite(x).all():
            raise ValueError(f"{self.name}: the points hold NaN or infinity")
        return self._log_density(x)

    def density(self, x: np.ndarray) -> np.ndarray:
        """p(x) for points x of shape (n, d): (n,) float64."""
        return np.exp(self.log_density(x))

    @abstractmethod
    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, d) float64; n and rng are checked."""

    def _log_density(self, x: np.ndarray) -> np.ndarray:
        """(n,) float64; x is checked. A subclass that has this sets has_density."""
        raise NotImplementedError


class GaussianMixture(Distribution):
    """A mixture of K Gaussians without correlations between the axes.

    p(x) = sum_k w_k prod_j N(x_j; mu_kj, sigma_kj^2)

    Parameters
    ----------
    means : (K, d) array
    sigma : float or (K, d) array
        The standard deviation: one number for isotropic components that are all alike (the usual
        case, and the only one that mode coverage is defined for), or one per component and axis.
    weights : (K,) array, optional
        Probabilities of the components; equal if not given.
    extent : tuple of float, optional
        By default the means' bounding box and 5 standard deviations around it.

    Attributes
    ----------
    means, weights : as above, float64, read-only.
    sigma : float if a number was given, else (K, d) float64, read-only.
    """

    has_density = True

    def __init__(self, means, sigma, weights=None, *, name="gaussian-mixture", extent=None):
        self.means = _check_means(means)
        components, dimension = self.means.shape
        self.sigma = _check_sigma(sigma, self.means.shape)
        self.weights = _check_weights(weights, components)
        if extent is None:
            low = (self.means - 5 * self.sigma).min(axis=0)
            high = (self.means + 5 * self.sigma).max(axis=0)
            extent = np.stack([low, high], axis=1).ravel()
        super().__init__(name, dimension, extent)

    def sample_labelled(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """As `sample`, together with the component that each sample came from.

        Returns x (n, d) float64 and k (n,) int64 with 0 <= k < K. For the same state of rng,
        x is what `sample` returns.
        """
        _check_draw(n, rng)
        k = rng.choice(len(self.weights), size=int(n), p=self.weights)
        sigma = np.broadcast_to(self.sigma, self.means.shape)
        return self.means[k] + sigma[k] * rng.standard_normal((int(n), self.dimension)), k

    def _sample(self, n, rng):
        return self.sample_labelled(n, rng)[0]

    def _log_density(self, x):
        sigma = np.broadcast_to(self.sigma, self.means.shape)
        z = (x[:, None, :] - self.means) / sigma  # (n, K, d)
        log_peak = -np.log(sigma).sum(axis=1) - 0.5 * self.dimension * math.log(2 * math.pi)  # (K,)
        # Far from every mode each exp(...) underflows to 0, so the sum is taken in log space.
        return logsumexp(log_peak - 0.5 * (z * z).sum(axis=2), b=self.weights, axis=1)


def _check_draw(n, rng):
    """Refuse a number of samples, or a source of randomness, that cannot be drawn with."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"the number of samples must be an integer, got {n!r}")
    if n < 1:
        raise ValueError(f"the number of samples must be at least 1, got {n}")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")


def _check_means(means):
    means = np.array(means, dtype=np.float64)
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(f"means must have shape (K, d) with K, d >= 1, got {means.shape}")
    if not np.isfinite(means).all():
        raise ValueError("means must be finite")
    return _read_only(means)


def _check_sigma(sigma, shape):
    sigma = np.array(sigma, dtype=np.float64)
    if sigma.shape not in ((), shape):
        raise ValueError(f"sigma must be one number or have shape {shape}, got {sigma.shape}")
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError(f"sigma must be positive and finite, got {sigma}")
    return float(sigma) if sigma.ndim == 0 else _read_only(sigma)


def _check_weights(weights, components):
    if weights is None:
        return _read_only(np.full(components, 1 / components))
    weights = np.array(weights, dtype=np.float64)
    if weights.shape != (components,):
        raise ValueError(
            f"weights must have shape ({components},), one per component, got {weights.shape}"
        )
    if not (weights >= 0).all():  # also refuses NaN
        raise ValueError(f"weights must not be negative, got {weights}")
    if abs(weights.sum() - 1) > 1e-9:
        raise ValueError(f"weights must sum to one, they sum to {weights.sum()}")
    return _read_only(weights)


def _read_only(array):
    array.flags.writeable = False
    return array
