import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.density import Histogram, histogram

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=40, database=None)


@EXAMPLES
@given(
    st.integers(1, 3), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from([1e-9, 1, 1e9])
)
def test_heights_agree_with_numpy(d, bins, seed, scale):
    x = scale * np.random.default_rng(seed).standard_normal((50, d))
    histogram = Histogram(bins).fit(x)
    expected, edges = np.histogramdd(x, bins=bins, density=True)
    np.testing.assert_allclose(histogram.heights, expected, rtol=1e-9)
    for ours, theirs in zip(histogram.edges, edges, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@EXAMPLES
@given(st.lists(st.integers(0, 12), min_size=1, max_size=30), st.integers(1, 12))
def test_samples_on_the_edges_are_counted_as_numpy_counts_them(values, bins):
    x = np.array(values, dtype=float)[:, None]
    histogram = Histogram(bins, [(0, 12)]).fit(x)
    expected = np.histogram(x[:, 0], bins=bins, range=(0, 12), density=True)[0]
    np.testing.assert_allclose(histogram.heights, expected, rtol=1e-12)
    assert np.isfinite(histogram.log_density(x)).all()  # each sample is in a cell that counts it


def test_by_hand():
    x = np.array([[0.5], [1.5], [1.6], [3.9]])
    histogram = Histogram(2, [(0, 4)]).fit(x)
    np.testing.assert_allclose(histogram.heights, [3 / 8, 1 / 8])
    queries = np.array([[0.0], [1.99], [2.0], [4.0], [-1e-9], [4.000001]])
    np.testing.assert_allclose(
        histogram.log_density(queries),
        np.log([3 / 8, 3 / 8, 1 / 8, 1 / 8, 1e-300, 1e-300])
        + np.array([0, 0, 0, 0, -np.inf, -np.inf]),
    )


def test_an_empty_cell_has_no_density():
    histogram = Histogram(3, [(0, 3)]).fit(np.array([[0.5], [2.5]]))
    assert histogram.log_density(np.array([[1.5]]))[0] == -np.inf
    samples = histogram.sample(2000, np.random.default_rng(0))
    assert not ((samples > 1) & (samples < 2)).any()
    assert samples.min() >= 0 and samples.max() <= 3


def test_samples_fill_a_cell_evenly():
    histogram = Histogram(1, [(0, 1), (2, 6)]).fit(np.array([[0.5, 3.0]]))
    samples = histogram.sample(2000, np.random.default_rng(0))
    for column, cdf in zip(
        samples.T, [scipy.stats.uniform(0, 1), scipy.stats.uniform(2, 4)], strict=True
    ):
        assert scipy.stats.kstest(column, cdf.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(samples.T)[0, 1]) < 0.1


def test_features_keep_their_order():
    x = np.array([[0.1, 10.0], [0.9, 10.0], [0.9, 30.0]])
    histogram = Histogram(2, [(0, 1), (0, 40)]).fit(x)
    np.testing.assert_allclose(histogram.heights * 3 * 0.5 * 20, [[1, 0], [1, 1]])
    np.testing.assert_allclose(
        np.exp(histogram.log_density(np.array([[0.2, 35.0], [0.6, 35.0]]))), [0, 1 / 30]
    )


@pytest.mark.parametrize(
    ("histogram", "x", "match"),
    [
        (Histogram(4, [(0, 1)]), np.array([[0.5], [1.5], [-2.0]]), "2 of 3 samples lie outside"),
        (
            Histogram(4, [(0, 1)]),
            np.zeros((3, 2)),
            "expected one feature per pair of limits, 1, got 2",
        ),
        (Histogram(4), np.array([[0.0, 3.0], [1.0, 3.0]]), "feature 1 runs from 3.0 to 3.0"),
        (Histogram(10), np.random.default_rng(0).random((5, 8)), r"10\^8 cells"),
    ],
)
def test_bad_data(histogram, x, match):
    with pytest.raises(ValueError, match=match):
        histogram.fit(x)
    assert histogram.dimension is None


def test_the_largest_number_of_cells(monkeypatch):
    monkeypatch.setattr(histogram, "MAX_CELLS", 9)
    x = np.random.default_rng(0).random((5, 2))
    assert Histogram(3).fit(x).heights.size == 9
    with pytest.raises(ValueError, match=r"at most 9 cells, got 4\^2"):
        Histogram(4).fit(x)
