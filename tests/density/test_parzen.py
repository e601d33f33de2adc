import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.density import (
    ParzenWindow,
    best_bandwidth,
    distances,
    hold_out,
    k_fold,
    leave_one_out,
    silverman_bandwidth,
)

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=30, database=None)


@EXAMPLES
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 3))
def test_agrees_with_scipy_on_a_line(seed, bandwidth):
    rng = np.random.default_rng(seed)
    x, queries = 2 * rng.standard_normal(25), rng.standard_normal(9)
    # gaussian_kde measures its bandwidth in standard deviations of the data.
    oracle = scipy.stats.gaussian_kde(x, bw_method=bandwidth / x.std(ddof=1))
    window = ParzenWindow(bandwidth).fit(x[:, None])
    np.testing.assert_allclose(
        window.log_density(queries[:, None]), oracle.logpdf(queries), rtol=1e-9
    )


@pytest.mark.parametrize("d", [1, 2, 5])
def test_is_the_mean_of_gaussians(d):
    rng = np.random.default_rng(0)
    x, queries = rng.standard_normal((15, d)), rng.standard_normal((6, d))
    oracle = np.mean([scipy.stats.multivariate_normal(c, 0.3**2).pdf(queries) for c in x], axis=0)
    np.testing.assert_allclose(ParzenWindow(0.3).fit(x).log_density(queries), np.log(oracle))


def test_far_from_the_origin_and_far_from_the_samples():
    x = np.random.default_rng(0).standard_normal((20, 2))
    near = ParzenWindow(0.2).fit(x).log_density(x)
    far = ParzenWindow(0.2).fit(x + 1e6).log_density(x + 1e6)
    np.testing.assert_allclose(far, near, rtol=1e-6)
    lonely = ParzenWindow(0.1).fit(x[:1]).log_density(x[:1] + np.array([100.0, 0.0]))
    np.testing.assert_allclose(lonely, -0.5 * 1000**2 - np.log(2 * np.pi * 0.01))


@pytest.mark.parametrize("d", [1, 2, 20])
@pytest.mark.parametrize("extent", [1, 1e4, 1e8])
def test_a_width_far_below_the_extent(extent, d):
    """Tight groups far apart: by numbers of more digits, group by group."""
    rng = np.random.default_rng(0)
    centres = extent * np.arange(4)[:, None] * np.ones(d)
    x, queries = (centres[rng.integers(4, size=20)] + rng.normal(size=(20, d)) for _ in "ab")
    away = (queries[:, None] - x).astype(np.longdouble)
    h = 0.3 * d**0.5
    log_kernels = -(away**2).sum(axis=2) / (2 * np.longdouble(h) ** 2)
    peak = log_kernels.max(axis=1)
    exact = peak + np.log(np.exp(log_kernels - peak[:, None]).mean(axis=1))
    exact = exact.astype(float) - d * (np.log(h) + 0.5 * np.log(2 * np.pi))
    np.testing.assert_allclose(ParzenWindow(h).fit(x).log_density(queries), exact, rtol=1e-9)


def test_rounding_never_lifts_a_density_above_its_peak():
    x = 1000 * np.random.default_rng(0).standard_normal((100, 2))
    window = ParzenWindow(1e-6).fit(x)
    assert window.log_density(x).max() <= -np.log(2 * np.pi * 1e-12) + 1e-9


def test_blocks_change_nothing_but_the_memory(monkeypatch):
    rng = np.random.default_rng(0)
    x, queries = rng.standard_normal((4000, 2)), rng.standard_normal((4000, 2))
    window = ParzenWindow(0.3).fit(x)
    monkeypatch.setattr(distances, "BLOCK", 2**17)  # 1 MiB; the whole matrix has 128 MB
    tracemalloc.start()
    blocked = window.log_density(queries)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20
    monkeypatch.setattr(distances, "BLOCK", 1)  # fewer than one row: still a row at a time
    np.testing.assert_allclose(window.log_density(queries[:5]), blocked[:5], rtol=1e-12)
    monkeypatch.setattr(distances, "BLOCK", 2**30)
    np.testing.assert_allclose(window.log_density(queries[:500]), blocked[:500], rtol=1e-12)


def test_leave_one_out_leaves_one_out(monkeypatch):
    x = np.random.default_rng(0).standard_normal((12, 2))
    bandwidths = [0.1, 0.5, 2.0]
    expected = [
        np.mean([ParzenWindow(h).fit(np.delete(x, i, 0)).log_density(x[[i]])[0] for i in range(12)])
        for h in bandwidths
    ]
    np.testing.assert_allclose(leave_one_out(x, bandwidths), expected, rtol=1e-10)
    monkeypatch.setattr(distances, "BLOCK", 12 * 5)  # the last block is shorter
    np.testing.assert_allclose(leave_one_out(x, bandwidths), expected, rtol=1e-10)


def test_hold_out_scores_other_samples():
    rng = np.random.default_rng(0)
    x, validation = rng.standard_normal((12, 2)), rng.standard_normal((7, 2))
    expected = [ParzenWindow(h).fit(x).log_density(validation).mean() for h in (0.1, 2.0)]
    np.testing.assert_allclose(hold_out(x, validation, [0.1, 2.0]), expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"validation: expected shape \(n, 2\)"):
        hold_out(x, validation[:, :1], [0.1])


def test_k_fold_scores_held_out_parts():
    x = np.random.default_rng(0).standard_normal((10, 1))
    bandwidths = np.array([0.2, 1.0])
    scores = k_fold(x, bandwidths, 3, np.random.default_rng(7))
    shuffled = x[np.random.default_rng(7).permutation(10)]
    parts = [shuffled[:4], shuffled[4:7], shuffled[7:]]
    for h, score in zip(bandwidths, scores, strict=True):
        total = 0
        for i, part in enumerate(parts):
            rest = np.concatenate(parts[:i] + parts[i + 1 :])
            total += ParzenWindow(h).fit(rest).log_density(part).sum()
        assert score == pytest.approx(total / 10, rel=1e-10)


def test_as_many_folds_as_samples_is_leave_one_out():
    x = np.random.default_rng(0).standard_normal((9, 2))
    bandwidths = np.geomspace(0.1, 3, 5)
    np.testing.assert_allclose(
        k_fold(x, bandwidths, 9, np.random.default_rng(0)), leave_one_out(x, bandwidths), rtol=1e-9
    )


def test_the_chosen_bandwidth_is_the_one_that_fits_new_data():
    """Two narrow modes far apart, where Silverman's rule blurs."""
    rng = np.random.default_rng(0)
    x, fresh = (
        rng.choice([-5, 5], 400)[:, None] + 0.5 * rng.standard_normal((400, 1)) for _ in "ab"
    )
    bandwidths = np.geomspace(0.01, 5, 40)
    by_leaving_out = best_bandwidth(bandwidths, leave_one_out(x, bandwidths))
    by_folds = best_bandwidth(bandwidths, k_fold(x, bandwidths, 5, np.random.default_rng(0)))
    truth = bandwidths[
        np.argmax([ParzenWindow(h).fit(x).log_density(fresh).mean() for h in bandwidths])
    ]
    rule = silverman_bandwidth(x)
    for h in (by_leaving_out, by_folds):
        assert truth / 2 < h < 2 * truth < rule
        fit, blurred = (ParzenWindow(b).fit(x).log_density(fresh).mean() for b in (h, rule))
        assert fit > blurred + 0.2


def test_the_data_themselves_would_choose_the_smallest():
    x = np.random.default_rng(0).standard_normal((50, 1))
    fits = [ParzenWindow(h).fit(x).log_density(x).mean() for h in (1, 0.1, 0.01, 0.001)]
    assert (np.diff(fits) > 0).all()
    bandwidths = np.array([0.001, 0.01, 0.1, 0.3, 1, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert best_bandwidth(bandwidths, leave_one_out(x, bandwidths)) == 0.3


def test_a_choice_at_the_edge_warns():
    bandwidths = np.array([0.1, 0.2, 0.4])
    for scores, best in [([3, 2, 1], 0.1), ([1, 2, 3], 0.4)]:
        with pytest.warns(UserWarning, match="edge"):
            assert best_bandwidth(bandwidths, np.array(scores)) == best
    copies = np.repeat(np.random.default_rng(0).standard_normal((20, 1)), 2, axis=0)
    with pytest.warns(UserWarning, match="edge"):
        best_bandwidth(bandwidths, leave_one_out(copies, bandwidths))


def test_silverman_agrees_with_scipy():
    x = np.random.default_rng(0).standard_normal((60, 1)) * 3
    oracle = scipy.stats.gaussian_kde(x[:, 0], bw_method="silverman")
    assert silverman_bandwidth(x) == pytest.approx(oracle.factor * x.std(ddof=1), rel=1e-12)
    y = np.random.default_rng(1).standard_normal((60, 3)) * [1, 2, 3]
    factor = scipy.stats.gaussian_kde(y.T, bw_method="silverman").factor
    spread = np.sqrt(np.trace(np.cov(y.T)) / 3)
    assert silverman_bandwidth(y) == pytest.approx(factor * spread, rel=1e-12)


def test_bad_input():
    x, rng = np.random.default_rng(0).standard_normal((6, 1)), np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 2"):
        leave_one_out(x[:1], [0.1])
    for bandwidths in ([], [[0.1]], [0.1, 0], [0.1, np.nan], 0.1):
        with pytest.raises(ValueError, match="bandwidths: expected"):
            leave_one_out(x, bandwidths)
        with pytest.raises(ValueError, match="bandwidths: expected"):
            k_fold(x, bandwidths, 2, rng)
    for folds in (1, 7):
        with pytest.raises(ValueError, match="folds"):
            k_fold(x, [0.1], folds, rng)
    with pytest.raises(TypeError, match="rng"):
        k_fold(x, [0.1], 2, None)
    for scores in ([1.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="scores: expected"):
            best_bandwidth(np.array([0.1, 0.2]), scores)
    for x in (np.ones((1, 2)), np.ones((5, 2))):
        with pytest.raises(ValueError, match="2 distinct samples"):
            silverman_bandwidth(x)


def test_two_samples_are_enough():
    """Each is scored by the window on the other; Silverman's rule has one degree of freedom."""
    x = np.array([[0.0], [2.0]])
    kernel = scipy.stats.norm(0, 0.7).logpdf(2.0)
    np.testing.assert_allclose(leave_one_out(x, [0.7]), [kernel], rtol=1e-12)
    np.testing.assert_allclose(k_fold(x, [0.7], 2, np.random.default_rng(0)), [kernel], rtol=1e-12)
    assert silverman_bandwidth(x) == pytest.approx(2**0.5 * (4 / 6) ** 0.2, rel=1e-12)


def test_a_choice_from_one_is_no_edge_and_from_two_it_is():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert best_bandwidth(np.array([0.3]), np.array([1.0])) == 0.3
    with pytest.warns(UserWarning, match="edge"):
        assert best_bandwidth(np.array([0.3, 0.4]), np.array([1.0, 2.0])) == 0.4
