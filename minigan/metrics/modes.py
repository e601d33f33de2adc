"""Mode coverage: how many modes of a Gaussian mixture a generator reaches, and how well.

The protocol of the synthetic experiments in VEEGAN (Srivastava et al. 2017, arXiv 1705.07761) and
PacGAN (Lin et al. 2018, arXiv 1712.04086), for the toys "ring" and "grid": draw 2,500 samples
from the generator, then

- a sample is *high quality* if it lies within 3 standard deviations of its nearest mode;
- a mode is *captured* if it is the nearest mode of at least one high-quality sample;
- with p_k the share of mode k among the high-quality samples, the *reverse KL* divergence
  from the uniform distribution over the K modes is  sum_k p_k log(p_k / (1/K)), in nats.

VEEGAN reports the mean of 5 runs, PacGAN that of 10 runs with its standard error.

What the figures do not say:

- Perfect data does not score 100 % high quality but 1 - exp(-3^2 / 2) = 98.89 %, the share of a
  2-D Gaussian within 3 sigma. A higher score means samples that are too tight: a generator that
  puts every mode's samples on a single point scores 100 %. The spread tells them apart.
- One stray sample captures a mode, so the number of modes grows with the number of samples:
  compare figures of 2,500 samples only. The reverse KL weighs the modes by their samples.
- The reverse KL ignores all samples that are not high quality, and is above zero even for
  perfect data: about (K - 1) / (2 * samples), 0.001 for the ring and 0.005 for the grid.
- It compares with equal weights, so the mixture's components must be equally likely.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

__all__ = ["ModeCoverage", "mode_coverage"]


@dataclass(frozen=True)
class ModeCoverage:
    """The result of `mode_coverage`.

    Attributes
    ----------
    modes : int
        Captured modes.
    modes_total : int
        K, all of them.
    high_quality : float
        Share of the samples that are high quality, in [0, 1].
    reverse_kl : float
        In nats, between 0 (all modes alike) and log K (a single one); infinity if there is no
        high-quality sample, as nothing is further from covering the modes.
    spread : float
        How wide the modes are, relative to the true ones: 1 for true data, below 1 for samples
        that are too tight, above 1 for too wide ones; NaN if there is no high-quality sample.
    counts : tuple of int
        High-quality samples of each mode, in the order of the means.
    """

    modes: int
    modes_total: int
    high_quality: float
    reverse_kl: float
    spread: float
    counts: tuple[int, ...]


def mode_coverage(
    samples: np.ndarray, means: np.ndarray, sigma: float, radius: float = 3.0
) -> ModeCoverage:
    """Compare samples with the modes of a mixture of isotropic Gaussians of equal weights.

    Parameters
    ----------
    samples : (n, d) NumPy array, on the host
        A generator's; 2,500 in the protocol.
    means : (K, d) array
        The modes' centres. Two of them must not lie within 2 sigma of each other, where their
        densities merge into a single mode.
    sigma : float
        The modes' standard deviation.
    radius : float
        The distance, in standard deviations, within which a sample is high quality.

    Notes
    -----
    The spread is the root mean square distance of the high-quality samples to their mode's
    centre, per axis, over what true data would give. For r = |x - mean| / sigma, which follows
    the chi distribution with d degrees of freedom (F_d its CDF), integration by parts gives

        E[r^2 | r < R] = d F_{d+2}(R) / F_d(R),

    in two dimensions 2 - R^2 / (exp(R^2 / 2) - 1), that is 1.899 for R = 3. So

        spread = sqrt(mean(|x - mean|^2) / (d sigma^2)) / sqrt(F_{d+2}(R) / F_d(R)).
    """
    samples, means = _check(samples, means, sigma, radius)
    n, d = samples.shape
    modes_total = len(means)

    distance, nearest = cKDTree(means).query(samples)
    good = distance <= radius * sigma
    counts = np.bincount(nearest[good], minlength=modes_total)

    if not good.any():
        reverse_kl, spread = math.inf, math.nan
    else:
        p = counts[counts > 0] / counts.sum()  # 0 log 0 = 0
        reverse_kl = float(np.sum(p * np.log(p * modes_total)))
        mean_square = np.mean((distance[good] / sigma) ** 2) / d
        spread = math.sqrt(mean_square / _truncated_mean_square(radius, d))

    return ModeCoverage(
        modes=int(np.count_nonzero(counts)),
        modes_total=modes_total,
        high_quality=float(np.count_nonzero(good) / n),
        reverse_kl=reverse_kl,
        spread=spread,
        counts=tuple(counts.tolist()),
    )


def _truncated_mean_square(radius, d):
    """E[r^2 | r < radius] / d for the norm r of a standard normal in d dimensions."""
    return stats.chi.cdf(radius, d + 2) / stats.chi.cdf(radius, d)


def _check(samples, means, sigma, radius):
    if not isinstance(samples, np.ndarray):
        raise TypeError(
            f"samples must be a NumPy array, got {type(samples).__name__}: metrics run on the "
            "host, copy a GPU's array there first"
        )
    samples = samples.astype(np.float64)
    means = np.asarray(means, dtype=np.float64)
    if means.ndim != 2 or 0 in means.shape:
        raise ValueError(f"means must have shape (K, d) with K, d >= 1, got {means.shape}")
    if samples.ndim != 2 or samples.shape[1] != means.shape[1] or len(samples) == 0:
        raise ValueError(
            f"samples must have shape (n, {means.shape[1]}) with n >= 1, got {samples.shape}"
        )
    for name, array in (("samples", samples), ("means", means)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} hold NaN or infinity")
    for name, number in (("sigma", sigma), ("radius", radius)):
        if np.ndim(number) != 0 or not (number > 0 and math.isfinite(number)):
            raise ValueError(f"{name} must be one positive, finite number, got {number}")
    close = cKDTree(means).query_pairs(2 * sigma)
    if close:
        i, j = min(close)
        raise ValueError(
            f"means {i} and {j} are within 2 sigma of each other and cannot be told apart "
            "(a ring whose angles include both 0 and 2 pi has this)"
        )
    return samples, means
