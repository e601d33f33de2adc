"""What every density estimator promises, and the checks of what comes in.

`Density` holds what all estimators share: they know the dimension d of their samples once they
are fitted. `Known` makes a distribution of `scipy.stats` a member of the family, for use where
nothing has to be learned.
"""

import numpy as np

from minigan.checks import check_integer, check_rng, check_samples

__all__ = ["Density", "Known", "NotFittedError", "check_binary"]


class NotFittedError(RuntimeError):
    """An estimator was asked for what it has not learned yet."""


class Density:
    """A distribution over points of `dimension` numbers, which is None before `fit`."""

    dimension = None

    def check_fitted(self):
        """NotFittedError before `fit`."""
        if self.dimension is None:
            name = type(self).__name__
            raise NotFittedError(f"this {name} has learned nothing yet: call fit first")

    def check_queries(self, x, name="x"):
        """x as float64 (n, dimension); an error if this is not fitted or x does not fit."""
        self.check_fitted()
        return check_samples(x, self.dimension, name)

    def check_draw(self, n, rng):
        """An error if this is not fitted, n no integer of at least 1, or rng no Generator."""
        self.check_fitted()
        check_integer("n", n, 1)
        check_rng(rng)


class Known(Density):
    """A distribution that is given, not learned, so there is no `fit`.

    distribution: a frozen continuous distribution of `scipy.stats`, such as
    `scipy.stats.norm(0, 1)` or `scipy.stats.multivariate_normal(mean, covariance)`.
    """

    def __init__(self, distribution):
        if not (hasattr(distribution, "logpdf") and hasattr(distribution, "rvs")):
            raise TypeError(
                "distribution: expected logpdf and rvs, as a frozen continuous distribution of "
                f"scipy.stats has, got {type(distribution).__name__}"
            )
        self.distribution = distribution
        self.dimension = int(getattr(distribution, "dim", 1))

    def log_density(self, x):
        """The log-density of x (n, d): (n,)."""
        x = self.check_queries(x)
        return np.reshape(self.distribution.logpdf(x[:, 0] if x.shape[1] == 1 else x), len(x))

    def sample(self, n, rng):
        """n samples, (n, d)."""
        self.check_draw(n, rng)
        drawn = self.distribution.rvs(size=n, random_state=rng)
        return np.asarray(drawn, dtype=np.float64).reshape(n, self.dimension)


def check_binary(x):
    """x, which may hold only 0 and 1."""
    wrong = (x != 0) & (x != 1)
    if wrong.any():
        raise ValueError(f"x: expected only 0 and 1, got {x[wrong][0]}")
    return x
