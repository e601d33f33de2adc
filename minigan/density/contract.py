"""What every density estimator promises, and the checks of what comes in.

`Density` holds the one thing that all estimators share: they know the dimension d of their
samples once they are fitted. `Known` makes a distribution of `scipy.stats` a member of the family,
for use where nothing has to be learned. The functions below are the argument checks.
"""

import numpy as np

from minigan.checks import check_integer

__all__ = [
    "Density",
    "Known",
    "NotFittedError",
    "check_binary",
    "check_rng",
    "check_samples",
]


class NotFittedError(RuntimeError):
    """An estimator was asked for what it has not learned yet."""


class Density:
    """A distribution over points of d numbers.

    Attributes
    ----------
    dimension : int or None
        d; None before `fit`.
    """

    dimension: int | None = None

    def check_fitted(self) -> None:
        """Raise NotFittedError before `fit`."""
        if self.dimension is None:
            name = type(self).__name__
            raise NotFittedError(f"this {name} has learned nothing yet: call fit first")

    def check_queries(self, x: np.ndarray, name: str = "x") -> np.ndarray:
        """Return x as (n, dimension) float64; raise if unfitted or if x does not fit."""
        self.check_fitted()
        return check_samples(x, self.dimension, name)

    def check_draw(self, n: int, rng: np.random.Generator) -> None:
        """Raise if unfitted, if n is no integer of at least 1, or if rng is no Generator."""
        self.check_fitted()
        check_integer("n", n, 1)
        check_rng(rng)


class Known(Density):
    """A distribution that is given, not learned, so there is no `fit`.

    Parameters
    ----------
    distribution
        A frozen continuous distribution of `scipy.stats`, for example `scipy.stats.norm(0, 1)` or
        `scipy.stats.multivariate_normal(mean, covariance)`.
    """

    def __init__(self, distribution):
        if not (hasattr(distribution, "logpdf") and hasattr(distribution, "rvs")):
            raise TypeError(
                "distribution must have logpdf and rvs, as a frozen continuous distribution of "
                f"scipy.stats has, got {type(distribution).__name__}"
            )
        self.distribution = distribution
        self.dimension = int(getattr(distribution, "dim", 1))

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Log-density of x (n, d): (n,)."""
        x = self.check_queries(x)
        return np.reshape(self.distribution.logpdf(x[:, 0] if x.shape[1] == 1 else x), len(x))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw n samples: (n, d)."""
        self.check_draw(n, rng)
        drawn = self.distribution.rvs(size=n, random_state=rng)
        return np.asarray(drawn, dtype=np.float64).reshape(n, self.dimension)


def check_samples(x, dimension: int | None = None, name: str = "x") -> np.ndarray:
    """Return x as a float64 array (n, d), n and d at least 1, every number finite.

    A vector (n,) is refused: it could be n samples of one number or one sample of n numbers, and
    a wrong guess would broadcast silently.
    """
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array (n, d), got {type(x).__name__}")
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {x.dtype}")
    if x.ndim != 2:
        hint = f"; for n samples of one number write {name}[:, None]" if x.ndim == 1 else ""
        raise ValueError(f"{name} must have shape (n, d), got {x.shape}{hint}")
    if 0 in x.shape:
        raise ValueError(f"{name} must hold at least one sample of one number, got {x.shape}")
    if dimension is not None and x.shape[1] != dimension:
        raise ValueError(f"{name} must have shape (n, {dimension}), got {x.shape}")
    x = x.astype(np.float64, copy=False)
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise ValueError(f"{name} must be finite, but row {row} holds NaN or infinity")
    return x


def check_binary(x: np.ndarray) -> np.ndarray:
    """Return x, checked to hold only 0 and 1."""
    wrong = (x != 0) & (x != 1)
    if wrong.any():
        raise ValueError(f"x must hold only 0 and 1, found {x[wrong][0]}")
    return x


def check_rng(rng) -> np.random.Generator:
    """Return rng, checked to be a NumPy Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator (numpy.random.default_rng(seed)), got {rng!r}"
        )
    return rng
