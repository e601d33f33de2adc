"""Wasserstein distances against closed forms, each other, and every permutation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.metrics import sliced_wasserstein, wasserstein_1d, wasserstein_assignment


def normal(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def sliced(x, y, projections=100, p=1, seed=0):
    return sliced_wasserstein(x, y, projections, np.random.default_rng(seed), p)


def test_point_masses():
    x, y = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])
    assert wasserstein_assignment(x, y) == 5
    assert wasserstein_1d(x[:, :1], y[:, :1]) == 3
    # Two thirds of the mass stay, one third moves from 0 to 6: sizes may differ on the line.
    assert wasserstein_1d(np.array([[0.0]]), np.array([[0.0], [0.0], [6.0]])) == pytest.approx(2)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_set_is_at_no_distance_from_itself_in_another_order(d):
    x = normal(40, d)
    y = x[::-1]
    assert wasserstein_assignment(x, y) == 0
    assert sliced(x, y, p=2) == pytest.approx(0, abs=1e-12)
    if d == 1:
        assert wasserstein_1d(x, y) == 0


@pytest.mark.parametrize("d", [1, 2, 5])
def test_shift_costs_its_length(d):
    x, shift = normal(50, d), np.arange(1.0, d + 1)
    length = np.linalg.norm(shift)
    assert wasserstein_assignment(x, x + shift) == pytest.approx(length, rel=1e-12)
    # A direction sees |cos| of it: the mean over the sphere, and the root mean square.
    mean_cosine = math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))
    assert sliced(x, x + shift, 20_000) == pytest.approx(length * mean_cosine, rel=0.02)
    assert sliced(x, x + shift, 20_000, p=2) == pytest.approx(length / math.sqrt(d), rel=0.02)


def test_gaussians():
    """W1 of N(0, 1) and N(0, s²) is (s − 1) √(2/π): quantile by quantile, (s − 1) |z|."""
    n = 200_000
    x, y = normal(n, 1, seed=1), normal(n, 1, seed=2)
    assert wasserstein_1d(x, 3 * y) == pytest.approx(2 * math.sqrt(2 / math.pi), rel=0.01)
    assert wasserstein_1d(x, y + 0.7) == pytest.approx(0.7, rel=0.01)


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_assignment_is_the_best_of_all_permutations(n, d, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, n, d))
    best = min(
        np.linalg.norm(x - y[list(order)], axis=1).mean()
        for order in itertools.permutations(range(n))
    )
    assert wasserstein_assignment(x, y) == pytest.approx(best, rel=1e-12)


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_all_three_agree_on_the_line(n, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, n, 1))
    expected = wasserstein_1d(x, y)
    assert wasserstein_assignment(x, y) == pytest.approx(expected, rel=1e-9)
    assert sliced(x, y, projections=3) == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 20), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_sliced_is_a_lower_bound_and_grows_with_p(n, d, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, n, d))
    assert sliced(x, y) <= wasserstein_assignment(x, y) + 1e-12
    assert sliced(x, y, p=1) <= sliced(x, y, p=2) + 1e-12 <= sliced(x, y, p=3.5) + 2e-12


@pytest.mark.parametrize("scale", [1e-100, 1e-3, 1, 1e3, 1e100])
@pytest.mark.parametrize("p", [1, 2, 7.5, 100, 1e4, 1e300])
def test_sliced_scales_with_the_data_for_every_p(p, scale):
    """SW_p(s x, s y) = s SW_p(x, y), also where all p-th powers under- or overflow."""
    x, y = normal(20, 2), normal(20, 2, 1)
    found = sliced(scale * x, scale * y, p=p)
    assert found == pytest.approx(scale * sliced(x, y, p=p), rel=1e-12, abs=0)
    directions = np.random.default_rng(0).standard_normal((2, 100))
    directions /= np.linalg.norm(directions, axis=0)
    largest = abs(np.sort(x @ directions, axis=0) - np.sort(y @ directions, axis=0)).max()
    assert scale * sliced(x, y) * (1 - 1e-12) <= found <= scale * largest * (1 + 1e-12)
    if p >= 1e4:  # the mean over 2,000 distances hardly counts: W_∞
        assert found == pytest.approx(scale * largest, rel=1e-3)


def test_one_projection_is_one_direction():
    x, y = normal(20, 2), normal(20, 2, 1)
    theta = np.random.default_rng(3).standard_normal((2, 1))
    theta /= np.linalg.norm(theta)
    assert sliced(x, y, 1, seed=3) == pytest.approx(wasserstein_1d(x @ theta, y @ theta), rel=1e-12)


@pytest.mark.parametrize("p", [1, 50, 1e3])
def test_sliced_in_closed_form_for_every_p(p):
    """One point against another on the line: W_p is their distance, whatever p is."""
    for distance in (1e-30, 0.14, 700.0):
        x = np.zeros((5, 1))
        assert sliced(x, x + distance, p=p) == pytest.approx(distance, rel=1e-12, abs=0)
        assert sliced(x, x, p=p) == 0


@pytest.mark.parametrize("distance", [wasserstein_1d, wasserstein_assignment, sliced])
@pytest.mark.parametrize("offset", [0, 1e3, 1e6, -1e9])
def test_the_place_does_not_matter(distance, offset):
    """Samples are multiples of 2⁻²⁰, so that moving them rounds nothing."""
    x, y = (np.round(2**20 * normal(30, 1, seed)) / 2**20 for seed in (0, 1))
    found = distance(x + offset, y + offset)
    assert found == pytest.approx(distance(x, y), rel=1e-12)
    if distance is sliced:
        turned = [np.round(2**20 * normal(30, 4, seed)) / 2**20 for seed in (0, 1)]
        moved = sliced(*(a + offset for a in turned))
        assert moved == pytest.approx(sliced(*turned), rel=1e-12)


def test_two_samples_of_one_distribution_are_apart_and_slowly_get_closer():
    few, many = (wasserstein_assignment(normal(n, 5, 1), normal(n, 5, 2)) for n in (64, 512))
    # 8 times the samples in 5 dimensions: 8^(−1/5) = 0.66 of the bias.
    assert many / few == pytest.approx(8 ** (-1 / 5), rel=0.1)
    assert many > 0.5  # of a standard deviation, where the distributions are at distance 0


def test_the_same_seed_gives_the_same_bits_and_inputs_stay_untouched():
    x, y = normal(20, 3).astype(np.float32), normal(20, 3, 1).astype(np.float32)
    before = x.copy(), y.copy()
    assert sliced(x, y, 5) == sliced(x, y, 5) != sliced(x, y, 5, seed=1)
    assert np.array_equal(x, before[0]) and np.array_equal(y, before[1])
    assert type(sliced(x, y)) is type(wasserstein_assignment(x, y)) is float


@pytest.mark.parametrize("distance", [wasserstein_1d, wasserstein_assignment, sliced])
@pytest.mark.parametrize(
    "x, error, message",
    [
        ([[0.0]], TypeError, "x: expected a NumPy array on the host, got list"),
        (np.zeros(4), ValueError, r"x: expected shape \(n, .\)"),
        (np.zeros((0, 1)), ValueError, r"x: expected .* > 0, got \(0, 1\)"),
        (np.zeros((4, 1), complex), TypeError, "real numbers"),
        (np.array([[0.0], [np.nan]]), ValueError, "x: expected finite numbers"),
        (np.zeros((4, 3)), ValueError, r"expected shape \(n, .\) with n > 0, got"),
    ],
)
def test_refuses(distance, x, error, message):
    with pytest.raises(error, match=message):
        distance(x, np.zeros((4, 1)))


def test_refuses_what_only_some_can_do():
    with pytest.raises(ValueError, match=r"x: expected shape \(n, 1\)"):
        wasserstein_1d(np.zeros((4, 2)), np.zeros((4, 2)))
    for distance in (wasserstein_assignment, sliced):
        with pytest.raises(ValueError, match="equally many samples, got 4 and 5"):
            distance(np.zeros((4, 2)), np.zeros((5, 2)))
    x = np.zeros((4, 2))
    with pytest.raises(ValueError, match="projections"):
        sliced(x, x, projections=0)
    with pytest.raises(ValueError, match="p:"):
        sliced(x, x, p=0.5)
    with pytest.raises(TypeError, match="rng"):
        sliced_wasserstein(x, x, 5, None)
