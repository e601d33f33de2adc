"""Mode coverage against figures worked out by hand, by integration and by simulation."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy import integrate, stats

from minigan.data.toy import toy
from minigan.metrics.modes import mode_coverage

CORNERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def of_toy(name, n, seed=0):
    mixture = toy(name)
    x = mixture.sample(n, np.random.default_rng(seed))
    return mode_coverage(x, mixture.means, mixture.sigma)


def test_by_hand():
    samples = np.array(
        [
            [0, 0],  # mode 0, at its centre
            [3, 0],  # mode 0, just within 3 sigma
            [3.001, 0],  # mode 0, just outside
            [10, 2],  # mode 1
            [2.2, 12.2],  # mode 2, each axis within 3 sigma but not the distance
            [1000, 1000],  # nearest is mode 3, but far away
        ]
    )
    result = mode_coverage(samples, CORNERS, sigma=1.0)
    assert result.counts == (2, 1, 0, 0)
    assert result.modes == 2 and result.modes_total == 4
    assert result.high_quality == 3 / 6
    kl = 2 / 3 * math.log(2 / 3 * 4) + 1 / 3 * math.log(1 / 3 * 4)
    assert result.reverse_kl == pytest.approx(kl, rel=1e-14)
    # mean of r^2 = (0 + 9 + 4) / 3, of which half per axis, over the truncated variance.
    truncated = 1 - 4.5 / (math.exp(4.5) - 1)
    assert result.spread == pytest.approx(math.sqrt(13 / 6 / truncated), rel=1e-12)
    # About the mean of mode 0's two samples, 1.5² + 1.5²; three samples less two means.
    assert result.width == pytest.approx(math.sqrt(4.5 / 2 / truncated), rel=1e-12)
    with pytest.raises(FrozenInstanceError):
        result.modes = 4


def test_radius_and_sigma_scale_the_distance():
    samples = np.array([[0.0, 1.9], [0.0, 2.1]])
    assert mode_coverage(samples, CORNERS, sigma=1, radius=2).counts == (1, 0, 0, 0)
    assert mode_coverage(samples, CORNERS, sigma=0.5, radius=4).counts == (1, 0, 0, 0)
    assert mode_coverage(samples, CORNERS, sigma=0.7, radius=3).counts == (1, 0, 0, 0)
    assert mode_coverage(samples, CORNERS, sigma=1, radius=3).counts == (2, 0, 0, 0)


@pytest.mark.parametrize("name, modes", [("ring", 8), ("grid", 25)])
def test_perfect_data(name, modes):
    n = 100_000
    result = of_toy(name, n)
    ceiling = 1 - math.exp(-4.5)
    assert ceiling == pytest.approx(0.98889, abs=1e-5)
    assert abs(result.high_quality - ceiling) < 4 * math.sqrt(ceiling * (1 - ceiling) / n)
    assert result.modes == result.modes_total == len(result.counts) == modes
    assert sum(result.counts) == round(result.high_quality * n)
    assert result.spread == pytest.approx(1, abs=0.01)
    assert result.width == pytest.approx(1, abs=0.01)
    # 2 n KL is asymptotically chi-square with K - 1 degrees of freedom.
    good = sum(result.counts)
    assert stats.chi2(modes - 1).sf(2 * good * result.reverse_kl) > 1e-3


@pytest.mark.parametrize("d", [1, 2, 3, 7])
@pytest.mark.parametrize("radius", [0.5, 3.0])
def test_spread_of_true_data_is_one_in_any_dimension(d, radius):
    n = 60_000
    x = np.random.default_rng(d).normal(scale=0.1, size=(n, d))
    means = np.stack([np.zeros(d), np.full(d, 50.0)])
    result = mode_coverage(x, means, 0.1, radius)
    if result.high_quality == 0:  # 7 dimensions within half a sigma
        assert d == 7
    else:
        # The constant, by integration of the chi density.
        square, _ = integrate.quad(lambda r: r**2 * stats.chi.pdf(r, d), 0, radius)
        expected = square / stats.chi.cdf(radius, d) / d
        r2 = np.sum((x / 0.1) ** 2, axis=1)
        measured = np.mean(r2[r2 <= radius**2]) / d
        assert result.spread == pytest.approx(math.sqrt(measured / expected), rel=1e-7)
        assert result.spread == pytest.approx(1, abs=4 / math.sqrt(result.high_quality * n))
        centre = np.mean(x[r2 <= radius**2], axis=0) / 0.1
        good = np.count_nonzero(r2 <= radius**2)
        within = (measured * d - centre @ centre) * good / (good - 1) / d
        assert result.width == pytest.approx(math.sqrt(within / expected), rel=1e-7)


def test_spread_sees_what_high_quality_does_not():
    ring = toy("ring")
    x, k = ring.sample_labelled(2500, np.random.default_rng(1))
    tight = ring.means[k] + 0.5 * (x - ring.means[k])
    result = mode_coverage(tight, ring.means, ring.sigma)
    assert result.high_quality > 0.9995  # above what true data scores
    # Half as wide, and hardly anything cut off.
    assert result.spread == pytest.approx(0.5 / math.sqrt(0.9494), abs=0.01)
    wide = ring.means[k] + 1.5 * (x - ring.means[k])
    result = mode_coverage(wide, ring.means, ring.sigma)
    assert result.high_quality < 0.9 and result.spread > 1.2


def test_width_sees_what_the_spread_does_not():
    """A mode that is a point beside its centre."""
    ring = toy("ring")
    x, k = ring.sample_labelled(2500, np.random.default_rng(1))
    aside = ring.means[k] + math.sqrt(2) * ring.sigma * np.stack([np.cos(k), np.sin(k)], axis=1)
    result = mode_coverage(aside + 0.1 * (x - ring.means[k]), ring.means, ring.sigma)
    assert result.spread == pytest.approx(1, abs=0.05) and result.high_quality == 1
    assert result.width == pytest.approx(0.1 / math.sqrt(0.9494), rel=0.05)


def test_width_pools_the_variances_of_the_modes():
    """Unbiased ones: a mode of few samples counts by its degrees of freedom."""
    ring = toy("ring")
    x, k = ring.sample_labelled(2500, np.random.default_rng(1))
    good = np.linalg.norm(x - ring.means[k], axis=1) < 3 * ring.sigma
    groups = [x[good & (k == j)][: 3 + j] for j in range(8)]
    free = np.array([len(group) - 1 for group in groups])
    pooled = free @ [group.var(axis=0, ddof=1).mean() for group in groups] / free.sum()
    expected = math.sqrt(pooled / ring.sigma**2 / (1 - 4.5 / (math.exp(4.5) - 1)))
    result = mode_coverage(np.concatenate(groups), ring.means, ring.sigma)
    assert result.width == pytest.approx(expected, rel=1e-9)


def test_one_dropped_mode():
    ring = toy("ring")
    x, k = ring.sample_labelled(2500, np.random.default_rng(2))
    result = mode_coverage(x[k != 3], ring.means, ring.sigma)
    assert result.modes == 7 and result.counts[3] == 0 and min(np.delete(result.counts, 3)) > 200
    assert result.reverse_kl == pytest.approx(math.log(8 / 7), abs=0.005)


def test_one_duplicated_point():
    ring = toy("ring")
    result = mode_coverage(np.tile(ring.means[5], (2500, 1)), ring.means, ring.sigma)
    assert result.counts == (0, 0, 0, 0, 0, 2500, 0, 0)
    assert result.modes == 1 and result.high_quality == 1
    assert result.spread == 0 and result.width < 1e-9
    assert result.reverse_kl == pytest.approx(math.log(8), rel=1e-14)


def test_disjoint_sets():
    ring = toy("ring")
    far = toy("grid").sample(500, np.random.default_rng(3)) + 100
    result = mode_coverage(far, ring.means, ring.sigma)
    assert result.modes == 0 and result.high_quality == 0 and sum(result.counts) == 0
    assert result.reverse_kl == math.inf and math.isnan(result.spread) and math.isnan(result.width)


def test_one_mode_has_nothing_to_miss():
    result = mode_coverage(np.zeros((3, 1)), np.zeros((1, 1)), 1.0)
    assert result.modes == 1 and result.reverse_kl == result.width == 0
    alone = mode_coverage(np.zeros((1, 1)), np.zeros((1, 1)), 1.0)
    assert alone.spread == 0 and math.isnan(alone.width)


def test_float32_samples_and_untouched_input():
    grid = toy("grid")
    x = grid.sample(2500, np.random.default_rng(4)).astype(np.float32)
    before = x.copy()
    result = mode_coverage(x, grid.means, grid.sigma)
    assert result.modes == 25 and np.array_equal(x, before)
    assert all(isinstance(count, int) for count in result.counts)
    assert [type(v) for v in (result.modes, result.high_quality, result.reverse_kl)] == [
        int,
        float,
        float,
    ]
    assert result == mode_coverage(before, grid.means, grid.sigma)


def test_refuses_a_ring_with_both_ends():
    angles = np.linspace(0, 2 * np.pi, 8)
    seven = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert len(np.unique(seven, axis=0)) == 8  # rounding hides it: sin(2 pi) is not quite 0
    with pytest.raises(ValueError, match="means: 0 and 7 are within 2 sigma"):
        mode_coverage(np.zeros((5, 2)), seven, 0.01)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(samples=np.zeros(5)), r"samples: expected shape \(n, 2\)"),
        (dict(samples=np.zeros((5, 3))), r"samples: expected shape \(n, 2\)"),
        (dict(samples=np.zeros((0, 2))), "with n > 0"),
        (dict(samples=np.array([[0, np.nan]])), "samples: expected finite numbers"),
        (dict(means=np.zeros(2)), r"means: expected shape \(n, d\)"),
        (dict(means=np.zeros((0, 2))), r"means: expected shape \(n, d\)"),
        (dict(means=np.array([[0, np.inf]])), "means: expected finite numbers"),
        (dict(sigma=0), r"sigma: expected a number in \(0, inf\)"),
        (dict(sigma=-1), r"sigma: expected a number in \(0, inf\)"),
        (dict(sigma=math.nan), r"sigma: expected a number in \(0, inf\)"),
        (dict(radius=0), r"radius: expected a number in \(0, inf\)"),
        (dict(radius=math.inf), r"radius: expected a number in \(0, inf\)"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        mode_coverage(**{"samples": np.zeros((5, 2)), "means": CORNERS, "sigma": 1.0, **change})


def test_refuses_what_is_not_on_the_host_or_not_one_sigma():
    with pytest.raises(TypeError, match="samples: expected a NumPy array on the host"):
        mode_coverage([[0.0, 0.0]], CORNERS, 1.0)
    with pytest.raises(TypeError, match="sigma: expected a number"):
        mode_coverage(np.zeros((5, 2)), CORNERS, np.ones((4, 2)))
