"""Distances: squared ones against exact rational numbers, at any place and scale; and L1."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.distances import FEW, l1_distance, squared_distances, weighted_differences

DTYPES = st.sampled_from(["float32", "float64"])


def exactly(a, b):
    """Σⱼ (aⱼ − bⱼ)² of two points, without rounding."""
    return sum((Fraction(float(p)) - Fraction(float(q))) ** 2 for p, q in zip(a, b, strict=True))


def points(seed, features, offset, scale, dtype):
    """Points a and b around `offset` on a cube of that scale, half of b close to one of a."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(5, features)), rng.normal(size=(6, features))
    b[:3] = a[:3] + 1e-4 * b[:3]
    b[0] = a[0]
    return [(scale * (offset + p)).astype(dtype) for p in (a, b)]


@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.integers(1, FEW),
    offset=st.sampled_from([0, 1, 1e3, 1e6]),
    scale=st.sampled_from([1e-12, 1e-3, 1, 1e3, 1e12]),
    dtype=DTYPES,
)
def test_few_features_keep_all_digits(seed, features, offset, scale, dtype):
    a, b = points(seed, features, offset, scale, dtype)
    found = squared_distances(a, b)
    assert found.dtype == dtype
    eps = np.finfo(dtype).eps
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            exact = exactly(p, q)
            assert abs(Fraction(float(found[i, j])) - exact) <= (features + 2) * eps * exact
    assert found[0, 0] == 0


@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.integers(FEW + 1, 40),
    offset=st.sampled_from([0, 1, 1e3]),
    scale=st.sampled_from([1e-12, 1, 1e12]),
    dtype=DTYPES,
)
def test_many_features_are_right_beside_their_extent(seed, features, offset, scale, dtype):
    """Wherever the points lie. A negative square would be a kernel value above 1."""
    a, b = points(seed, features, offset, scale, dtype)
    exact = np.array([[float(exactly(p, q)) for q in b] for p in a])
    found = squared_distances(a, b)
    assert found.dtype == dtype and (found >= 0).all()
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found, exact, rtol=0, atol=features * eps * exact.max())


@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.sampled_from([1, 2, FEW, FEW + 1, 30]),
    offset=st.sampled_from([0, 1e3]),
    dtype=DTYPES,
)
def test_weighted_differences(seed, features, offset, dtype):
    a, b = points(seed, features, offset, 1, dtype)
    weights = np.random.default_rng(seed).random((5, 6)).astype(dtype)
    wide = [p.astype(np.longdouble) for p in (weights, a, b)]
    exact = (wide[0][:, :, None] * (wide[2] - wide[1][:, None])).sum(axis=1)
    found = weighted_differences(weights, a, b, np)
    assert found.dtype == dtype and found.shape == a.shape
    error = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, exact.astype(float), rtol=error, atol=10 * error)


@pytest.mark.parametrize("features", [2, 2 * FEW])
def test_arguments_are_left_alone(features):
    a, b = points(0, features, 1, 1, "float64")
    before = a.copy(), b.copy()
    squared_distances(a, b)
    weighted_differences(np.ones((5, 6)), a, b, np)
    assert (a == before[0]).all() and (b == before[1]).all()


def test_l1_is_a_mean_with_its_slope():
    y, t = np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[1.0, 1.0], [2.0, 2.5]])
    value, gradient = l1_distance(y, t, np)
    assert value == (0 + 3 + 1 + 2) / 4
    np.testing.assert_array_equal(gradient, [[0, -0.25], [0.25, -0.25]])
    steps = 1e-6 * np.eye(4).reshape(4, 2, 2)
    slopes = [(l1_distance(y + h, t, np)[0] - l1_distance(y - h, t, np)[0]) / 2e-6 for h in steps]
    np.testing.assert_allclose(np.reshape(slopes, (2, 2)), gradient, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_l1_as_in_pytorch(dtype):
    torch = pytest.importorskip("torch")
    y, t = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(dtype)
    there = torch.tensor(y, requires_grad=True)
    loss = torch.nn.L1Loss()(there, torch.tensor(t))
    loss.backward()
    value, gradient = l1_distance(y, t, np)
    assert np.isclose(value, loss.item(), rtol=1e-6)
    np.testing.assert_allclose(gradient, there.grad.numpy(), rtol=1e-6)
