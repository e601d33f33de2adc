"""What every estimator must do: integrate to one, sample what it says, refuse bad input."""

import numpy as np
import pytest
import scipy.stats
from scipy.integrate import cumulative_trapezoid

from minigan.density import (
    IDENTITY,
    NORMAL_QUANTILE,
    Bernoulli,
    BernoulliNaiveBayes,
    EMMixture,
    Gaussian,
    GaussianNaiveBayes,
    Histogram,
    Known,
    NearestNeighbours,
    NotFittedError,
    ParzenWindow,
    Pushforward,
)

LEVEL = 1e-3  # of the tests on samples: a right sampler fails once in a thousand seeds

LIMITS = (-8, 8)

CONTINUOUS = {
    "gaussian": lambda x, labels: Gaussian().fit(x),
    "mixture": lambda x, labels: EMMixture(3).fit(x, np.random.default_rng(1)),
    "naive bayes": lambda x, labels: GaussianNaiveBayes().fit(x, labels),
    "histogram": lambda x, labels: Histogram(16, [LIMITS] * x.shape[1]).fit(x),
    "parzen": lambda x, labels: ParzenWindow(0.4).fit(x),
}


def two_clusters(d, n=300):
    """x (n, d), two bumps of different width and weight, labels (n,)."""
    rng = np.random.default_rng(0)
    labels = (rng.random(n) < 0.3).astype(int)
    x = np.where(labels[:, None] == 1, 1.5, -1.0) + 0.7 * rng.standard_normal((n, d))
    return x, labels


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_density_integrates_to_one(name, d):
    estimator = CONTINUOUS[name](*two_clusters(d))
    edges = np.linspace(*LIMITS, 16 * 12 + 1)
    middles = (edges[1:] + edges[:-1]) / 2  # twelve points in each bin of the histogram
    points = np.stack(np.meshgrid(*[middles] * d), axis=-1).reshape(-1, d)
    total = np.exp(estimator.log_density(points)).sum() * (edges[1] - edges[0]) ** d
    assert total == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", [*CONTINUOUS, "known", "identity", "quantile"])
def test_samples_follow_the_density_on_a_line(name):
    given = {
        "known": Known(scipy.stats.t(10)),
        "identity": Pushforward(IDENTITY, Known(scipy.stats.expon())),
        "quantile": Pushforward(NORMAL_QUANTILE),
    }
    estimator = given[name] if name in given else CONTINUOUS[name](*two_clusters(1))
    grid = np.linspace(-30, 30, 12_001)
    density = np.exp(estimator.log_density(grid[:, None]))
    cdf = cumulative_trapezoid(density, grid, initial=0)
    samples = estimator.sample(4000, np.random.default_rng(2))
    result = scipy.stats.kstest(samples[:, 0], lambda t: np.interp(t, grid, cdf))
    assert result.pvalue > LEVEL


@pytest.mark.parametrize("name", CONTINUOUS)
def test_samples_follow_the_density_in_the_plane(name):
    estimator = CONTINUOUS[name](*two_clusters(2))
    samples = estimator.sample(8000, np.random.default_rng(3))
    coarse, fine = np.linspace(*LIMITS, 17), 8
    counts = np.histogram2d(*samples.T, bins=[coarse, coarse])[0]
    step = (coarse[1] - coarse[0]) / fine
    middles = coarse[0] + step * (np.arange(16 * fine) + 0.5)
    points = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.exp(estimator.log_density(points)).reshape(16, fine, 16, fine).sum(axis=(1, 3))
    expected = len(samples) * mass * step**2
    often = expected > 5
    observed = np.append(counts[often], len(samples) - counts[often].sum())
    predicted = np.append(expected[often], len(samples) - expected[often].sum())
    assert scipy.stats.chisquare(observed, predicted).pvalue > LEVEL


ESTIMATORS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "mixture": lambda: EMMixture(2),
    "bernoulli naive bayes": BernoulliNaiveBayes,
    "gaussian naive bayes": GaussianNaiveBayes,
    "histogram": lambda: Histogram(4),
    "parzen": lambda: ParzenWindow(1.0),
    "neighbours": lambda: NearestNeighbours(2),
}

BINARY = np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])


def fit(estimator, x):
    """Fit with the second argument that this kind of estimator wants."""
    if isinstance(estimator, EMMixture):
        return estimator.fit(x, np.random.default_rng(0))
    if isinstance(estimator, (BernoulliNaiveBayes, GaussianNaiveBayes)):
        return estimator.fit(x, np.array([0, 0, 1, 1, 1]))
    return estimator.fit(x)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_shapes_types_and_untouched_data(name):
    x = BINARY.copy()
    estimator = ESTIMATORS[name]()
    assert fit(estimator, x) is estimator
    queries = np.array([[1.0], [0.0], [1.0]])
    log_density = estimator.log_density(queries)
    assert log_density.shape == (3,) and log_density.dtype == np.float64
    assert log_density[0] == log_density[2]
    assert (x == BINARY).all() and (queries[:, 0] == [1, 0, 1]).all()
    x[:] = 7  # what has been learned does not change with the caller's array
    assert (estimator.log_density(queries) == log_density).all()


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "neighbours"])
def test_same_seed_same_samples(name):
    estimator = fit(ESTIMATORS[name](), BINARY)
    first, again, other = (estimator.sample(50, np.random.default_rng(s)) for s in (5, 5, 6))
    assert first.shape == (50, 1) and first.dtype == np.float64
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_use_before_fit_is_named(name):
    estimator = ESTIMATORS[name]()
    with pytest.raises(NotFittedError, match="call fit first"):
        estimator.log_density(BINARY)
    if name != "neighbours":
        with pytest.raises(NotFittedError, match="call fit first"):
            estimator.sample(1, np.random.default_rng(0))


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        (BINARY[:, 0], ValueError, r"x\[:, None\]"),
        (BINARY.tolist(), TypeError, "NumPy array"),
        (BINARY[:0], ValueError, r"expected shape \(n, .\) with n.* > 0, got \(0, 1\)"),
        (BINARY.astype(complex), TypeError, "real numbers"),
        (np.array([[0.0], [np.nan], [1.0], [1.0], [0.0]]), ValueError, "NaN or infinity in row 1"),
        (np.array([[0.0], [1.0], [np.inf], [1.0], [0.0]]), ValueError, "NaN or infinity in row 2"),
    ],
)
def test_bad_samples_are_refused_and_change_nothing(name, x, error, match):
    estimator = ESTIMATORS[name]()
    with pytest.raises(error, match=match):
        fit(estimator, x)
    assert estimator.dimension is None
    fit(estimator, BINARY)
    before = estimator.log_density(BINARY)
    with pytest.raises(error, match=match):
        fit(estimator, x)
    assert (estimator.log_density(BINARY) == before).all()
    with pytest.raises(error, match=match):
        estimator.log_density(x)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_queries_must_have_the_dimension_of_the_fit(name):
    estimator = fit(ESTIMATORS[name](), BINARY)
    with pytest.raises(ValueError, match=r"x: expected shape \(n, 1\) with n > 0, got \(5, 2\)"):
        estimator.log_density(np.hstack([BINARY, BINARY]))


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "neighbours"])
def test_bad_draws_are_refused(name):
    estimator = fit(ESTIMATORS[name](), BINARY)
    for n, rng, error in [
        (0, np.random.default_rng(0), ValueError),
        (2.0, np.random.default_rng(0), TypeError),
        (True, np.random.default_rng(0), TypeError),
        (2, 0, TypeError),
        (2, None, TypeError),
        (2, np.random.RandomState(0), TypeError),
    ]:
        with pytest.raises(error):
            estimator.sample(n, rng)


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (lambda: Gaussian(regularization=-1), ValueError),
        (lambda: Gaussian(regularization=-1e-9), ValueError),
        (lambda: Gaussian(regularization="0"), TypeError),
        (lambda: EMMixture(0), ValueError),
        (lambda: EMMixture(2.5), TypeError),
        (lambda: EMMixture(2, regularization=np.nan), ValueError),
        (lambda: EMMixture(2, regularization=-1e-9), ValueError),
        (lambda: EMMixture(2, tolerance=-1e-9), ValueError),
        (lambda: EMMixture(2, max_iterations=0), ValueError),
        (lambda: BernoulliNaiveBayes(smoothing=0), ValueError),
        (lambda: BernoulliNaiveBayes(smoothing=-1e-9), ValueError),
        (lambda: GaussianNaiveBayes(regularization=-1e-9), ValueError),
        (lambda: Histogram(0), ValueError),
        (lambda: Histogram(4, [(1, 0)]), ValueError),
        (lambda: Histogram(4, [(1, 1)]), ValueError),
        (lambda: Histogram(4, [(0, np.inf)]), ValueError),
        (lambda: Histogram(4, (0, 1)), ValueError),
        (lambda: ParzenWindow(0), ValueError),
        (lambda: ParzenWindow(-1e-9), ValueError),
        (lambda: ParzenWindow(np.inf), ValueError),
        (lambda: NearestNeighbours(0), ValueError),
        (lambda: Known(3), TypeError),
        (lambda: Known(scipy.stats.poisson(2)), TypeError),
    ],
)
def test_bad_settings_are_refused(build, error):
    with pytest.raises(error):
        build()


def test_a_known_distribution_of_several_numbers():
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    known = Known(scipy.stats.multivariate_normal([1, -1], covariance))
    samples = known.sample(20_000, np.random.default_rng(0))
    assert samples.shape == (20_000, 2)
    assert known.sample(1, np.random.default_rng(0)).shape == (1, 2)
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.06)
    peak = -np.log(2 * np.pi * np.sqrt(np.linalg.det(covariance)))
    np.testing.assert_allclose(known.log_density(np.array([[1.0, -1.0]])), [peak])


@pytest.mark.parametrize(
    "estimator",
    [
        Gaussian(regularization=0),
        EMMixture(1, regularization=0, tolerance=0, max_iterations=1),
        BernoulliNaiveBayes(smoothing=1e-12),
        GaussianNaiveBayes(regularization=0),
        Histogram(1),
        Histogram(1, [(0, 1)]),
        ParzenWindow(1e-12),
        NearestNeighbours(1),
        NearestNeighbours(len(BINARY)),
    ],
    ids=repr,
)
def test_the_smallest_settings_are_taken(estimator):
    log_density = fit(estimator, BINARY).log_density(BINARY)
    assert log_density.shape == (len(BINARY),) and not np.isnan(log_density).any()


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "neighbours"])
def test_one_draw(name):
    assert fit(ESTIMATORS[name](), BINARY).sample(1, np.random.default_rng(0)).shape == (1, 1)
