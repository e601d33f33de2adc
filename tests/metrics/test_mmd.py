"""The MMD test against the loss of the same name, sums written out, and its promised error rate."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from minigan import get_backend, mmd_squared
from minigan.metrics import median_distance, mmd_test


def run(x, y, seed=0, **options):
    return mmd_test(x, y, np.random.default_rng(seed), **options)


def normal(n, d, seed=0, shift=0.0, scale=1.0):
    return shift + scale * np.random.default_rng(seed).normal(size=(n, d))


@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_is_the_unbiased_loss(n, m, d, seed):
    x, y = normal(n, d, seed), normal(m, d, seed + 1)
    found = run(x, y, bandwidths=[0.5, 2.0], permutations=1).mmd_squared
    loss, _ = mmd_squared(x, y, [0.5, 2.0], backend=get_backend("numpy"), unbiased=True)
    assert found == pytest.approx(loss, abs=1e-12)


def test_by_hand():
    """k(0, 1) = k(2, 3) = e^−½ within; between: distances 2, 3, 1, 2."""
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    k = lambda r: np.exp(-(r**2) / 2)  # noqa: E731
    expected = 2 * k(1) - (2 * k(2) + k(3) + k(1)) / 2
    assert run(x, y, bandwidths=[1]).mmd_squared == pytest.approx(expected, rel=1e-14)


def test_the_p_value_counts_all_relabellings():
    """With 4 + 3 points there are 35; many shuffles must find their share."""
    x, y = normal(4, 2), normal(3, 2, 1, shift=1)
    points, backend = np.concatenate([x, y]), get_backend("numpy")
    values = []
    for chosen in itertools.combinations(range(7), 4):
        rest = [i for i in range(7) if i not in chosen]
        value, _ = mmd_squared(
            points[list(chosen)], points[rest], [1.0], backend=backend, unbiased=True
        )
        values.append(value)
    share = np.mean(np.array(values) >= values[0] - 1e-12)
    found = run(x, y, bandwidths=[1.0], permutations=20000)
    assert found.p_value == pytest.approx(share, abs=4 * np.sqrt(share / 20000))
    assert 0 < share < 1


@pytest.mark.parametrize("n, m", [(300, 2), (2, 300), (120, 130)])
@pytest.mark.parametrize("scale, offset", [(1, 0), (1e-6, 0), (1e6, 0), (1, 1000)])
def test_where_all_labellings_are_equal_rounding_does_not_tell_them_apart(n, m, scale, offset):
    """The corners of a simplex: one distance between any two, MMD² is 0 for all labels."""
    corners = scale * (np.eye(n + m) + offset)
    found = run(corners[:n], corners[n:], bandwidths=[0.7 * scale, scale], permutations=200)
    assert found.p_value == 1
    assert found.mmd_squared == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n, m", [(400, 2), (2, 400), (400, 30)])
def test_sums_of_very_different_sizes_keep_their_digits(n, m):
    x, y = normal(n, 2), normal(m, 2, 1)
    k = lambda a, b: np.exp(-cdist(a, b, "sqeuclidean") / 2)  # noqa: E731
    xx, yy = (math.fsum(k(a, a).ravel()) - len(a) for a in (x, y))
    exact = xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * math.fsum(k(x, y).ravel()) / (n * m)
    found = run(x, y, bandwidths=[1], permutations=1).mmd_squared
    assert found == pytest.approx(exact, abs=1e-13)


def test_equal_distributions_are_rejected_as_often_as_promised():
    """P(p ≤ α) ≤ α: p is uniform on the multiples of 1 / 20."""
    rng = np.random.default_rng(0)
    p = [mmd_test(*rng.normal(size=(2, 8, 2)), rng, permutations=19).p_value for _ in range(1000)]
    counts = np.bincount(np.round(20 * np.array(p)).astype(int), minlength=21)[1:]
    assert counts.sum() == 1000
    assert stats.chisquare(counts).pvalue > 1e-3


def test_differences_are_found():
    x = normal(200, 2)
    least = 1 / 1001
    assert run(x, normal(200, 2, 1)).p_value > 0.05
    assert run(x, normal(200, 2, 1, shift=1)).p_value == least
    assert run(x, normal(200, 2, 1, scale=2)).p_value == least  # same mean
    modes = np.concatenate([normal(100, 2, 2, shift=-4), normal(100, 2, 3, shift=4)])
    assert run(modes, normal(200, 2, 4, shift=4)).p_value == least  # a mode dropped
    assert run(x, np.tile(normal(1, 2, 5), (200, 1))).p_value == least  # one sample, copied


def test_what_a_kernel_does_not_see_is_not_found():
    x, y = normal(100, 2), normal(100, 2, 1, shift=1)
    assert run(x, y, bandwidths=[1e-3]).p_value > 0.05
    assert run(x, y, bandwidths=[1.0]).p_value < 0.01


def test_identical_samples():
    x = normal(50, 3)
    found = run(x, x)
    # The pairs of a point with its own copy have k = 1 and are all in the third sum.
    assert found.mmd_squared < 0 and found.p_value > 0.99
    assert run(np.zeros((4, 1)), np.zeros((5, 1)), bandwidths=[1]).p_value == 1


def test_the_same_seed_gives_the_same_figures():
    x, y = normal(30, 2), normal(20, 2, 1)
    assert run(x, y, 3) == run(x, y, 3)
    assert run(x, y, 3).p_value != run(x, y, 4).p_value
    assert run(x, y, 3, permutations=99).p_value * 100 == pytest.approx(
        round(run(x, y, 3, permutations=99).p_value * 100)
    )


def test_median_distance():
    x = np.array([[0.0], [1.0], [3.0]])  # distances 1, 2, 3
    assert median_distance(x) == 2
    points = normal(9, 2)
    expected = run(points[:5], points[5:], bandwidths=[median_distance(points)])
    assert run(points[:5], points[5:]) == expected
    with pytest.raises(ValueError, match="pass bandwidths"):
        run(np.zeros((4, 1)), np.zeros((5, 1)))


def test_memory_is_as_stated():
    x, y, permutations = normal(300, 2), normal(300, 2, 1), 2000
    tracemalloc.start()
    run(x, y, bandwidths=[1.0], permutations=permutations)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 8 * 600**2 + 1.1 * 24 * 600 * permutations


@pytest.mark.parametrize(
    "x, options, error, message",
    [
        ([[0.0]], {}, TypeError, "x: expected a NumPy array"),
        (np.zeros((1, 2)), {}, ValueError, "at least 2 samples each, got 1 and 4"),
        (np.zeros((3, 1)), {}, ValueError, r"y: expected shape \(n, 1\)"),
        (np.zeros((3, 2)), {"permutations": 0}, ValueError, "permutations"),
        (np.zeros((3, 2)), {"bandwidths": []}, ValueError, "at least one"),
        (np.zeros((3, 2)), {"bandwidths": [0]}, ValueError, "bandwidths"),
    ],
)
def test_refuses(x, options, error, message):
    with pytest.raises(error, match=message):
        run(x, normal(4, 2), **options)
    with pytest.raises(TypeError, match="rng"):
        mmd_test(normal(3, 2), normal(4, 2), 0)
