"""The MMD two-sample test: could these two samples come from one distribution?

The maximum mean discrepancy, here without bias (Gretton et al. 2012, JMLR 13, equation 3), is

    MMD² = 1/n(n−1) Σ_{i≠j} k(xᵢ, xⱼ) + 1/m(m−1) Σ_{i≠j} k(yᵢ, yⱼ) − 2/nm Σᵢⱼ k(xᵢ, yⱼ),

with k(a, b) = Σ_s exp(−|a − b|² / 2s²). Its value means little by itself: it depends on the
kernel and on the number of samples, and for equal distributions it is often negative. So ask how
unusual it is. If both samples come from one distribution, which of the n + m points are called x
is chance: shuffle the labels, and the p-value is the share of shuffles whose MMD² is at least as
large. (`minigan.mmd_squared` is the same distance as a loss, with its gradient.)

What the p-value does not say:

- A small one says that there is a difference, not that it is large: with enough samples every
  generator fails. A large one may only mean few samples, or a kernel of the wrong width: if it is
  much narrower than the distances between points, no two points look alike; if much wider, all do.
- It cannot be below 1 / (permutations + 1).
- It holds for independent samples. A generator that repeats itself is no problem; neighbouring
  points of a walk are.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist, pdist

from minigan.checks import check_integer, check_number, check_rng, check_samples
from minigan.tables import Figures

__all__ = ["MMDTest", "median_distance", "mmd_test"]


@dataclass(frozen=True)
class MMDTest(Figures):
    """MMD², without bias, and the share of shuffles that reached it, in (0, 1]."""

    mmd_squared: float
    p_value: float


def mmd_test(x, y, rng, *, bandwidths=None, permutations=1000):
    """Test whether x (n, d) and y (m, d) come from one distribution; n and m at least 2.

        p = (1 + #{shuffles with MMD² at least that of the labels as they are}) / (1 + shuffles)

    The 1 counts the labels as they are: with it, P(p ≤ α) ≤ α for equal distributions, exactly
    and for any n (Phipson & Smyth 2010, arXiv:1603.05766).

    bandwidths: the widths s of the kernel; without them one, `median_distance` of all points,
    which shuffling does not change. rng: a generator; the same state gives the same p.

    Memory: 24 (n + m)² bytes for the kernel matrix and 24 bytes per point and shuffle. TypeError
    or ValueError for what is not two NumPy arrays of finite numbers (n, d) and (m, d).
    """
    x = check_samples(x)
    y = check_samples(y, x.shape[1], "y")
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise ValueError(f"x, y: expected at least 2 samples each, got {n} and {m}")
    permutations = check_integer("permutations", permutations, 1)
    check_rng(rng)
    points = np.concatenate([x, y])
    kernel = _kernel(points, [median_distance(points)] if bandwidths is None else bandwidths)
    is_x = np.zeros((n + m, 1 + permutations))  # one column for each labelling
    is_x[:n] = 1  # the first: as they are
    is_x[:, 1:] = rng.permuted(is_x[:, 1:], axis=0)
    values = _mmd_squared(kernel, is_x, n, m)
    # Two labellings of equal value may differ by rounding, of sums of some (n + m)² terms.
    reached = np.count_nonzero(values[1:] >= values[0] - 1e-12 * kernel.max())
    return MMDTest(float(values[0]), (1 + reached) / (1 + permutations))


def median_distance(x):
    """The median distance between two of the points x (n, d): Gretton's choice of a bandwidth.

    ValueError if it is 0: half of the pairs are copies.
    """
    median = float(np.median(pdist(check_samples(x))))
    if median == 0:
        raise ValueError("x: half of the pairs are copies of each other: pass bandwidths")
    return median


def _kernel(points, bandwidths):
    """k (N, N) of all pairs, 0 on the diagonal."""
    bandwidths = [check_number("bandwidths", s, 0, math.inf, low_open=True) for s in bandwidths]
    if not bandwidths:
        raise ValueError("bandwidths: expected at least one")
    squares = cdist(points, points, "sqeuclidean")
    kernel = sum(np.exp(squares * (-0.5 / s**2)) for s in bandwidths)
    np.fill_diagonal(kernel, 0)
    return kernel


def _mmd_squared(kernel, is_x, n, m):
    """MMD² for each column a of is_x (N, B), which is 1 for x and 0 for y.

    The sums over pairs come from products with K: Σ k(x, x) = aᵀKa, Σ k(x, y) = aᵀb for
    b = K1 − Ka, and Σ k(y, y) = 1ᵀb − aᵀb: what is left of some n m pairs, not of all (n + m)², so
    that two samples y keep their digits beside thousands of x.
    """
    near_x = kernel @ is_x
    xx = np.einsum("ib,ib->b", is_x, near_x)
    near_y = np.subtract(kernel.sum(axis=1)[:, None], near_x, out=near_x)
    xy = np.einsum("ib,ib->b", is_x, near_y)
    yy = near_y.sum(axis=0) - xy
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)
