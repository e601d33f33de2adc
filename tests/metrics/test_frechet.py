"""The Fréchet distance against closed forms, SciPy's matrix square root, and its own bias."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from minigan.metrics import frechet_distance, gaussian_frechet_distance, wasserstein_1d

SEEDS = st.integers(0, 2**32 - 1)


def random_gaussian(rng, d, rank=None):
    a = rng.normal(size=(d, d if rank is None else rank))
    return rng.normal(size=d), a @ a.T


@given(SEEDS, st.integers(1, 8))
def test_is_the_published_formula(seed, d):
    rng = np.random.default_rng(seed)
    (m1, c1), (m2, c2) = random_gaussian(rng, d), random_gaussian(rng, d)
    root = linalg.sqrtm(c1 @ c2).real  # Heusel et al. 2017, equation 6, as they compute it
    expected = (m1 - m2) @ (m1 - m2) + np.trace(c1 + c2 - 2 * root)
    assert gaussian_frechet_distance(m1, c1, m2, c2) == pytest.approx(expected, rel=1e-6)


def test_one_dimension_by_hand():
    """(m₁ − m₂)² + (σ₁ − σ₂)²."""
    found = gaussian_frechet_distance([1.0], [[4.0]], [-2.0], [[25.0]])
    assert found == pytest.approx(3**2 + (5 - 2) ** 2, rel=1e-14)


def test_covariances_that_commute():
    """With the same axes, Σ (√λ − √μ)²."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    a, b = np.array([1.0, 4.0, 9.0, 0.0]), np.array([16.0, 1.0, 9.0, 25.0])
    found = gaussian_frechet_distance(np.zeros(4), turn * a @ turn.T, np.ones(4), turn * b @ turn.T)
    assert found == pytest.approx(4 + 9 + 1 + 0 + 25, rel=1e-12)


@given(SEEDS, st.integers(2, 40))
def test_axes_in_common_some_without_extent(seed, d):
    """As above for any d: eigenvalues that are 0 cost no digits, in one covariance or in both."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    a, b = (rng.exponential(size=d) * (rng.random(d) < 0.5) for _ in "12")
    found = gaussian_frechet_distance(np.zeros(d), turn * a @ turn.T, np.ones(d), turn * b @ turn.T)
    assert found == pytest.approx(d + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum(), rel=1e-12)


@given(SEEDS, st.integers(2, 40))
def test_covariances_of_any_rank(seed, d):
    """From factors C = A Aᵀ: tr C₁ + tr C₂ − 2 Σ singular values of A₁ᵀ A₂."""
    rng = np.random.default_rng(seed)
    one, two = (rng.normal(size=(d, rng.integers(1, d // 2 + 1))) for _ in "12")
    c1, c2, mean = one @ one.T, two @ two.T, np.zeros(d)
    expected = np.trace(c1) + np.trace(c2) - 2 * linalg.svdvals(one.T @ two).sum()
    scale = np.trace(c1) + np.trace(c2)
    assert gaussian_frechet_distance(mean, c1, mean, c2) == pytest.approx(
        expected, abs=1e-13 * scale
    )
    assert gaussian_frechet_distance(mean, c1, mean, c1) == pytest.approx(0, abs=1e-13 * scale)


@given(SEEDS, st.integers(2, 40))
def test_fewer_samples_than_features(seed, d):
    """n − 1 of the d eigenvalues are not 0; the same samples lie at distance 0 to all digits."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(rng.integers(2, d + 1), d)) + 100, rng.normal(size=(3, d))
    u, v = ((a - a.mean(axis=0)) / math.sqrt(len(a) - 1) for a in (x, y))
    shift = x.mean(axis=0) - y.mean(axis=0)
    overlap = linalg.svdvals(u @ v.T).sum()
    expected = shift @ shift + (u**2).sum() + (v**2).sum() - 2 * overlap
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-13)
    assert frechet_distance(x, x[::-1]) == pytest.approx(0, abs=1e-13 * (u**2).sum())


@given(SEEDS)
def test_covariances_in_float32(seed):
    """They are rounded to 6e-8, and the eigenvalues that should be 0 are as large, ±."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(2, 12, 3)).astype("float32")
    c1, c2, mean = one @ one.T, two @ two.T, np.zeros(12)
    assert c1.dtype == np.float32
    scale = float(np.trace(c1) + np.trace(c2))
    expected = scale - 2 * linalg.svdvals(one.astype(float).T @ two).sum()
    assert gaussian_frechet_distance(mean, c1, mean, c2) == pytest.approx(
        expected, abs=1e-5 * scale
    )


@given(SEEDS)
def test_of_points_it_is_the_squared_shift(seed):
    rng = np.random.default_rng(seed)
    zero, (m1, c1), (m2, _) = np.zeros((6, 6)), *(random_gaussian(rng, 6, rank=2) for _ in "12")
    square = (m1 - m2) @ (m1 - m2)
    assert gaussian_frechet_distance(m1, zero, m2, zero) == pytest.approx(square, rel=1e-14)
    assert gaussian_frechet_distance(m1, c1, m2, zero) == pytest.approx(square + np.trace(c1))


@given(SEEDS, st.floats(1e-6, 1e-2))
def test_small_eigenvalues_are_not_taken_for_rounding(seed, small):
    """Between N(0, C) and N(0, 1), (√λ − 1)² for each eigenvalue λ, down to 1e-12."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0]
    spread = np.array([1.0, 1, 1, small, small])  # standard deviations
    found = gaussian_frechet_distance(
        np.zeros(5), turn * spread**2 @ turn.T, np.zeros(5), np.eye(5)
    )
    assert found == pytest.approx(2 * (1 - small) ** 2, abs=1e-8)


@given(SEEDS, st.integers(1, 5))
def test_invariances(seed, d):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(12, d)), rng.normal(size=(9, d)) * 2 + 1
    found = frechet_distance(x, y)
    assert frechet_distance(y, x) == pytest.approx(found, rel=1e-9)
    assert frechet_distance(x + 5, y + 5) == pytest.approx(found, rel=1e-8)
    assert frechet_distance(3 * x, 3 * y) == pytest.approx(9 * found, rel=1e-9)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(found, rel=1e-8)
    assert frechet_distance(x, x[::-1]) == pytest.approx(0, abs=1e-9)


def test_samples_are_taken_for_gaussians_of_their_moments():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), rng.exponential(size=(40, 3))
    expected = gaussian_frechet_distance(x.mean(axis=0), np.cov(x.T), y.mean(axis=0), np.cov(y.T))
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-12)
    # A cloud of another shape with the same moments is at distance 0.
    coin = np.repeat([[-1.0], [1.0]], 50, axis=0)
    bell = rng.normal(size=(100, 1))
    bell = (bell - bell.mean()) / bell.std()
    assert frechet_distance(coin, bell) == pytest.approx(0, abs=1e-12)
    assert wasserstein_1d(coin, bell) > 0.3


def test_of_a_shifted_gaussian_it_is_the_squared_shift():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20000, 2)), rng.normal(size=(20000, 2)) + np.array([3, 4])
    assert frechet_distance(x, y) == pytest.approx(25, rel=0.02)


@given(SEEDS, st.sampled_from([1, 3, 20]), st.sampled_from([10, 20, 30]), st.sampled_from([4, 60]))
def test_nearly_equal_samples_keep_their_digits(seed, d, bits, n):
    """y = (1 + δ) x has (1 + δ)² of the covariance: d² = δ² (|mean|² + tr C), down to δ = 1e-9.

    x is a multiple of 2⁻¹⁰, so that y is exact. Rank below d or not.
    """
    x = np.round(1024 * np.random.default_rng(seed).normal(size=(n, d))) / 1024
    delta = 2.0**-bits
    expected = delta**2 * ((x.mean(axis=0) ** 2).sum() + x.var(axis=0, ddof=1).sum())
    y = x + delta * x
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-5, abs=0)
    assert frechet_distance(y, x[::-1].copy()) == pytest.approx(expected, rel=1e-5, abs=0)


def test_two_samples_are_enough():
    """Points 0 and 2 have mean 1 and variance 2, points 3 and 9 mean 6 and variance 18."""
    x, y = np.array([[0.0], [2.0]]), np.array([[3.0], [9.0]])
    assert frechet_distance(x, y) == pytest.approx(5**2 + (18**0.5 - 2**0.5) ** 2, rel=1e-14)
    # In the plane two points have a covariance of rank 1: along and across each other.
    along, across = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 2.0]])
    assert frechet_distance(along, across) == pytest.approx(1 + 1 + 2 + 2, rel=1e-14)


def test_known_cases():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 4))
    assert frechet_distance(x, np.tile(x[:1], (1000, 1))) == pytest.approx(
        ((x.mean(axis=0) - x[0]) ** 2).sum() + x.var(axis=0, ddof=1).sum(), rel=1e-12
    )  # one sample again and again: all of the variance is missing
    modes = np.concatenate([x - 10, x + 10])  # one of two modes dropped
    assert frechet_distance(modes, x - 10) > 100 * frechet_distance(modes, modes[::2])


@pytest.mark.parametrize("spectrum", [np.ones(24), 2.0 ** -np.arange(24)])
def test_the_bias_of_small_samples_is_as_stated(spectrum):
    n, m, repeats = 400, 800, 30
    rng = np.random.default_rng(0)
    pairs = spectrum[:, None] * spectrum / (spectrum[:, None] + spectrum)
    stated = (1 / n + 1 / m) * (spectrum.sum() + (pairs.sum() + np.trace(pairs)) / 2)
    measured = [
        frechet_distance(
            rng.normal(size=(n, 24)) * np.sqrt(spectrum),
            rng.normal(size=(m, 24)) * np.sqrt(spectrum),
        )
        for _ in range(repeats)
    ]
    error = np.std(measured) / math.sqrt(repeats)
    assert abs(np.mean(measured) - stated) < 4 * error + 0.03 * stated  # second order: 1 / n²
    if (spectrum == 1).all():
        assert stated == pytest.approx((1 / n + 1 / m) * 24 * 29 / 4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([0.0], np.eye(2), [0.0], np.eye(1)), r"mean1 and covariance1: expected shapes"),
        (
            ([0.0], np.eye(1), [0.0, 0.0], np.eye(2)),
            r"mean2: expected shape \(1,\) as mean1, got \(2,\)",
        ),
        (
            ([0.0, 0.0], np.eye(2), [0.0, 0.0], [[1.0, 1.0], [0.0, 1.0]]),
            "covariance2: expected a symmetric matrix",
        ),
        (
            ([0.0], -np.eye(1), [0.0], np.eye(1)),
            "covariance1: expected eigenvalues of at least 0, got -1",
        ),
        (([np.nan], np.eye(1), [0.0], np.eye(1)), "mean1 and covariance1: expected finite numbers"),
    ],
)
def test_refuses_gaussians(arguments, message):
    with pytest.raises(ValueError, match=message):
        gaussian_frechet_distance(*arguments)


def test_refuses_samples():
    with pytest.raises(ValueError, match="at least 2 samples each, got 3 and 1"):
        frechet_distance(np.zeros((3, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"y: expected shape \(n, 2\)"):
        frechet_distance(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(TypeError, match="NumPy array"):
        frechet_distance([[0.0], [1.0]], np.zeros((3, 1)))
