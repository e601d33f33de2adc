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


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """d² between Gaussians with the means and covariances of features x (n, d) and y (m, d).

    Covariances divide by n − 1 and m − 1; n and m of at least 2, and may be below d.

    Raises TypeError or ValueError for what is not two NumPy arrays of finite numbers (n, d).
    """
    x = check_samples(x)
    y = check_samples(y, x.shape[1], "y")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"x and y need at least 2 samples each, got {len(x)} and {len(y)}")
    moments = [(a.mean(axis=0), np.atleast_2d(np.cov(a, rowvar=False))) for a in (x, y)]
    return gaussian_frechet_distance(*moments[0], *moments[1])


def gaussian_frechet_distance(
    mean1: np.ndarray, covariance1: np.ndarray, mean2: np.ndarray, covariance2: np.ndarray
) -> float:
    """d² between N(mean1, covariance1) and N(mean2, covariance2), shapes (d,) and (d, d).

    The trace without the square root of a matrix that need not be symmetric: with any factors
    C = A Aᵀ, the eigenvalues of C₁ C₂ = A₁ (A₁ᵀ A₂) A₂ᵀ are those of (A₁ᵀ A₂)(A₁ᵀ A₂)ᵀ (XY and YX
    share their nonzero eigenvalues), the squares of the singular values of A₁ᵀ A₂. So

        tr (C₁ C₂)^½ = Σ singular values of A₁ᵀ A₂ .

    Nothing is inverted, nothing complex appears, and singular covariances need no help; where the
    usual `sqrtm(C1 @ C2)` loses half of the digits to a singular product, this loses none.

    Raises ValueError where shapes do not fit or a covariance is not symmetric with eigenvalues of
    at least 0 (up to rounding).
    """
    mean1, factor1 = _check(mean1, covariance1, 1)
    mean2, factor2 = _check(mean2, covariance2, 2)
    if mean1.shape != mean2.shape:
        raise ValueError(f"the means have different shapes {mean1.shape} and {mean2.shape}")
    shift = mean1 - mean2
    overlap = np.linalg.svd(factor1.T @ factor2, compute_uv=False).sum()
    d2 = shift @ shift + (factor1**2).sum() + (factor2**2).sum() - 2 * overlap
    return max(float(d2), 0.0)  # equal Gaussians: rounding may leave a tiny negative number


def _check(mean, covariance, which):
    """The mean, and a factor A (d, d) of the covariance A Aᵀ, from its eigenvectors."""
    mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)) or not len(mean):
        raise ValueError(
            f"mean{which} and covariance{which} must have shapes (d,) and (d, d), got "
            f"{mean.shape} and {covariance.shape}"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError(f"mean{which} or covariance{which} holds NaN or infinity")
    tolerance = 1e-8 * np.abs(covariance).max()
    if np.abs(covariance - covariance.T).max() > tolerance:
        raise ValueError(f"covariance{which} is not symmetric")
    eigenvalues, vectors = np.linalg.eigh(covariance)
    if eigenvalues[0] < -tolerance * len(mean):
        raise ValueError(f"covariance{which} has a negative eigenvalue, {eigenvalues[0]:g}")
    return mean, vectors * np.sqrt(eigenvalues.clip(0))
