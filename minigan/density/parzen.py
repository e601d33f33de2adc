"""The Parzen window: put a small Gaussian on every sample and average.

One number, the bandwidth, decides everything, and the samples under the window cannot choose it:
their likelihood always grows as it shrinks. So it is chosen by samples that were left out:

    bandwidths = np.geomspace(0.01, 1, 30)
    scores = leave_one_out(x, bandwidths)
    window = ParzenWindow(best_bandwidth(bandwidths, scores)).fit(x)

Goodfellow et al. (2014, arXiv:1406.2661, table 1) scored their generators, which have no density,
with such a window on their samples.
"""

import warnings

import numpy as np
from scipy.special import logsumexp

from minigan.checks import check_integer, check_number, check_rng, check_samples
from minigan.density.contract import Density
from minigan.density.distances import squared_distances

__all__ = [
    "ParzenWindow",
    "best_bandwidth",
    "hold_out",
    "k_fold",
    "leave_one_out",
    "silverman_bandwidth",
]


class ParzenWindow(Density):
    """p(x) = 1/n Σᵢ N(x; xᵢ, h² I) (Rosenblatt 1956; Parzen 1962; PRML, equation 2.250).

    An average of n densities is a density: it integrates to one whatever h is. bandwidth: h > 0,
    the standard deviation of the kernel, in the units of x. A small h shows every sample as a
    spike, a large h blurs the modes into one. `fit` only keeps the samples (n, d), which is also
    the cost: every query visits all n of them.
    """

    def __init__(self, bandwidth):
        self.bandwidth = check_number("bandwidth", bandwidth, 0, np.inf, low_open=True)

    def fit(self, x):
        """Keep a copy of x (n, d)."""
        self.samples = check_samples(x).copy()
        self.dimension = x.shape[1]
        return self

    def log_density(self, x):
        """log p(x) of x (n, d): (n,)."""
        return _log_densities(self.check_queries(x), self.samples, [self.bandwidth])[0]

    def sample(self, n, rng):
        """n samples, (n, d): one of those kept, chosen uniformly, plus h times normal noise."""
        self.check_draw(n, rng)
        centres = self.samples[rng.integers(len(self.samples), size=n)]
        return centres + self.bandwidth * rng.standard_normal(centres.shape)


def leave_one_out(x, bandwidths):
    """Score bandwidths (B,) on x (n, d) by leave-one-out log-likelihood: (B,) nats per sample.

        score(h) = 1/n Σᵢ log p₋ᵢ(xᵢ; h),    p₋ᵢ = the window on all samples but xᵢ

    (Habbema, Hermans & van den Broek 1974; Duin 1976). If xᵢ were not left out, its own kernel
    would give it a density of at least (2πh²)^(−d/2)/n, which grows without end as h → 0. The same
    happens where x holds copies of a sample.
    """
    x, bandwidths = check_samples(x), _check_bandwidths(bandwidths)
    if len(x) < 2:
        raise ValueError("x: expected at least 2 samples, as one is left out, got 1")
    return _log_densities(x, x, bandwidths, leave_out=True).mean(axis=1)


def hold_out(x, validation, bandwidths):
    """Score bandwidths (B,) for a window on x (n, d) by other samples (m, d): (B,) nats per sample.

        score(h) = 1/m Σᵢ log p(validationᵢ; h)

    For where there are samples to spare, or where x is not data but what a generator made. The
    distances are computed once for all bandwidths.
    """
    x, bandwidths = check_samples(x), _check_bandwidths(bandwidths)
    validation = check_samples(validation, x.shape[1], "validation")
    return _log_densities(validation, x, bandwidths).mean(axis=1)


def k_fold(x, bandwidths, folds, rng):
    """Score bandwidths (B,) on x (n, d) by k-fold log-likelihood: (B,) nats per sample.

    x is shuffled and cut into `folds` parts. Each part is scored by the window on the others. The
    scores are those of a window on n (folds − 1)/folds samples, whose best h is slightly larger.
    """
    x, bandwidths = check_samples(x), _check_bandwidths(bandwidths)
    check_integer("folds", folds, 2)
    check_rng(rng)
    if folds > len(x):
        raise ValueError(f"folds: expected at most the number of samples, {len(x)}, got {folds}")
    total = np.zeros(len(bandwidths))
    for held_out in np.array_split(rng.permutation(len(x)), folds):
        rest = np.delete(x, held_out, axis=0)
        total += _log_densities(x[held_out], rest, bandwidths).sum(axis=1)
    return total / len(x)


def best_bandwidth(bandwidths, scores):
    """The bandwidth with the highest score.

    Warns where that is the smallest or the largest one tried: the best one may then lie beyond, or,
    if it is the smallest, x holds copies.
    """
    bandwidths, scores = _check_bandwidths(bandwidths), np.asarray(scores)
    if scores.shape != bandwidths.shape or np.isnan(scores).any():
        raise ValueError(f"scores: expected one number per bandwidth, {bandwidths.shape}, no NaN")
    best = bandwidths[scores.argmax()]
    if len(bandwidths) > 1 and best in (bandwidths.min(), bandwidths.max()):
        warnings.warn(
            f"the best bandwidth, {best:g}, is at the edge of those tried: try a wider range",
            stacklevel=2,
        )
    return float(best)


def silverman_bandwidth(x):
    """h = s (4 / ((d + 2) n))^(1/(d + 4)) for x (n, d), s² the mean variance of its features.

    Silverman's rule (1986, section 4.3.2): the h of least mean integrated squared error if the
    data are Gaussian. It costs nothing, and is right where `Gaussian` fits as well. With several
    modes s measures the distance between them instead of their width, and the rule blurs them
    together. Cross-validation does not, at the price of n² kernel values for each h.
    """
    x = check_samples(x)
    n, d = x.shape
    if n < 2 or not np.ptp(x, axis=0).any():
        raise ValueError("x: expected at least 2 distinct samples")
    spread = np.sqrt(x.var(axis=0, ddof=1).mean())
    return float(spread * (4 / ((d + 2) * n)) ** (1 / (d + 4)))


def _log_densities(x, samples, bandwidths, leave_out=False):
    """log p(xᵢ; h) for each bandwidth h: (B, n), with `leave_out` for samples = x without xᵢ."""
    d, count = x.shape[1], len(samples) - leave_out
    result = np.empty((len(bandwidths), len(x)))
    for rows, squares in squared_distances(x, samples):
        if leave_out:
            own = np.arange(len(squares))
            squares[own, rows.start + own] = np.inf
        for b, h in enumerate(bandwidths):
            log_normalizer = np.log(count) + d * (np.log(h) + 0.5 * np.log(2 * np.pi))
            result[b, rows] = logsumexp(squares / (-2 * h * h), axis=1) - log_normalizer
    return result


def _check_bandwidths(bandwidths):
    """bandwidths as (B,) positive float64."""
    bandwidths = np.asarray(bandwidths, dtype=np.float64)
    positive = np.isfinite(bandwidths).all() and (bandwidths > 0).all()
    if bandwidths.ndim != 1 or len(bandwidths) == 0 or not positive:
        raise ValueError(f"bandwidths: expected finite numbers above 0, (B,), got {bandwidths}")
    return bandwidths
