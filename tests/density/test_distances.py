"""Every distance in a block is right to `ROUNDING` of itself, wherever the points lie."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from minigan.density import distances
from minigan.density.distances import ROUNDING, squared_distances
from minigan.distances import FEW

FEATURES = pytest.mark.parametrize("features", [1, 2, FEW, FEW + 1, 60])


def all_at_once(x, samples):
    return np.concatenate([squares for _, squares in squared_distances(x, samples)])


def exactly(x, samples):
    """Rational arithmetic, rounded once."""
    x, samples = ([[Fraction(float(v)) for v in row] for row in a] for a in (x, samples))
    return np.array(
        [[float(sum((p - q) ** 2 for p, q in zip(a, b, strict=True))) for b in samples] for a in x]
    )


def clouds(features, kind):
    rng = np.random.default_rng(0)
    x, samples = rng.normal(size=(6, features)), rng.normal(size=(7, features))
    if kind == "an outlier":
        x[0] = 1e7
        samples[2] = -3e8
    if kind == "tight groups":
        x[:3], samples[:4] = 1e5 + 1e-3 * x[:3], 1e5 + 1e-3 * samples[:4]
    if kind == "copies":
        samples[:4] = x[:4]
    if kind == "nearly copies":
        samples[:4] = x[:4] + 1e-9 * samples[:4]
    return x, samples


@FEATURES
@pytest.mark.parametrize("scale, offset", [(1, 0), (1e-9, 0), (1e9, 0), (1, 1e8)])
@pytest.mark.parametrize(
    "kind", ["one cloud", "an outlier", "tight groups", "copies", "nearly copies"]
)
def test_right_to_the_share_of_itself_that_is_promised(features, scale, offset, kind):
    x, samples = (scale * (a + offset) for a in clouds(features, kind))
    found, exact = all_at_once(x, samples), exactly(x, samples)
    np.testing.assert_allclose(found, exact, rtol=ROUNDING, atol=0)


@FEATURES
def test_blocks_of_any_size(features, monkeypatch):
    x, samples = clouds(features, "tight groups")
    whole = all_at_once(x, samples)
    for block in (1, 15, 200):
        monkeypatch.setattr(distances, "BLOCK", block)
        np.testing.assert_allclose(all_at_once(x, samples), whole, rtol=ROUNDING)
        assert [rows.start for rows, _ in squared_distances(x, samples)][:1] == [0]


def test_memory_is_bounded_where_all_points_are_close(monkeypatch):
    """1,000 × 1,000 pairs of 100 features: their differences together would be 800 MB."""
    monkeypatch.setattr(distances, "BLOCK", 2**16)  # 0.5 MiB
    x = 1e6 + np.random.default_rng(0).normal(size=(1000, 100))
    x[0] = 0
    tracemalloc.start()
    for _ in squared_distances(x, x):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * x.nbytes + 8 * 2**19
