"""Divergences against closed forms, SciPy, and what a GAN's discriminator estimates."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from minigan import Minimax
from minigan.data import GaussianMixture, toy
from minigan.density import Known
from minigan.metrics import (
    Grid,
    divergences,
    divergences_from_log_ratios,
    estimate_divergences,
)

SEEDS = st.integers(0, 2**32 - 1)
P = Known(stats.multivariate_normal([0, 0], np.diag([1.0, 4.0])))
Q = Known(stats.multivariate_normal([1, -1], np.diag([4.0, 2.0])))


def gaussian_kl(m1, v1, m2, v2):
    """Between Gaussians with independent coordinates."""
    m1, v1, m2, v2 = map(np.asarray, (m1, v1, m2, v2))
    return 0.5 * (v1 / v2 + (m1 - m2) ** 2 / v2 - 1 + np.log(v2 / v1)).sum()


KL = gaussian_kl([0, 0], [1, 4], [1, -1], [4, 2])
REVERSE = gaussian_kl([1, -1], [4, 2], [0, 0], [1, 4])


def masses(shape, seed, zeros=0.0):
    rng = np.random.default_rng(seed)
    p = rng.gamma(0.5, size=shape) * (rng.random(shape) >= zeros) + 1e-300
    return p / p.sum()


# --- Masses of cells -----------------------------------------------------------------------------


@given(SEEDS, st.sampled_from([(7,), (4, 5), (2, 3, 4)]))
def test_agrees_with_scipy(seed, shape):
    p, q = masses(shape, seed), masses(shape, seed + 1)
    found = divergences(p, q)
    assert found.kl == pytest.approx(stats.entropy(p.ravel(), q.ravel()), rel=1e-10)
    assert found.reverse_kl == pytest.approx(stats.entropy(q.ravel(), p.ravel()), rel=1e-10)
    assert found.jensen_shannon == pytest.approx(jensenshannon(p.ravel(), q.ravel()) ** 2)
    assert 0 <= found.jensen_shannon <= math.log(2)
    assert found.errors == (0, 0, 0)


def test_identical_disjoint_and_dropped():
    p = np.array([0.25, 0.25, 0.5, 0.0])
    same = divergences(p, p)
    assert (same.kl, same.reverse_kl, same.jensen_shannon) == (0, 0, 0)
    apart = divergences(p, np.array([0.0, 0.0, 0.0, 1.0]))
    assert apart.kl == apart.reverse_kl == math.inf
    assert apart.jensen_shannon == pytest.approx(math.log(2), rel=1e-15)
    dropped = divergences(p, np.array([0.5, 0.5, 0.0, 0.0]))  # a mode with half of the mass
    assert dropped.kl == math.inf
    assert dropped.reverse_kl == pytest.approx(math.log(2), rel=1e-15)
    # m = (3/8, 3/8, 1/4): ½ (½ log ⅔ + ½ log 2) + ½ log 4/3
    js = 0.25 * math.log(2 / 3) + 0.25 * math.log(2) + 0.5 * math.log(4 / 3)
    assert dropped.jensen_shannon == pytest.approx(js, rel=1e-14)


@pytest.mark.parametrize(
    "p, error, message",
    [
        (np.full(4, 0.34 / 4), ValueError, "p: expected masses that sum to 1.*got a sum of 0.34"),
        (np.array([1.5, -0.5, 0, 0]), ValueError, "negative"),
        (np.array([np.nan, 1, 0, 0]), ValueError, "NaN"),
        (np.array([1, 0, 0, 0]), TypeError, "floating-point"),
        ([0.25] * 4, TypeError, "NumPy array"),
        (np.array([0.5, 0.5]), ValueError, "one shape"),
    ],
)
def test_refuses_masses(p, error, message):
    with pytest.raises(error, match=message):
        divergences(p, np.full(4, 0.25))


# --- The grid ------------------------------------------------------------------------------------


def test_gaussians_on_a_grid():
    grid = Grid((-15, 15, -15, 15), 150)
    found = divergences(grid.from_density(P), grid.from_density(Q))
    # What differs within a cell does not count: below, but only just.
    assert 0.995 * KL < found.kl < KL
    assert 0.995 * REVERSE < found.reverse_kl < REVERSE
    coarse = Grid((-15, 15, -15, 15), 10)
    assert divergences(coarse.from_density(P), coarse.from_density(Q)).kl < 0.9 * KL


def test_rows_are_y_and_columns_are_x():
    grid = Grid((0, 4, 10, 12), 4)
    found = grid.from_samples(np.array([[3.5, 10.1], [3.9, 10.4], [0.1, 11.9], [0.1, 11.9]]))
    expected = np.zeros((4, 4))
    expected[0, 3] = expected[3, 0] = 0.5
    np.testing.assert_array_equal(found, expected)
    spot = GaussianMixture([[3.5, 10.25]], sigma=0.05)
    density = grid.from_density(spot, refine=16)
    assert density[0, 3] == pytest.approx(1, abs=1e-6)


def test_masses_are_the_integrals_over_the_cells():
    """A density of narrow modes, as exact as its distribution function says."""
    grid = Grid((-3, 3, -4, 4), 6)
    spot = GaussianMixture([[0.3, -0.2]], sigma=0.4)
    edges = np.linspace(-3, 3, 7), np.linspace(-4, 4, 7)
    across, up = (
        np.diff(stats.norm(m, 0.4).cdf(e)) for m, e in zip((0.3, -0.2), edges, strict=True)
    )
    np.testing.assert_allclose(grid.from_density(spot, refine=16), np.outer(up, across), atol=3e-3)


@pytest.mark.parametrize("name", ["ring", "grid", "checkerboard", "ganlab-disjoint"])
def test_every_density_sums_to_one(name):
    """GAN Lab's sums to 0.34."""
    data = toy(name)
    p = Grid(data.extent, 30).from_density(data)
    assert p.shape == (30, 30) and (p >= 0).all()
    assert p.sum() == pytest.approx(1, abs=1e-12)


@given(SEEDS, st.floats(0, 2), st.floats(0, 1))
def test_no_sample_vanishes(seed, smoothing, pseudocount):
    x = 5 * np.random.default_rng(seed).normal(size=(30, 2))  # a third lies outside
    p = Grid((-4, 4, -2, 2), 16).from_samples(x, smoothing, pseudocount)
    assert p.sum() == pytest.approx(1, abs=1e-12) and (p >= 0).all()
    outside = Grid((-4, 4, -2, 2), 16).from_samples(np.array([[99.0, 0.1], [-99.0, 99.0]]))
    assert outside[8, 15] == outside[15, 0] == 0.5
    edge = Grid((-4, 4, -4, 4), 40).from_samples(np.array([[-4.0, 0], [2, 0]]), smoothing=0.5)
    assert edge[:, :20].sum() == pytest.approx(0.5, abs=1e-4)  # reflected, not lost
    if pseudocount > 1e-3:
        assert p.min() > 0


def test_smoothing_is_a_gaussian_in_the_datas_units():
    """The same on both sides: blurred samples and a blurred density come together."""
    grid = Grid((-4, 4, -8, 8), 80)
    one = grid.from_samples(np.array([[0.05, 0.1]]), smoothing=0.5)
    blurred = GaussianMixture([[0.05, 0.1]], sigma=0.5)
    np.testing.assert_allclose(one, grid.from_density(blurred), atol=2e-4)
    narrow = GaussianMixture([[0.05, 0.1]], sigma=0.3)
    np.testing.assert_allclose(
        grid.from_density(narrow, smoothing=0.4), grid.from_density(blurred), atol=1e-4
    )


def test_samples_of_the_density_come_close_and_the_bias_is_as_stated():
    data = toy("checkerboard")
    grid, rng, n = Grid((-4, 4, -4, 4), 8), np.random.default_rng(0), 2000
    p = grid.from_density(data)
    assert np.count_nonzero(p) == 32 and p.max() == pytest.approx(1 / 32)
    found = [divergences(grid.from_samples(data.sample(n, rng)), p).kl for _ in range(200)]
    assert np.mean(found) == pytest.approx(31 / (2 * n), rel=0.1)


def test_a_dropped_mode_on_the_grid():
    """Reverse KL is log(K / (K − 1)) however it is smoothed; KL is large, but finite."""
    ring, rng = toy("ring"), np.random.default_rng(0)
    x, k = ring.sample_labelled(20000, rng)
    grid = Grid(ring.extent, 60)
    p = grid.from_samples(x, smoothing=0.03, pseudocount=1e-3)
    whole = divergences(p, grid.from_samples(ring.sample(20000, rng), 0.03, 1e-3))
    part = divergences(p, grid.from_samples(x[k != 3], 0.03, 1e-3))
    assert whole.kl < 0.01 and whole.reverse_kl < 0.01
    assert part.reverse_kl == pytest.approx(math.log(8 / 7), rel=0.05)
    assert 1 < part.kl < math.inf


def test_one_cell():
    """All mass is in it, wherever samples lie; there is nothing to tell apart."""
    grid = Grid((0, 1, 0, 1), 1)
    x = np.random.default_rng(0).normal(size=(5, 2))
    assert grid.from_samples(x).tolist() == [[1]]
    assert divergences(grid.from_samples(x), grid.from_samples(2 * x)).kl == 0
    with pytest.raises(ValueError, match="size: expected at least 1"):
        Grid((0, 1, 0, 1), 0)


def test_the_smallest_numbers_of_points():
    """One point per cell, two samples of each distribution; not fewer."""
    grid, spot = Grid((-1, 1, -1, 1), 2), Known(stats.multivariate_normal([0.5, 0.5], 0.1))
    at_middles = spot.log_density(np.array([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]))
    masses = np.exp(at_middles).reshape(2, 2)
    np.testing.assert_allclose(grid.from_density(spot, refine=1), masses / masses.sum())
    with pytest.raises(ValueError, match="refine: expected at least 1"):
        grid.from_density(spot, refine=0)
    with pytest.raises(ValueError, match="smoothing"):
        grid.from_density(spot, smoothing=-1e-9)
    assert math.isfinite(estimate_divergences(spot, spot, 2, np.random.default_rng(0)).kl)
    with pytest.raises(ValueError, match="n: expected at least 2"):
        estimate_divergences(spot, spot, 1, np.random.default_rng(0))


@pytest.mark.parametrize(
    "extent",
    [(0, 1, 0), (0, 1, 1, 0), (1, 1, 0, 1), (0, 1, 2, 2), (1, 0, 0, 1), (0, math.inf, 0, 1)],
)
def test_refuses_extents(extent):
    with pytest.raises(ValueError, match="extent: expected"):
        Grid(extent)


def test_refuses_what_does_not_fit_the_grid():
    grid = Grid((0, 1, 0, 1), 4)
    with pytest.raises(ValueError, match="no mass"):
        Grid((10, 11, 10, 11), 4).from_density(toy("checkerboard"))
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        grid.from_samples(np.zeros((3, 1)))
    with pytest.raises(ValueError, match="smoothing"):
        grid.from_samples(np.zeros((3, 2)), smoothing=-1)
    with pytest.raises(ValueError, match="pseudocount"):
        grid.from_samples(np.zeros((3, 2)), pseudocount=-1)
    with pytest.raises(ValueError, match="size"):
        Grid((0, 1, 0, 1), 0)


# --- Sampling ------------------------------------------------------------------------------------


def test_estimates_of_gaussians_within_their_errors():
    runs = [estimate_divergences(P, Q, 500, np.random.default_rng(seed)) for seed in range(200)]
    js = divergences(*(Grid((-15, 15, -15, 15), 200).from_density(d) for d in (P, Q)))
    truth = (KL, REVERSE, js.jensen_shannon)
    values = np.array([(r.kl, r.reverse_kl, r.jensen_shannon) for r in runs])
    errors = np.array([r.errors for r in runs])
    spread = values.std(axis=0)
    np.testing.assert_allclose(values.mean(axis=0), truth, atol=4 * spread.max() / math.sqrt(200))
    assert (abs(values.mean(axis=0) - truth) < 4 * spread / math.sqrt(200) + 1e-3).all()
    np.testing.assert_allclose(errors.mean(axis=0), spread, rtol=0.15)


def test_equal_and_disjoint_distributions():
    same = estimate_divergences(P, P, 10, np.random.default_rng(0))
    assert same == type(same)(0, 0, 0, (0, 0, 0))
    left, right = Known(stats.uniform(0, 1)), Known(stats.uniform(2, 1))
    apart = estimate_divergences(left, right, 10, np.random.default_rng(0))
    assert apart.kl == apart.reverse_kl == math.inf
    assert apart.jensen_shannon == pytest.approx(math.log(2), rel=1e-15)
    assert math.isnan(apart.errors[0]) and math.isnan(apart.errors[1]) and apart.errors[2] == 0


def test_the_log_ratio_is_the_optimal_discriminators_logit():
    """JS = log 2 − ½ the discriminator's loss, with the loss that the GAN trains on."""
    rng = np.random.default_rng(0)
    at_p, at_q = rng.normal(1, 2, 50), rng.normal(-1, 2, 60)
    loss, _, _ = Minimax().discriminator(at_p[:, None], at_q[:, None])
    found = divergences_from_log_ratios(at_p, at_q)
    assert found.jensen_shannon == pytest.approx(math.log(2) - loss / 2, rel=1e-14)
    assert found.kl == pytest.approx(at_p.mean()) and found.reverse_kl == pytest.approx(
        -at_q.mean()
    )


@pytest.mark.parametrize(
    "at_p, message",
    [
        ([1.0], r"at_p: expected shape \(n,\) with n >= 2, got \(1,\)"),
        ([[1.0], [2.0]], r"got \(2, 1\)"),
        ([1.0, math.nan], "no sample can have"),
        ([1.0, -math.inf], "no sample can have"),
    ],
)
def test_refuses_log_ratios(at_p, message):
    with pytest.raises(ValueError, match=message):
        divergences_from_log_ratios(at_p, [0.0, 1.0])
    with pytest.raises(ValueError, match="at_q"):
        divergences_from_log_ratios([0.0, 1.0], [0.0, math.inf])


def test_both_sides_are_blurred_alike():
    """Modes narrower than a cell: blurring points and blurring cells would not be the same."""
    ring, grid = toy("ring"), Grid((-1.5, 1.5, -1.5, 1.5), 40)
    samples = ring.sample(100_000, np.random.default_rng(1))
    masses = grid.from_density(ring, smoothing=0.075, refine=8)
    blurred = grid.from_samples(samples, smoothing=0.075)
    assert 0.5 * np.abs(masses - blurred).sum() < 0.01
