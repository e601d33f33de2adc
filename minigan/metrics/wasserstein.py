"""The Wasserstein-1 distance between two samples, exactly, and its sliced relative.

W1(P, Q) is the least total distance over which mass must be moved to turn P into Q:

    W_p(P, Q)^p = inf over couplings pi of E_(x, y) ~ pi |x - y|^p

(Villani 2009, "Optimal transport", definition 6.1), here with p = 1 and the Euclidean distance.
It is what a critic estimates from below (Arjovsky et al. 2017, arXiv:1701.07875, equation 2), so
these functions are the yardstick of such an estimate. It is in the units of the data.

What the figures do not say. They are distances between two *samples*, the empirical measures, not
between the distributions behind them. On average the former is larger: two samples of one
distribution lie apart, by about n^(-1/2) for d = 1, but n^(-1/d) for d > 2 (Fournier & Guillin
2015, arXiv:1312.2128, theorem 1): 1000 times the samples for a tenth of the bias in d = 3. So

- compare figures of equally many samples only, and put the distance of two *real* samples of that
  size beside them: that is the score of a perfect generator, and it is not 0;
- hold a critic's estimate against the exact distance of the same samples that it saw;
- in high dimensions (images) the bias drowns what is to be measured.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from minigan.checks import as_generator, check_integer, check_number

__all__ = ["sliced_wasserstein", "wasserstein_1d", "wasserstein_assignment"]


def wasserstein_1d(x: np.ndarray, y: np.ndarray) -> float:
    """W1 between samples x (n, 1) and y (m, 1): the area between their distribution functions.

        W1 = integral |F_x(t) - F_y(t)| dt

    (Vallender 1974, Theory Probab. Appl. 18). n and m may differ. O(n log n).

    Raises TypeError or ValueError for what is not a NumPy array of finite numbers (n, 1).
    """
    x, y = _check(x, y)
    if x.shape[1] != 1:
        raise ValueError(
            f"x and y must have shape (n, 1), got {x.shape}: use wasserstein_assignment for more "
            "dimensions"
        )
    return float(wasserstein_distance(x[:, 0], y[:, 0]))


def wasserstein_assignment(x: np.ndarray, y: np.ndarray) -> float:
    """W1 between samples x (n, d) and y (n, d) of equal size: the cheapest way to pair them.

        W1 = min over permutations s of  mean_i |x_i - y_s(i)|

    Among equally many equal masses some optimal plan splits none of them (Peyré & Cuturi 2019,
    arXiv:1803.00567, proposition 2.1), so that it is a permutation. O(n^3) time and n^2 numbers
    of memory: fit for up to some thousand samples.

    Raises TypeError or ValueError for what is not two NumPy arrays of finite numbers (n, d).
    """
    x, y = _check(x, y)
    _check_equal_size(x, y)
    cost = cdist(x, y)
    return float(cost[linear_sum_assignment(cost)].mean())


def sliced_wasserstein(
    x: np.ndarray, y: np.ndarray, projections: int, rng: np.random.Generator, p: float = 1
) -> float:
    """The sliced distance SW_p between samples x (n, d) and y (n, d) of equal size.

        SW_p = (mean over theta of W_p(x theta, y theta)^p)^(1/p),

    over `projections` directions theta drawn uniformly from the unit sphere by `rng`. On a line
    the smallest goes with the smallest, so W_p(a, b)^p = mean_i |a_(i) - b_(i)|^p of the sorted
    samples (Bonneel et al. 2015, J. Math. Imaging Vis. 51). p >= 1.

    Cheap, O(n log n) a direction, and its bias is that of one dimension. But it is another
    distance: SW_p <= W_p, and a direction sees little of a shift s, |cos| |s|, so that
    SW_1 = (2 / pi) |s| for d = 2 and about sqrt(2 / (pi d)) |s| for large d: never compare values
    across dimensions. Few projections add noise, and in high dimensions may all miss what differs.

    Raises TypeError or ValueError for what is not two NumPy arrays of finite numbers (n, d).
    """
    x, y = _check(x, y)
    _check_equal_size(x, y)
    projections = check_integer("projections", projections, 1)
    p = check_number("p", p, 1, float("inf"))
    theta = as_generator(rng).standard_normal((x.shape[1], projections))
    theta /= np.linalg.norm(theta, axis=0)
    distances = np.abs(np.sort(x @ theta, axis=0) - np.sort(y @ theta, axis=0))
    return float((distances**p).mean() ** (1 / p))


def _check(x, y):
    """Both in float64, checked."""
    for name, array in (("x", x), ("y", y)):
        if not isinstance(array, np.ndarray):
            raise TypeError(
                f"{name} must be a NumPy array, got {type(array).__name__}: metrics run on the "
                "host, copy a GPU's array there first"
            )
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{name} must have shape (n, d) with n, d >= 1, got {array.shape}")
        if array.dtype.kind not in "fiu":
            raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x and y must have one dimension, got shapes {x.shape} and {y.shape}")
    return x.astype(np.float64), y.astype(np.float64)


def _check_equal_size(x, y):
    if len(x) != len(y):
        raise ValueError(f"x and y must have equally many samples, got {len(x)} and {len(y)}")
