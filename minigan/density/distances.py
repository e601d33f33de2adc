"""Squared distances between two large sets of points on the host, block by block.

All of them at once would be 8 n m bytes: 800 MB for 10,000 points in each set.
"""

import numpy as np
from scipy.spatial.distance import cdist

from minigan.distances import FEW, expanded

__all__ = ["BLOCK", "ROUNDING", "squared_distances"]

#: Distances held at once: 2²⁰ float64 are 8 MiB.
BLOCK = 2**20

#: A squared distance is right to this share of itself.
ROUNDING = 1e-12

#: Below this share of |x|² + |s|² a product has lost too many digits.
CANCELLED = 0.1


def squared_distances(x, samples):
    """|xᵢ − sⱼ|² for x (n, d) and samples (m, d) float64, some rows of x at a time.

    Yields the rows, a slice, and their distances, (rows, m), which the caller may overwrite. Each
    is right to `ROUNDING`, wherever the points lie: few features go by differences; many by a
    matrix product, and by differences again the pairs whose points are so close together that the
    product has lost their digits. That takes ten times as long if nearly all pairs are such, as
    in tight groups far apart.
    """
    rows = max(1, BLOCK // len(samples))
    middle = samples.mean(axis=0)
    centred = samples - middle
    norms = (centred * centred).sum(axis=1)
    for start in range(0, len(x), rows):
        block = x[start : start + rows]
        if x.shape[1] <= FEW:
            squares = cdist(block, samples, "sqeuclidean")
        else:
            seen = block - middle
            own = (seen * seen).sum(axis=1)
            squares = expanded(seen, own, centred, norms)
            close = np.nonzero(squares < CANCELLED * (own[:, None] + norms))
            squares[close] = _of_pairs(block, samples, *close)
        yield slice(start, start + len(block)), squares


def _of_pairs(x, samples, i, j):
    """|xᵢ − sⱼ|² for pairs (P,) of indices i and j, by differences: (P,)."""
    squares, together = np.empty(len(i)), max(1, BLOCK // (16 * x.shape[1]))
    for start in range(0, len(i), together):
        some = slice(start, start + together)
        differences = x[i[some]] - samples[j[some]]
        squares[some] = np.einsum("pd,pd->p", differences, differences)
    return squares
