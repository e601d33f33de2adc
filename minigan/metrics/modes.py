"""Mode coverage: how many modes of a Gaussian mixture a generator reaches, and how well.

The protocol of the synthetic experiments in VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and
PacGAN (Lin et al. 2018, arXiv:1712.04086), for the toys "ring" and "grid": draw 2,500 samples
from the generator, then

- a sample is *high quality* if it lies within 3 standard deviations of its nearest mode;
- a mode is *captured* if it is the nearest mode of at least one high-quality sample;
- with pₖ the share of mode k among the high-quality samples, the *reverse KL* divergence from the
  uniform distribution over the K modes is Σₖ pₖ log(pₖ / (1/K)), in nats.

VEEGAN reports the mean of 5 runs, PacGAN that of 10 runs with its standard error.

What the figures do not say:

- Perfect data does not score 100 % high quality but 1 − exp(−3² / 2) = 98.89 %, the share of a
  2-D Gaussian within 3 σ. A higher score means samples that are too close to the modes: a
  generator that puts every mode's samples on a single point scores 100 %. The width shows that.
- The spread does not always show it: it is taken about the true centre, so that a single point at
  a distance of σ√d from it has a spread of about 1. The width is about the samples' own centre.
- One stray sample captures a mode, so the number of modes grows with the number of samples:
  compare figures of 2,500 samples only. The reverse KL weighs the modes by their samples.
- The reverse KL ignores all samples that are not high quality, and is above zero even for
  perfect data: about (K − 1) / 2n for n samples, 0.001 for the ring and 0.005 for the grid.
- It compares with equal weights, so it is for mixtures whose components are equally likely.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

from minigan.checks import check_number, check_samples
from minigan.tables import Figures

__all__ = ["ModeCoverage", "mode_coverage"]


@dataclass(frozen=True)
class ModeCoverage(Figures):
    """modes, of modes_total, are captured; high_quality is a share of the samples, in [0, 1].

    reverse_kl: in nats, between 0 (all modes alike) and log K (a single one); infinity if there is
    no high-quality sample. spread: how far samples are from the true centre of their mode, relative
    to true data: 1 for such, less for samples that are too close to the modes; NaN if none is of
    high quality. width: the same from the centre of the mode's samples: 1 for true data, 0 where
    every mode is a point, wherever it lies; NaN where no mode has two samples.
    counts: the high-quality samples of each mode, in the order of the means.
    """

    modes: int
    modes_total: int
    high_quality: float
    reverse_kl: float
    spread: float
    width: float
    counts: tuple


def mode_coverage(samples, means, sigma, radius=3.0):
    """Compare a generator's samples (n, d) with the modes of a mixture of Gaussians.

    means: (K, d), the centres of the modes, which are equally likely. sigma: σ, the standard
    deviation of each mode along each axis. radius: R, the distance, in σ, within which a sample is
    high quality. ValueError if two means are within 2 σ of each other, where their densities merge
    into one mode, and TypeError or ValueError for samples that are no finite NumPy array (n, d).

    The spread is the root mean square distance of the high-quality samples to their mode's centre,
    per axis, over what true data would give. For r = |x − mean| / σ, which follows the chi
    distribution with d degrees of freedom (F_d its distribution function), integration by parts
    gives

        E[r² | r < R] = d F_{d+2}(R) / F_d(R)

    in two dimensions 2 − R² / (exp(R² / 2) − 1), that is 1.899 for R = 3. So

        spread = √(mean |x − mean|² / (d σ²)) / √(F_{d+2}(R) / F_d(R))

    With x̄ₖ, the mean of the high-quality samples of mode k, in place of the mode's centre, and
    therefore n − K in place of n, for n such samples in K captured modes,

        width = √(Σ |x − x̄ₖ|² / ((n − K) d σ²)) / √(F_{d+2}(R) / F_d(R))
    """
    means = check_samples(np.asarray(means, dtype=np.float64), name="means")
    samples = check_samples(samples, means.shape[1], "samples")
    sigma = check_number("sigma", sigma, 0, math.inf, low_open=True)
    radius = check_number("radius", radius, 0, math.inf, low_open=True)
    close = cKDTree(means).query_pairs(2 * sigma)
    if close:
        i, j = min(close)
        raise ValueError(
            f"means: {i} and {j} are within 2 sigma of each other and cannot be told apart "
            "(a ring whose angles include both 0 and 2π has this)"
        )
    n, d = samples.shape
    modes_total = len(means)

    distance, nearest = cKDTree(means).query(samples)
    good = distance <= radius * sigma
    counts = np.bincount(nearest[good], minlength=modes_total)

    if not good.any():
        reverse_kl, spread, width = math.inf, math.nan, math.nan
    else:
        p = counts[counts > 0] / counts.sum()  # 0 log 0 = 0
        reverse_kl = float(np.sum(p * np.log(p * modes_total)))
        expected = d * sigma**2 * _truncated_mean_square(radius, d)
        spread = math.sqrt(np.mean(distance[good] ** 2) / expected)
        width = math.sqrt(_square_within(samples[good], nearest[good]) / expected)

    return ModeCoverage(
        modes=int(np.count_nonzero(counts)),
        modes_total=modes_total,
        high_quality=float(np.count_nonzero(good) / n),
        reverse_kl=reverse_kl,
        spread=spread,
        width=width,
        counts=tuple(counts.tolist()),
    )


def _square_within(samples, labels):
    """|x − x̄ₖ|² of samples (n, d) about the means of their K groups, over n − K; or NaN."""
    groups, members = np.unique(labels, return_inverse=True)
    indicator = members == np.arange(len(groups))[:, None]
    means = indicator @ samples / indicator.sum(axis=1, keepdims=True)
    free = len(samples) - len(groups)
    return np.sum((samples - means[members]) ** 2) / free if free else math.nan


def _truncated_mean_square(radius, d):
    """E[r² | r < radius] / d for the norm r of a standard normal in d dimensions."""
    return stats.chi.cdf(radius, d + 2) / stats.chi.cdf(radius, d)
