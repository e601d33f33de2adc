"""Squared distances between two sets of points, block by block.

All of them at once would be 8 n m bytes: 800 MB for 10,000 points in each set.
"""

import numpy as np

__all__ = ["BLOCK", "squared_distances"]

# Distances held at once: 2²⁰ float64 are 8 MiB.
BLOCK = 2**20


def squared_distances(x, samples):
    """|xᵢ − sⱼ|² for x (n, d) and samples (m, d) float64, some rows of x at a time.

    Yields the rows, a slice, and their distances, (rows, m), which the caller may overwrite.

    |x − s|² = |x|² + |s|² − 2 x·s turns them into a matrix product, for images ten times faster
    than differences. But the three terms cancel: a distance is right to about 1e-8 of the extent
    of the data. The mean of the samples is subtracted from both first, so that this does not
    depend on how far from 0 the data lie.
    """
    centre = samples.mean(axis=0)
    samples = samples - centre
    norms = (samples * samples).sum(axis=1)
    rows = max(1, BLOCK // len(samples))
    for start in range(0, len(x), rows):
        block = x[start : start + rows] - centre
        squares = block @ samples.T
        squares *= -2
        squares += (block * block).sum(axis=1)[:, None]
        squares += norms
        yield slice(start, start + len(block)), np.maximum(squares, 0, out=squares)
