"""Distances: squared, between points, with the digits that the points have; and L1, as a loss.

    |a − b|² = Σⱼ (aⱼ − bⱼ)²  =  |a|² + |b|² − 2 a·b

The sum of differences is right to its last digits, however far from 0 the points lie and however
close together. The other form turns all pairs into one matrix product, for images ten times
faster. But its terms cancel: each is as large as the squared extent of the data, and so is what
they lose in rounding. So few features go by differences, and many by the product, seen from the
middle of the points. The arrays may be of any backend.
"""

__all__ = [
    "FEW",
    "by_differences",
    "by_product",
    "expanded",
    "l1_distance",
    "squared_distances",
    "weighted_differences",
]

#: Points of so many features go by differences: a product would hardly be faster.
FEW = 8


def squared_distances(a, b):
    """|aᵢ − bⱼ|² for points a (n, d) and b (m, d): (n, m)."""
    return by_differences(a, b) if a.shape[1] <= FEW else by_product(a, b)


def by_differences(a, b):
    """Σⱼ (aⱼ − bⱼ)²: each is right to the last digits."""
    squares = (a[:, :1] - b[:, 0]) ** 2
    for j in range(1, a.shape[1]):
        difference = a[:, j, None] - b[:, j]
        difference *= difference
        squares += difference
    return squares


def by_product(a, b):
    """|a|² + |b|² − 2 a·b: each is right to about eps (|a|² + |b|²), from the mean of b."""
    middle = b.mean(axis=0)
    a, b = a - middle, b - middle
    return expanded(a, (a * a).sum(axis=1), b, (b * b).sum(axis=1))


def expanded(a, norms_a, b, norms_b):
    """The same, not from the mean, with the squared norms |a|² (n,) and |b|² (m,) at hand."""
    squares = a @ b.T
    squares *= -2
    squares += norms_a[:, None]
    squares += norms_b
    return squares.clip(0, None, out=squares)


def l1_distance(y, target, xp):
    """mean |y − t| over all numbers, and its gradient with respect to y: sign(y − t) / size.

    At y = t, where |·| has a kink, the gradient counts as 0. Its size does not depend on how large
    the error is, so that a small one is not forgiven, as by a square, and a large one not feared:
    pictures become sharper (Isola et al. 2017, arXiv:1611.07004, section 3.1).
    """
    difference = y - target
    return abs(difference).mean(), xp.sign(difference) / difference.size


def weighted_differences(weights, a, b, xp):
    """Σⱼ wᵢⱼ (bⱼ − aᵢ) for weights (n, m), points a (n, d) and b (m, d): (n, d).

    Here too few features go by differences, and many by a product: Σⱼ wᵢⱼ bⱼ − aᵢ Σⱼ wᵢⱼ.
    """
    if a.shape[1] > FEW:
        middle = b.mean(axis=0)
        return weights @ (b - middle) - (a - middle) * weights.sum(axis=1)[:, None]
    sums = xp.empty_like(a)
    for j in range(a.shape[1]):
        sums[:, j] = (weights * (b[:, j] - a[:, j, None])).sum(axis=1)
    return sums
