"""The toys: their constants, and that samples and densities belong together.

The density of every toy that has one is integrated numerically on a fine grid, which for smooth
densities is exact to many digits: over the plane it must give one, over coarse bins what a
chi-square test expects of the samples, and -p log p must give the samples' mean -log p.
"""

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.spatial import cKDTree

from minigan.data.distributions import GaussianMixture
from minigan.data.toy import LATTICE, TOYS, NoisyCircles, NoisySegment, toy

NAMES = list(TOYS)

# The integration grid, the same for every axis: low, high, step. The step is below the smallest
# standard deviation, the mass outside negligible (8 standard deviations and more), and the
# checkerboard's edges lie on the edges of the grid's cells.
GRIDS = {
    "ring": (-1.1, 1.1, 0.008),
    "grid": (-4.4, 4.4, 0.04),
    "eight-gaussians": (-1.55, 1.55, 0.011),
    "twenty-five-gaussians": (-1.6, 1.6, 0.014),
    "circles": (-5, 5, 0.05),
    "rings": (-3.7, 3.7, 0.02),
    "checkerboard": (-5, 5, 0.1),
    "ganlab-line": (-0.1, 1.1, 0.003),
    "ganlab-gaussians": (-1.2, 2, 0.02),
    "ganlab-disjoint": (0.1, 1, 0.01),
    "bimodal-1d": (-8, 8, 0.01),
    "trimodal-1d": (-8, 8, 0.01),
}
BINS = 8  # coarse bins per axis


def fine_grid(name, dimension):
    """Midpoints of the cells, (n, d)."""
    low, high, step = GRIDS[name]
    midpoints = low + step * (np.arange(round((high - low) / step)) + 0.5)
    return np.stack(np.meshgrid(*[midpoints] * dimension), axis=-1).reshape(-1, dimension)


def coarse_bin(name, x):
    """(n,) the coarse bin of each point: a block of cells of the fine grid."""
    low, high, step = GRIDS[name]
    cells = round((high - low) / step)
    index = np.floor((x - low) / step).astype(int) * BINS // cells
    return np.ravel_multi_index(tuple(index.T), [BINS] * x.shape[1])


def test_every_density_is_tested():
    assert {name for name in NAMES if toy(name).has_density} == set(GRIDS)


@pytest.mark.parametrize("name", NAMES)
def test_samples(name):
    distribution = toy(name)
    d = distribution.dimension
    assert distribution.name == name and d == (1 if name.endswith("1d") else 2)
    x = distribution.sample(4000, np.random.default_rng(0))
    assert x.shape == (4000, d) and x.dtype == np.float64 and np.isfinite(x).all()
    assert np.array_equal(x, toy(name).sample(4000, np.random.default_rng(0)))
    assert not np.isin(x, distribution.sample(4000, np.random.default_rng(1))).any()
    low, high = distribution.extent[::2], distribution.extent[1::2]
    assert np.mean(((x > low) & (x < high)).all(axis=1)) > 0.98
    assert distribution.sample(1, np.random.default_rng(0)).shape == (1, d)


@pytest.mark.parametrize("name", GRIDS)
def test_density(name):
    distribution = toy(name)
    d = distribution.dimension
    points = fine_grid(name, d)
    mass = distribution.density(points) * GRIDS[name][2] ** d
    assert mass.sum() == pytest.approx(1, abs=1e-8)

    n = 20_000
    x = distribution.sample(n, np.random.default_rng(1))
    expected = n * np.bincount(coarse_bin(name, points), mass, minlength=BINS**d)
    observed = np.bincount(coarse_bin(name, x), minlength=BINS**d)
    assert chi_square(observed, expected) > 1e-3

    # The entropy E[-log p], within 4 standard errors of the samples' mean. On the checkerboard
    # log p is constant, the error zero: all samples must lie on the board.
    log_p = distribution.log_density(x)
    positive = mass > 0
    entropy = -np.sum(mass[positive] * distribution.log_density(points[positive]))
    assert abs(-log_p.mean() - entropy) < 4 * log_p.std() / np.sqrt(n) + 1e-8


def chi_square(observed, expected):
    """The p-value of the counts; all bins that expect fewer than 10 are one bin."""
    rare = expected < 10
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 10:
        assert observed[-1] < 30
        observed, expected = observed[:-1], expected[:-1]
    return stats.chisquare(observed, expected / expected.sum() * observed.sum()).pvalue


# --- Gaussian mixtures --------------------------------------------------------------------------


def assert_is_ring(means, radius):
    """Eight distinct modes at the angles 0, 45, ... 315 degrees."""
    assert means.shape == (8, 2)
    np.testing.assert_allclose(np.hypot(*means.T), radius, rtol=1e-12)
    angles = np.sort(np.degrees(np.arctan2(means[:, 1], means[:, 0])) % 360 + 1e-9)
    np.testing.assert_allclose(angles, np.arange(0, 360, 45), atol=1e-6)


def test_rings_have_eight_modes():
    assert_is_ring(toy("ring").means, 1)
    assert_is_ring(toy("eight-gaussians").means, 2 / 1.414)
    # The published bug: both ends of the interval are the same point.
    angles = np.linspace(0, 2 * np.pi, 8)
    seven = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    with pytest.raises(AssertionError):
        assert_is_ring(seven, 1)


def test_grids_have_twenty_five_modes():
    expected = {(i, j) for i in (-4, -2, 0, 2, 4) for j in (-4, -2, 0, 2, 4)}
    for name, scale in (("grid", 1), ("twenty-five-gaussians", 2.828)):
        means = toy(name).means
        np.testing.assert_allclose(means * scale, LATTICE, atol=1e-14)
        assert means.shape == (25, 2)
        assert {tuple(row) for row in np.round(means * scale, 9)} == expected


@pytest.mark.parametrize(
    "name, sigma",
    [
        ("ring", 0.01),
        ("grid", 0.05),
        ("eight-gaussians", 0.02 / 1.414),
        ("twenty-five-gaussians", 0.05 / 2.828),
        ("ganlab-disjoint", 0.025),
    ],
)
def test_sigma(name, sigma):
    distribution = toy(name)
    assert isinstance(distribution, GaussianMixture)
    assert distribution.sigma == pytest.approx(sigma, rel=1e-12)


def test_other_constants():
    # What a density and samples that belong together do not show.
    assert np.array_equal(toy("circles").radii, [3, 1.5]) and toy("circles").sigma == 0.24
    assert np.array_equal(toy("rings").radii, [3, 2.25, 1.5, 0.75]) and toy("rings").sigma == 0.08
    line = toy("ganlab-line")
    assert np.array_equal([line.start, line.end], [[0.8, 0.6], [0.05, 0.9]]) and line.sigma == 0.01
    gaussians = toy("ganlab-gaussians")
    assert np.array_equal(gaussians.means, [[0.3, 0.7], [0.7, 0.4]])
    assert np.array_equal(gaussians.sigma, [[0.1, 0.1], [0.05, 0.2]])
    disjoint = toy("ganlab-disjoint")
    assert np.array_equal(disjoint.means, [[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]])
    assert np.array_equal(disjoint.weights, [0.333, 0.333, 0.334])
    assert np.array_equal(toy("trimodal-1d").weights, [0.5, 0.2, 0.3])


@pytest.mark.parametrize("name", ["eight-gaussians", "twenty-five-gaussians"])
def test_scaled_toys_have_standard_deviation_one(name):
    mixture = toy(name)
    variance = mixture.means.var(axis=0) + mixture.sigma**2
    np.testing.assert_allclose(np.sqrt(variance), 1, atol=0.002)


# --- Closed forms against integrals -------------------------------------------------------------


def test_density_of_circles_is_the_integral_over_the_angle():
    radii, sigma = [1.0, 0.4], 0.2
    distribution = NoisyCircles(radii, sigma, name="c", extent=(-2, 2, -2, 2))
    x = np.random.default_rng(0).normal(size=(20, 2))

    def along(angle, x, radius):
        centre = radius * np.array([np.cos(angle), np.sin(angle)])
        return stats.norm.pdf(x, centre, sigma).prod() / (2 * np.pi)

    for point, p in zip(x, distribution.density(x), strict=True):
        parts = [integrate.quad(along, 0, 2 * np.pi, (point, r), limit=200)[0] for r in radii]
        assert p == pytest.approx(np.mean(parts), rel=1e-7)


def test_density_of_the_segment_is_the_integral_along_it():
    start, end, sigma = np.array([1.0, 2.0]), np.array([-0.5, 1.0]), 0.3
    distribution = NoisySegment(start, end, sigma, name="s", extent=(-2, 2, -2, 2))
    x = np.random.default_rng(0).normal(loc=[0, 1], size=(20, 2))

    def along(u, x):
        return stats.norm.pdf(x, start + u * (end - start), sigma).prod()

    for point, p in zip(x, distribution.density(x), strict=True):
        assert p == pytest.approx(integrate.quad(along, 0, 1, (point,))[0], rel=1e-7)


def test_log_density_of_the_segment_is_finite_far_away():
    line = toy("ganlab-line")
    # From both ends, and across: a hundred thousand standard deviations away.
    log_p = line.log_density([[1000.0, -400.0], [-1000.0, 400.0], [400.0, 1000.0]])
    assert np.isfinite(log_p).all() and (log_p < -1e9).all()


def test_log_density_of_circles_is_finite_far_away():
    assert np.isfinite(toy("rings").log_density([[1e3, 1e3], [0.0, 0.0]])).all()


def test_checkerboard_is_uniform_on_its_squares():
    board = toy("checkerboard")
    inside = [[1.0, 1.0], [-1.0, -1.0], [-4.0, -4.0], [-3.0, 1.0], [3.9, -1.0], [3.9, 2.0]]
    outside = [[1.0, -1.0], [4.0, 2.0], [5.0, 5.0], [-4.1, -4.1], [3.0, 1.0]]
    np.testing.assert_allclose(board.density(inside), 1 / 32, rtol=1e-12)
    assert np.array_equal(board.log_density(outside), np.full(5, -np.inf))
    # Within its square a sample is uniform.
    x = board.sample(4000, np.random.default_rng(2)) % 2 / 2
    assert stats.kstest(x[:, 0], "uniform").pvalue > 1e-3
    assert stats.kstest(x[:, 1], "uniform").pvalue > 1e-3


# --- Toys without a density ---------------------------------------------------------------------


def swiss_roll_curve(u):
    t = np.pi * (1.5 + 3 * u)  # one and a half turns, from 1.5 pi to 4.5 pi
    return t[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1) / 7.5


def moons_curve(u):
    upper = np.exp(1j * np.pi * u)
    z = np.append(upper, 1 + 0.5j - upper) * 2 - (1 + 0.2j)
    return np.stack([z.real, z.imag], axis=1)


def ganlab_ring_curve(u):
    return [0.5, 0.45] + [0.3, 0.25] * np.stack([np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)], 1)


@pytest.mark.parametrize(
    "name, curve, sigma",
    [
        ("swiss-roll", swiss_roll_curve, 0.25 / 7.5),
        ("moons", moons_curve, 0.2),
        ("ganlab-ring", ganlab_ring_curve, 0.025),
    ],
)
def test_noisy_curves(name, curve, sigma):
    n = 40_000
    x = toy(name).sample(n, np.random.default_rng(3))
    on_curve = curve((np.arange(20_000) + 0.5) / 20_000)

    # Mean and covariance: those of the curve, plus the noise's.
    mean, covariance = on_curve.mean(axis=0), np.cov(on_curve.T) + sigma**2 * np.eye(2)
    z = (x - mean) @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    assert (np.abs(z.mean(axis=0)) < 4 / np.sqrt(n)).all()
    np.testing.assert_allclose(z.T @ z / n, np.eye(2), atol=0.03)

    # Across the curve, which is nearly straight on the scale of the noise, the samples' distance
    # is that of a normal in one dimension.
    distance, _ = cKDTree(on_curve).query(x)
    assert np.sqrt(np.mean(distance**2)) == pytest.approx(sigma, rel=0.06)


def test_pinwheel():
    n = 100_000
    x = toy("pinwheel").sample(n, np.random.default_rng(4))
    z = (x[:, 0] + 1j * x[:, 1]) / 2

    # |z|^2 = r^2 + t^2.
    square = np.abs(z) ** 2
    assert square.mean() == pytest.approx(1 + 0.3**2 + 0.1**2, abs=4 * square.std() / np.sqrt(n))

    # Turned by a fifth of a full circle it is itself: no moment of a lower order, but one of
    # order five, E[((r + i t) exp(-i angle(r)))^5], here by Gauss-Hermite quadrature.
    node, weight = np.polynomial.hermite_e.hermegauss(80)
    weight /= weight.sum()
    r, t = 1 + 0.3 * node[:, None], 0.1 * node
    fifth = weight @ ((r + 1j * t) * np.exp(-0.25j * np.exp(r))) ** 5 @ weight
    for order, expected in ((1, 0), (2, 0), (3, 0), (4, 0), (5, fifth)):
        moment = z**order
        error = 4 * moment.std() / np.sqrt(n)
        assert abs(moment.mean() - expected) < error
    assert abs(fifth) > 10 * error and abs(fifth - fifth.conj()) > 10 * error  # it has power


# --- The registry -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rung", "eight_gaussians", "", None])
def test_unknown_name_lists_the_names(name):
    with pytest.raises(ValueError, match="unknown toy distribution") as error:
        toy(name)
    assert all(known in str(error.value) for known in NAMES)
