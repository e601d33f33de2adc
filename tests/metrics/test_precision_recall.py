"""Precision and recall, density and coverage: by hand, by scikit-like brute force, known cases."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from minigan.density import distances
from minigan.metrics import PrecisionRecall, precision_recall


def normal(n, d, seed=0, shift=0.0):
    return shift + np.random.default_rng(seed).normal(size=(n, d))


def by_definition(real, fake, k):
    """Naeem et al. 2020, equations 1 to 4, with SciPy's distances."""
    between = cdist(real, fake)
    real_radii, fake_radii = (cKDTree(a).query(a, k + 1)[0][:, k] for a in (real, fake))
    in_real, in_fake = between <= real_radii[:, None], between <= fake_radii
    return PrecisionRecall(
        precision=in_real.any(axis=0).mean(),
        recall=in_fake.any(axis=1).mean(),
        density=in_real.sum() / (k * len(fake)),
        coverage=in_real.any(axis=1).mean(),
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5))
def test_is_the_definition(seed, d, k):
    real, fake = normal(25, d, seed), normal(18, d, seed + 1, shift=0.7)
    found, expected = precision_recall(real, fake, k), by_definition(real, fake, k)
    assert vars(found) == pytest.approx(vars(expected), rel=1e-14)


def test_by_hand():
    real = np.array([[0.0], [1.0], [3.0], [10.0]])  # radii for k = 1: 1, 1, 2, 7
    fake = np.array([[2.0], [2.5], [20.0]])  # radii 0.5, 0.5, 17.5
    found = precision_recall(real, fake, k=1)
    # 2 lies in the balls of 1 (at its edge) and 3, 2.5 in that of 3, 20 in none.
    assert found.precision == pytest.approx(2 / 3)
    assert found.density == pytest.approx(3 / 3)
    assert found.coverage == pytest.approx(2 / 4)  # the balls of 1 and 3
    assert found.recall == pytest.approx(2 / 4)  # 3 in that of 2.5 (its edge) and 20's; 10 in 20's


def test_identical_and_disjoint():
    x = normal(60, 3)
    found = precision_recall(x, x.copy())
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    # Each point lies in its own ball and in those of which it is one of the k nearest.
    assert found.density == pytest.approx((3 + 1) / 3)
    assert precision_recall(x, x + 100) == PrecisionRecall(0, 0, 0, 0)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_equal_distributions_score_as_stated(k):
    n, found = 200, []
    for seed in range(60):
        found.append(precision_recall(normal(n, 4, seed), normal(n, 4, seed + 1000), k))
    density, coverage = ([getattr(f, name) for f in found] for name in ("density", "coverage"))
    stated = 1 - math.prod((n - 1 - i) / (2 * n - 1 - i) for i in range(k))
    assert np.mean(density) == pytest.approx(1, abs=4 * np.std(density) / math.sqrt(60))
    assert np.mean(coverage) == pytest.approx(stated, abs=4 * np.std(coverage) / math.sqrt(60))
    assert stated == pytest.approx(1 - 2.0**-k, abs=0.01)


def test_a_mode_dropped_costs_recall_and_a_mode_invented_precision():
    left, right = normal(400, 2, 0, shift=-9), normal(400, 2, 1, shift=9)
    more_left, more_right = normal(400, 2, 2, shift=-9), normal(400, 2, 3, shift=9)
    both, same = np.concatenate([left, right]), np.concatenate([more_left, more_right])
    whole, dropped = precision_recall(both, same), precision_recall(both, more_left)
    invented = precision_recall(left, same)
    assert min(whole.precision, whole.recall) > 0.9
    assert dropped.precision > 0.9 and dropped.recall == pytest.approx(0.5, abs=0.05)
    assert dropped.coverage == pytest.approx(whole.coverage / 2, abs=0.05)
    assert invented.recall > 0.9 and invented.precision == pytest.approx(0.5, abs=0.05)
    assert invented.density == pytest.approx(0.5, abs=0.1)


def test_one_sample_again_and_again():
    real = normal(300, 2)
    copies = np.tile(real[:1], (300, 1))
    found = precision_recall(real, copies)
    assert found.precision == 1
    assert found.recall == 1 / 300  # only the sample that was copied: the balls have radius 0
    assert found.coverage < 0.05


@pytest.mark.parametrize("d", [1, 20])
def test_a_ball_of_radius_0_holds_its_own_point(d):
    """Real samples that are there twice, and a fake that is there twice."""
    real = np.repeat(normal(10, d), 2, axis=0)
    fake = np.concatenate([real[:2], normal(3, d, 1, shift=50)])
    found = precision_recall(real, fake, k=1)
    assert found.precision == pytest.approx(2 / 5)
    assert found.density == pytest.approx(2 * 2 / 5)
    assert found.coverage == pytest.approx(2 / 20)


def test_an_outlier_fools_precision_but_not_density():
    real = np.concatenate([normal(300, 2), [[1000.0, 0.0]]])
    fake = normal(300, 2, 1, shift=[300, 0])
    found = precision_recall(real, fake)
    assert found.precision == 1 and found.density == pytest.approx(1 / 3)


@pytest.mark.parametrize("d", [1, 2, 30])
@pytest.mark.parametrize("distance", [1, 1e3, 1e7, 1e10])
@pytest.mark.parametrize("outlier", ["real", "fake"])
def test_one_outlier_changes_nothing_for_the_others(outlier, distance, d):
    """An allowance for rounding by the extent of all data would let every ball grow with it."""
    real, fake = 1e-2 * normal(200, d), 1e-2 * normal(200, d, 1, shift=40)
    far = np.full((1, d), distance)
    if outlier == "fake":
        found = precision_recall(real, np.concatenate([fake, far]))
        assert found == PrecisionRecall(0, 0, 0, 0)
    else:  # its own ball reaches from there to the other real samples, and just to the fakes
        found = precision_recall(np.concatenate([real, far]), fake)
        assert (found.recall, found.coverage) == (0, pytest.approx(1 / 201))


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([2, 30]),
    st.sampled_from([1e-9, 1, 1e9]),
    st.sampled_from([0, 3e6]),
)
def test_place_and_scale_do_not_matter(seed, d, scale, offset):
    """Samples are multiples of 2⁻¹⁰, so that moving them rounds nothing; copies lie on edges."""
    real, fake = (np.round(1024 * normal(20, d, seed + i, shift=0.3 * i)) / 1024 for i in (0, 1))
    fake[:5] = real[:5]
    power = 2.0 ** np.round(np.log2(scale))
    moved = precision_recall(power * (real + offset), power * (fake + offset))
    assert moved == precision_recall(real, fake)


def test_blocks_change_nothing_but_the_memory(monkeypatch):
    real, fake = normal(1500, 8), normal(1300, 8, 1)
    whole = precision_recall(real, fake)
    monkeypatch.setattr(distances, "BLOCK", 2**16)  # 0.5 MiB; all distances have 16 MB
    tracemalloc.start()
    blocked = precision_recall(real, fake)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20
    assert vars(blocked) == pytest.approx(vars(whole), rel=1e-12)


@pytest.mark.parametrize(
    "real, k, error, message",
    [
        ([[0.0]], 1, TypeError, "real: expected a NumPy array"),
        (np.zeros((5, 3)), 1, ValueError, r"fake: expected shape \(n, 3\)"),
        (
            np.zeros((5, 2)),
            4,
            ValueError,
            "k: expected less than the numbers of samples, 5 and 4, got 4",
        ),
        (np.zeros((5, 2)), 0, ValueError, "k: expected at least 1"),
        (np.zeros((5, 2)), 1.5, TypeError, "k: expected an integer"),
    ],
)
def test_refuses(real, k, error, message):
    with pytest.raises(error, match=message):
        precision_recall(real, normal(4, 2), k)
