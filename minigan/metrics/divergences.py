"""Kullback-Leibler and Jensen-Shannon: what a GAN minimises, where both densities are known.

    KL(p ‖ q) = ∫ p log(p / q)                        maximum likelihood; p the data, q the model
    reverse KL = KL(q ‖ p)
    JS(p, q)  = ½ KL(p ‖ m) + ½ KL(q ‖ m),  m = (p + q) / 2          the minimax game's

(Kullback & Leibler 1951; Lin 1991, IEEE Trans. Inf. Theory 37; Goodfellow et al. 2014, theorem 1.)
In nats. KL punishes a model that misses a part of the data: it is infinite where q = 0 < p. The
reverse KL punishes samples where there are no data, but a missed mode costs only log(1 / share of
the data that is left). JS lies between 0 and log 2, which it reaches where the two do not overlap.

There are two ways to compute them. In the plane, on a grid: `divergences(grid.from_density(p),
grid.from_samples(fakes))`. In any dimension, if both densities are known: by sampling,
`estimate_divergences(p, q, n, rng)`. What the figures do not say:

- A grid compares the masses of cells, and KL, reverse KL and JS of cells are at most those of the
  densities: what differs within a cell does not count. Use cells smaller than the modes.
- Cell masses must sum to one; `divergences` refuses others. (GAN Lab's chart compares values of
  the true density at grid points that sum to 0.34: it never comes down to zero.)
- n samples in cells differ from the truth even if they come from it: their KL to it, `reverse_kl`,
  is about (cells with mass − 1) / 2n. And a cell that no sample has hit makes `kl` infinite.
  `smoothing` and `pseudocount` reduce both, but compare blurred distributions: blur both alike.
- The estimates by sampling are unbiased (a KL may even be negative), but where q is tiny, rare
  samples of p make up most of the sum, and before one is drawn the standard error is too small.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import rel_entr

from minigan.checks import check_integer, check_number, check_rng, check_samples
from minigan.tables import Figures

__all__ = [
    "Divergences",
    "Grid",
    "divergences",
    "divergences_from_log_ratios",
    "estimate_divergences",
]


@dataclass(frozen=True)
class Divergences(Figures):
    """Three divergences in nats, and their standard errors, in that order.

    An error is 0 where the masses are exact, and NaN where the divergence is infinite.
    """

    kl: float
    reverse_kl: float
    jensen_shannon: float
    errors: tuple = (0.0, 0.0, 0.0)


class Grid:
    """A window of the plane, extent = (xmin, xmax, ymin, ymax), in size × size cells.

    Masses are (size, size) float64 and sum to one; rows are y from below, columns are x, as
    `imshow(masses, origin="lower", extent=extent)` draws them.
    """

    def __init__(self, extent, size=100):
        self.extent = tuple(float(bound) for bound in extent)
        self.size = check_integer("size", size, 1)
        ordered = len(self.extent) == 4 and all(map(math.isfinite, self.extent))
        if not ordered or extent[0] >= extent[1] or extent[2] >= extent[3]:
            raise ValueError(f"extent: expected (xmin, xmax, ymin, ymax), got {extent}")

    def from_samples(self, x, smoothing=0.0, pseudocount=0.0):
        """The share of x (n, 2) in each cell.

        Samples outside are wrong, and must not vanish: they count in the nearest cell of the
        border. smoothing: the standard deviation, in the units of x, of a Gaussian by which the
        counts are blurred (reflected at the border, so that no mass is lost): a binned Parzen
        window. pseudocount: added to the count of each cell, so that none is empty.
        """
        x = check_samples(x, 2)
        smoothing = check_number("smoothing", smoothing, 0, math.inf)
        pseudocount = check_number("pseudocount", pseudocount, 0, math.inf)
        x0, x1, y0, y1 = self.extent
        across, up = x[:, 0].clip(x0, x1), x[:, 1].clip(y0, y1)
        counts, _, _ = np.histogram2d(up, across, self.size, ((y0, y1), (x0, x1)))
        counts = self._smooth(counts, smoothing) + pseudocount
        return counts / counts.sum()

    def from_density(self, distribution, smoothing=0.0, refine=4):
        """The mass of each cell under a distribution that has `log_density` ((n, 2) -> (n,)).

        A mean over refine × refine points in each cell, then normalized to the extent. smoothing:
        see `from_samples`. ValueError if no point has mass.
        """
        n = self.size * check_integer("refine", refine, 1)
        smoothing = check_number("smoothing", smoothing, 0, math.inf)
        x0, x1, y0, y1 = self.extent
        middles = (np.arange(n) + 0.5) / n
        x, y = np.meshgrid(x0 + (x1 - x0) * middles, y0 + (y1 - y0) * middles)
        log_p = distribution.log_density(np.stack([x, y], axis=2).reshape(-1, 2))
        peak = log_p.max()
        if not np.isfinite(peak):
            raise ValueError("distribution: it has no mass at the points of the grid")
        p = np.exp(log_p - peak).reshape(n, n)
        masses = p.reshape(self.size, refine, self.size, refine).sum(axis=(1, 3))
        masses = self._smooth(masses, smoothing)  # cell by cell, as samples are
        return masses / masses.sum()

    def _smooth(self, masses, smoothing):
        if not smoothing:
            return masses
        x0, x1, y0, y1 = self.extent
        cells = smoothing * self.size / np.array([y1 - y0, x1 - x0])
        return gaussian_filter(masses, cells, mode="reflect")


def divergences(p, q):
    """Σ p log(p / q) and the others, for the masses p and q of the same cells, of one shape.

    TypeError or ValueError for masses that are negative or do not sum to one.
    """
    p, q = _check_masses("p", p), _check_masses("q", q)
    if p.shape != q.shape:
        raise ValueError(f"p, q: expected one shape, got {p.shape} and {q.shape}")
    m = (p + q) / 2
    js = (rel_entr(p, m).sum() + rel_entr(q, m).sum()) / 2
    return Divergences(float(rel_entr(p, q).sum()), float(rel_entr(q, p).sum()), float(js))


def estimate_divergences(p, q, n, rng):
    """From n samples of each of p and q, which have `sample(n, rng)` and `log_density(x)`."""
    check_integer("n", n, 2)
    check_rng(rng)
    x, y = p.sample(n, rng), q.sample(n, rng)
    return divergences_from_log_ratios(
        p.log_density(x) - q.log_density(x), p.log_density(y) - q.log_density(y)
    )


def divergences_from_log_ratios(at_p, at_q):
    """From r = log(p / q) at samples of p (n,) and at samples of q (m,), n and m at least 2.

        KL = E_p r,    KL(q ‖ p) = −E_q r,
        JS = log 2 − ½ (E_p softplus(−r) + E_q softplus(r))

    r is the logit of the optimal discriminator, and the bracket its loss: so a discriminator's
    logits may be used as r. (They then bound JS from below, but neither KL.) The standard errors
    are those of means, √(variance / number); for JS, of two independent means.
    """
    at_p, at_q = _check_log_ratios("at_p", at_p, -1), _check_log_ratios("at_q", at_q, 1)
    loss_p, loss_q = np.logaddexp(0, -at_p), np.logaddexp(0, at_q)
    kl, reverse, p, q = (_mean_and_error(values) for values in (at_p, -at_q, loss_p, loss_q))
    js = math.log(2) - (p[0] + q[0]) / 2
    return Divergences(kl[0], reverse[0], js, (kl[1], reverse[1], math.hypot(p[1], q[1]) / 2))


def _mean_and_error(values):
    if not np.isfinite(values).all():
        return math.inf, math.nan
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _check_masses(name, masses):
    if not isinstance(masses, np.ndarray) or masses.dtype.kind != "f":
        raise TypeError(f"{name}: expected a NumPy array of floating-point masses")
    if not (masses >= 0).all():  # refuses NaN too
        raise ValueError(f"{name}: expected masses of at least 0, got negative ones or NaN")
    if abs(masses.sum() - 1) > 1e-6:
        raise ValueError(
            f"{name}: expected masses that sum to 1 (a density times the area of a cell, "
            f"normalized), got a sum of {masses.sum():g}"
        )
    return masses


def _check_log_ratios(name, ratios, impossible):
    """(n,) float64, n at least 2; the infinity of that sign cannot happen at a sample."""
    ratios = np.asarray(ratios, dtype=np.float64)
    if ratios.ndim != 1 or len(ratios) < 2:
        raise ValueError(f"{name}: expected shape (n,) with n >= 2, got {ratios.shape}")
    if np.isnan(ratios).any() or (ratios == impossible * math.inf).any():
        raise ValueError(f"{name}: got log-ratios that no sample can have: NaN, or density 0")
    return ratios
