"""Precision and recall: good images, or all kinds of images? One number cannot tell.

The support of a distribution is guessed from its samples: the union of balls around them, each
reaching to the k-th nearest other sample of the same set. Then (Kynkäänniemi et al. 2019,
arXiv:1904.06991, equations 1 and 2)

    precision = share of fakes inside the real support       (1: every fake is a possible image)
    recall    = share of real samples inside the fakes'      (1: every image can come out)

One outlier has a huge ball, and every sample in it counts as good. So Naeem et al. (2020,
arXiv:2002.09797, equations 3 and 4) use balls around real samples only, and count how many:

    density  = mean over fakes of (number of real balls that it is in) / k
    coverage = share of real balls with a fake inside

What the figures do not say:

- A generator that copies the training images scores 1, and a density of (k + 1) / k: none of the
  figures shows it.
- Distances between pixels say little about images: use features (`Classifier`).
- All of them depend on k and on the numbers of samples, and even perfect fakes do not score 1. For
  equal distributions and n samples of each, density is 1 on average (it may exceed 1), coverage
  1 − Π_{i<k} (n − 1 − i)/(2n − 1 − i), about 1 − 2⁻ᵏ: 0.875 for k = 3, 0.969 for k = 5. Precision
  and recall depend on the data; put those of real against real samples beside them.
- k = 3 is Kynkäänniemi's choice, 5 Naeem's.
"""

from dataclasses import dataclass

import numpy as np

from minigan.checks import check_integer, check_samples
from minigan.density.distances import ROUNDING, squared_distances
from minigan.tables import Figures

__all__ = ["PrecisionRecall", "precision_recall"]


@dataclass(frozen=True)
class PrecisionRecall(Figures):
    """Four shares; all but `density` in [0, 1]."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(real, fake, k=3):
    """Compare the k-nearest-neighbour balls of real samples (n, d) with those of fakes (m, d).

    A ball includes its edge. O((n + m)² d) time; memory grows with n + m only, as distances are
    computed in blocks: two sets of 10,000 with 128 features take seconds.

    TypeError or ValueError for what is not two NumPy arrays of finite numbers (n, d) and (m, d),
    or where k is not below n and m.
    """
    real = check_samples(real, name="real")
    fake = check_samples(fake, real.shape[1], "fake")
    k = check_integer("k", k, 1)
    if k >= min(len(real), len(fake)):
        sizes = f"{len(real)} and {len(fake)}"
        raise ValueError(f"k: expected less than the numbers of samples, {sizes}, got {k}")
    # A ball includes its edge, which rounding must not decide.
    edge = 1 + 2 * ROUNDING
    real_radii, fake_radii = edge * _squared_radii(real, k), edge * _squared_radii(fake, k)
    balls = np.empty(len(fake), int)  # real ones that each fake is in
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, squares in squared_distances(fake, real):
        in_real = squares <= real_radii
        balls[rows] = in_real.sum(axis=1)
        covered |= in_real.any(axis=0)
        recalled |= (squares <= fake_radii[rows, None]).any(axis=0)
    return PrecisionRecall(
        precision=float((balls > 0).mean()),
        recall=float(recalled.mean()),
        density=float(balls.mean() / k),
        coverage=float(covered.mean()),
    )


def _squared_radii(x, k):
    """The squared distance of each of x (n, d) to its k-th nearest other: (n,)."""
    radii = np.empty(len(x))
    for rows, squares in squared_distances(x, x):
        own = np.arange(len(squares))
        squares[own, rows.start + own] = np.inf
        radii[rows] = np.partition(squares, k - 1, axis=1)[:, k - 1]
    return radii
