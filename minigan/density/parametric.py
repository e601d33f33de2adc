"""Maximum likelihood: choose the parameters under which the data are most probable.

    θ̂ = argmax_θ  Σᵢ log p(xᵢ; θ)

Two cases in which the derivative can be set to zero by hand: the coin and the Gaussian. A GAN's
generator cannot be fitted this way, because nobody can write down p(x; θ) for it.
"""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrf
from scipy.special import xlog1py, xlogy

from minigan.checks import check_number, check_samples
from minigan.density.contract import Density, check_binary

__all__ = ["Bernoulli", "Gaussian", "covariance_factor", "gaussian_log_density"]


class Bernoulli(Density):
    """A coin: p(x) = pˣ (1 − p)¹⁻ˣ for x in {0, 1} (Bishop, PRML, section 2.1).

    With h heads among n tosses the log-likelihood is L(p) = h log p + (n − h) log(1 − p).
    Its derivative h/p − (n − h)/(1 − p) is zero at

        p̂ = h / n

    How sure is p̂? The Fisher information of one toss, the expected curvature −E[∂² log p(x)/∂p²],
    is I(p) = 1 / (p(1 − p)). The more sharply L peaks, the less p̂ scatters:

        standard error = 1/√(n I(p̂)) = √(p̂(1 − p̂)/n)

    750 heads in 1,000 tosses: p̂ = 0.75 ± 0.0137. The formula is for large n: after only heads or
    only tails it gives 0, which is wrong.

    `fit` keeps heads and tosses, all of the data that L depends on, and sets p and standard_error.
    """

    def fit(self, x):
        """Learn p from the tosses x (n, 1), each 0 or 1."""
        x = check_binary(check_samples(x, 1))
        self.heads, self.tosses = int(x.sum()), len(x)
        self.p = self.heads / self.tosses
        self.standard_error = float(np.sqrt(self.p * (1 - self.p) / self.tosses))
        self.dimension = 1
        return self

    def log_likelihood(self, p):
        """L(p) = h log p + (n − h) log(1 − p) of the data seen by `fit`, for an array of p.

        Its peak is at p̂. It is −inf where the data are impossible. ValueError outside [0, 1].
        """
        self.check_fitted()
        p = np.asarray(p, dtype=np.float64)
        if not ((p >= 0) & (p <= 1)).all():
            raise ValueError("p: expected numbers in [0, 1]")
        return xlogy(self.heads, p) + xlog1py(self.tosses - self.heads, -p)

    def log_density(self, x):
        """log p(x) = x log p + (1 − x) log(1 − p) of x (n, 1): (n,), log-probabilities."""
        x = check_binary(self.check_queries(x))[:, 0]
        return xlogy(x, self.p) + xlog1py(1 - x, -self.p)

    def sample(self, n, rng):
        """n tosses, (n, 1), each 0.0 or 1.0."""
        self.check_draw(n, rng)
        return (rng.random((n, 1)) < self.p).astype(np.float64)


class Gaussian(Density):
    """N(x; μ, Σ) = exp(−½ (x − μ)ᵀ Σ⁻¹ (x − μ)) / √((2π)ᵈ |Σ|) (PRML, section 2.3).

    The log-likelihood is −½ Σᵢ (xᵢ − μ)ᵀ Σ⁻¹ (xᵢ − μ) − n/2 log|Σ| + constant. Its derivative in μ,
    Σ⁻¹ Σᵢ (xᵢ − μ), is zero at the mean. Its derivative in Σ⁻¹, ½ (n Σ − Σᵢ (xᵢ − μ)(xᵢ − μ)ᵀ), is
    zero at the covariance (PRML, equations 2.121 and 2.122):

        μ̂ = 1/n Σᵢ xᵢ          Σ̂ = 1/n Σᵢ (xᵢ − μ̂)(xᵢ − μ̂)ᵀ + ε I

    The likelihood divides by n, not by n − 1: for ε = 0, Σ̂ is on average (n − 1)/n of Σ.
    regularization: ε ≥ 0, a variance. 0 is maximum likelihood; ε > 0 is needed where Σ̂ is singular.

    `fit` sets mean (d,), covariance (d, d), and factor (d, d): the lower triangle L of the
    Cholesky factorization Σ = L Lᵀ.
    """

    def __init__(self, *, regularization=0.0):
        self.regularization = check_number("regularization", regularization, 0, np.inf)

    def fit(self, x):
        """Learn from x (n, d). ValueError if the covariance is singular."""
        x = check_samples(x)
        n, d = x.shape
        # Subtracting a sample first leaves a constant feature with variance 0, not rounding noise.
        centred = x - x[0]
        shift = centred.mean(axis=0)
        centred -= shift
        covariance = centred.T @ centred / n + self.regularization * np.eye(d)
        self.factor = covariance_factor(
            covariance,
            f"the covariance of {n} samples in {d} dimensions",
            "drop that feature, give more samples than dimensions, or set regularization above 0",
        )
        self.mean, self.covariance = x[0] + shift, covariance
        self.dimension = d
        return self

    def log_density(self, x):
        """log N(x; μ, Σ) of x (n, d): (n,)."""
        return gaussian_log_density(self.check_queries(x), self.mean, self.factor)

    def sample(self, n, rng):
        """n samples, (n, d): x = μ + L z, z standard normal, has covariance L Lᵀ = Σ."""
        self.check_draw(n, rng)
        noise = rng.standard_normal((n, self.dimension))
        return self.mean + noise @ self.factor.T


def gaussian_log_density(x, mean, factor):
    """log N(x; μ, L Lᵀ) of x (n, d), with mean (d,) and factor L (d, d): (n,).

    With z = L⁻¹(x − μ), found by forward substitution, (x − μ)ᵀ Σ⁻¹ (x − μ) = zᵀz and
    log|Σ| = 2 Σⱼ log Lⱼⱼ. No inverse and no determinant is formed: the determinant of 784 pixels
    underflows long before its logarithm does.
    """
    z = solve_triangular(factor, (x - mean).T, lower=True)
    log_normalizer = np.log(np.diag(factor)).sum() + 0.5 * len(mean) * np.log(2 * np.pi)
    return -0.5 * (z * z).sum(axis=0) - log_normalizer


def covariance_factor(covariance, what, remedy):
    """The lower triangle L (d, d) with covariance = L Lᵀ.

    A Gaussian of singular covariance has no density: all its mass lies on a plane of zero volume.
    That is judged on the correlations, so that features may have any units. The square of the j-th
    diagonal entry of their factor is the share of feature j's variance which the features before
    it do not explain. ValueError names `what`, the first feature at fault and the `remedy`.
    """
    d = len(covariance)
    scale = np.sqrt(np.diag(covariance))
    if (scale == 0).any():
        feature = int(np.flatnonzero(scale == 0)[0])
        raise ValueError(f"{what} is singular: feature {feature} is constant; {remedy}")
    factor, failed = dpotrf(covariance / np.outer(scale, scale), lower=1, clean=1)
    unexplained = np.diag(factor)[: failed - 1 if failed else d] ** 2
    dependent = np.flatnonzero(unexplained <= 10 * d * np.finfo(np.float64).eps)
    if failed or len(dependent):
        feature = int(dependent[0]) if len(dependent) else failed - 1
        raise ValueError(
            f"{what} is singular: feature {feature} is a linear combination of the features "
            f"before it; {remedy}"
        )
    return scale[:, None] * factor
