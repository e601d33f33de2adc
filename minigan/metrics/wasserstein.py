"""The Wasserstein-1 distance between two samples, exactly, and its sliced relative.

W1(P, Q) is the least total distance over which mass must be moved to turn P into Q:

    W_p(P, Q)ᵖ = inf E |x − y|ᵖ over all joint distributions of x ~ P and y ~ Q

(Villani 2009, "Optimal transport", definition 6.1), here with p = 1 and the Euclidean distance.
A critic estimates it from below (Arjovsky et al. 2017, arXiv:1701.07875, equation 2), and these
functions tell how good such an estimate is. It is in the units of the data.

What the figures do not say. They are distances between two samples, not between the distributions
that these come from. On average the former is larger: two samples of one distribution differ, by
about n^(−1/2) for d = 1, but n^(−1/d) for d > 2 (Fournier & Guillin 2015, arXiv:1312.2128,
theorem 1): 1,000 times the samples for a tenth of the bias in d = 3. So

- compare figures of equally many samples only, and put the distance of two real samples of that
  size beside them: that is the score of a perfect generator, and it is not 0;
- compare a critic's estimate with the exact distance of the same samples that it saw;
- in high dimensions (images) the bias is larger than what is to be measured.

Samples are NumPy arrays of finite numbers, (n, d); TypeError or ValueError for anything else.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from minigan.checks import as_generator, check_integer, check_number, check_samples

__all__ = ["sliced_wasserstein", "wasserstein_1d", "wasserstein_assignment"]


def wasserstein_1d(x, y):
    """W1 between samples x (n, 1) and y (m, 1): the area between their distribution functions.

        W1 = ∫ |F_x(t) − F_y(t)| dt

    (Vallender 1974, Theory Probab. Appl. 18). n and m may differ. O(n log n) time. For more
    dimensions use `wasserstein_assignment`.
    """
    x, y = check_samples(x, 1), check_samples(y, 1, "y")
    return float(wasserstein_distance(x[:, 0], y[:, 0]))


def wasserstein_assignment(x, y):
    """W1 between samples x (n, d) and y (n, d) of equal size: the cheapest way to pair them.

        W1 = min over permutations s of 1/n Σᵢ |xᵢ − y_s(i)|

    Among equally many equal masses some optimal plan splits none of them (Peyré & Cuturi 2019,
    arXiv:1803.00567, proposition 2.1), so that it is a permutation. O(n³) time and n² numbers of
    memory: for up to some thousand samples.
    """
    x, y = _check_pairs(x, y)
    cost = cdist(x, y)
    return float(cost[linear_sum_assignment(cost)].mean())


def sliced_wasserstein(x, y, projections, rng, p=1):
    """The sliced distance SW_p between samples x (n, d) and y (n, d) of equal size.

        SW_p = (mean over θ of W_p(xθ, yθ)ᵖ)^(1/p),   p ≥ 1

    over `projections` directions θ, drawn uniformly from the unit sphere by `rng`, a generator or
    a seed. On a line the smallest is paired with the smallest, so W_p(a, b)ᵖ = 1/n Σᵢ |aᵢ − bᵢ|ᵖ
    of the sorted samples (Bonneel et al. 2015, J. Math. Imaging Vis. 51).

    It costs O(n log n) per direction, and its bias is that of one dimension. But it is another
    distance: SW_p ≤ W_p, and a direction sees only the part |cos| |s| of a shift s, so that
    SW_1 = (2/π) |s| for d = 2 and about √(2 / (π d)) |s| for large d: never compare values across
    dimensions. Few projections add noise, and in high dimensions all may miss what differs.
    """
    x, y = _check_pairs(x, y)
    projections = check_integer("projections", projections, 1)
    p = check_number("p", p, 1, float("inf"))
    theta = as_generator(rng).standard_normal((x.shape[1], projections))
    theta /= np.linalg.norm(theta, axis=0)
    x, y = x - y[0], y - y[0]  # far from 0, products with θ would lose digits that the data have
    distances = np.abs(np.sort(x @ theta, axis=0) - np.sort(y @ theta, axis=0))
    largest = distances.max()
    if largest == 0:
        return 0.0
    # Powers of numbers up to 1: those of the distances may overflow, or all be 0.
    return float(largest * ((distances / largest) ** p).mean() ** (1 / p))


def _check_pairs(x, y):
    """Two samples of one shape."""
    x = check_samples(x)
    y = check_samples(y, x.shape[1], "y")
    if len(x) != len(y):
        raise ValueError(f"x, y: expected equally many samples, got {len(x)} and {len(y)}")
    return x, y
