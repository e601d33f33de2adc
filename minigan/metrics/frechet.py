"""The Fréchet distance: how far apart are two clouds of features, each taken for a Gaussian?

Between N(m₁, C₁) and N(m₂, C₂) the Wasserstein-2 distance has a closed form (Dowson & Landau
1982, J. Multivariate Anal. 12):

    d² = |m₁ − m₂|² + tr C₁ + tr C₂ − 2 tr (C₁ C₂)^½

On features of an Inception network d² is known as FID (Heusel et al. 2017, arXiv:1706.08500,
equation 6), and it is the square that everybody reports as "the distance"; so does this module.

What the figures do not say:

- They are in the units of the features, squared: another classifier, another scale. Compare
  figures of one classifier only, and put the floor beside them, the distance of real test images
  from real training images.
- Only means and covariances count. A cloud of another shape with the same two is at distance 0.
- Small samples look further away than they are. For samples of n and m points of one Gaussian
  whose covariance has the eigenvalues λ, to first order in 1/n and 1/m,

      E d² = (1/n + 1/m) ( Σᵢ λᵢ + ½ Σᵢⱼ (1 + δᵢⱼ) λᵢ λⱼ / (λᵢ + λⱼ) ),

  which is (1/n + 1/m) D (D + 5) / 4 for D independent features of variance 1: with D = 128 and
  n = m 0.85 at 10,000 points and 8.5 at 1,000. Compare figures of equally many samples only.
"""

import numpy as np

from minigan.density.contract import check_samples

__all__ = ["frechet_distance", "gaussian_frechet_distance"]


def frechet_distance(x, y):
    """d² between Gaussians with the means and covariances of features x (n, d) and y (m, d).

    Covariances divide by n − 1 and m − 1; n and m are at least 2, and may be below d. The
    covariances themselves are not computed: with x − mean = Q R (Q's columns orthonormal), the
    covariance is Rᵀ R / (n − 1), and Rᵀ / √(n − 1) is the factor that
    `gaussian_frechet_distance` takes a square root to find. So no digits are lost to singular
    covariances here.

    Raises TypeError or ValueError for what is not two NumPy arrays of finite numbers (n, d).
    """
    x = check_samples(x)
    y = check_samples(y, x.shape[1], "y")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"x and y: expected at least 2 samples each, got {len(x)} and {len(y)}")
    return _distance(*_moments(x), *_moments(y))


def gaussian_frechet_distance(mean1, covariance1, mean2, covariance2):
    """d² between N(mean1, covariance1) and N(mean2, covariance2), shapes (d,) and (d, d).

    A covariance with the eigenvalues λ and the eigenvectors V has the factor A = V √λ, C = A Aᵀ.

    An eigenvalue that is 0 comes out of `eigh` as up to ±5 ε λ_max (measured for d up to 1000;
    ε = 2.2e-16 for float64), and the square root of that would cost half of the digits. So an
    eigenvalue of at most 4 √d ε λ_max is taken for 0: 1.4e-14 of the largest one for 256 features.
    If it was 0, d² keeps its digits. If it was not, d² is wrong by at most 2 √(λ μ) + λ, μ being
    the variance of the other Gaussian in its direction. `frechet_distance` has no such limit.

    Raises ValueError where shapes do not fit or a covariance is not symmetric with eigenvalues of
    at least 0 (both to half of the digits, √ε of the largest entry).
    """
    mean1, factor1 = _check(mean1, covariance1, 1)
    mean2, factor2 = _check(mean2, covariance2, 2)
    if mean1.shape != mean2.shape:
        raise ValueError(f"mean2: expected shape {mean1.shape} as mean1, got {mean2.shape}")
    return _distance(mean1, factor1, mean2, factor2)


def _distance(mean1, factor1, mean2, factor2):
    """d² from the means and factors A of the covariances C = A Aᵀ, (d,) and (d, rank).

    Without the square root of a matrix that need not be symmetric: the eigenvalues of
    C₁ C₂ = A₁ (A₁ᵀ A₂) A₂ᵀ are those of (A₁ᵀ A₂)(A₁ᵀ A₂)ᵀ (XY and YX share their nonzero
    eigenvalues), so with the singular value decomposition A₁ᵀ A₂ = U S Vᵀ

        tr (C₁ C₂)^½ = tr S,      tr C₁ + tr C₂ − 2 tr S = |A₁ U − A₂ V|²,

    the sum of the squares of all entries, where the factor of lower rank has zeros for the columns
    that it lacks. As differences it keeps its digits where the covariances are nearly equal, and
    is never negative. Nothing is inverted and nothing complex appears.
    """
    u, _, vt = np.linalg.svd(factor1.T @ factor2)
    a, b = factor1 @ u, factor2 @ vt.T
    rank = min(a.shape[1], b.shape[1])
    parts = mean1 - mean2, a[:, :rank] - b[:, :rank], a[:, rank:], b[:, rank:]
    return float(sum((part * part).sum() for part in parts))


def _moments(x):
    """The mean (d,) of samples x (n, d), and a factor (d, min(n, d)) of their covariance."""
    mean = x.mean(axis=0)
    return mean, np.linalg.qr(x - mean, mode="r").T / np.sqrt(len(x) - 1)


def _check(mean, covariance, which):
    """The mean, and a factor A (d, d) of the covariance A Aᵀ, from its eigenvectors."""
    mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance)
    # A covariance in float32 was rounded to float32, whatever is computed with it.
    epsilon = np.finfo(np.float32 if covariance.dtype == np.float32 else np.float64).eps
    covariance = covariance.astype(np.float64)
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)) or not len(mean):
        raise ValueError(
            f"mean{which} and covariance{which}: expected shapes (d,) and (d, d), got "
            f"{mean.shape} and {covariance.shape}"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError(f"mean{which} and covariance{which}: expected finite numbers")
    tolerance = np.sqrt(epsilon) * np.abs(covariance).max()
    if np.abs(covariance - covariance.T).max() > tolerance:
        raise ValueError(f"covariance{which}: expected a symmetric matrix")
    eigenvalues, vectors = np.linalg.eigh(covariance)
    if eigenvalues[0] < -tolerance * len(mean):
        raise ValueError(
            f"covariance{which}: expected eigenvalues of at least 0, got {eigenvalues[0]:g}"
        )
    eigenvalues[eigenvalues <= 4 * np.sqrt(len(mean)) * epsilon * eigenvalues[-1]] = 0
    return mean, vectors * np.sqrt(eigenvalues)
