import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.density import Bernoulli, Gaussian

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=30, database=None)


def coin(heads, tosses):
    return (np.arange(tosses) < heads).astype(float)[:, None]


def test_the_coin_with_750_heads_of_1000():
    bernoulli = Bernoulli().fit(coin(750, 1000))
    assert (bernoulli.heads, bernoulli.tosses) == (750, 1000)
    assert bernoulli.p == 0.75
    assert bernoulli.standard_error == pytest.approx(0.0137, abs=5e-5)


@EXAMPLES
@given(st.integers(1, 200), st.data())
def test_the_likelihood_of_the_coin_peaks_at_the_estimate(tosses, data):
    heads = data.draw(st.integers(0, tosses))
    bernoulli = Bernoulli().fit(coin(heads, tosses))
    p = np.linspace(0, 1, 201)
    curve = bernoulli.log_likelihood(p)
    oracle = scipy.stats.bernoulli(p[:, None]).logpmf(coin(heads, tosses)[:, 0]).sum(axis=1)
    np.testing.assert_allclose(curve, oracle, rtol=1e-10)
    assert bernoulli.log_likelihood(bernoulli.p) >= curve.max()


def test_the_standard_error_is_the_curvature_of_the_likelihood():
    bernoulli = Bernoulli().fit(coin(30, 200))
    step = 1e-4
    below, at, above = bernoulli.log_likelihood(bernoulli.p + step * np.array([-1, 0, 1]))
    curvature = (below - 2 * at + above) / step**2
    assert bernoulli.standard_error == pytest.approx(1 / np.sqrt(-curvature), rel=1e-5)


def test_the_standard_error_is_the_scatter_of_repeated_estimates():
    rng = np.random.default_rng(0)
    truth = Bernoulli().fit(coin(3, 10))
    estimates = [Bernoulli().fit(truth.sample(400, rng)).p for _ in range(500)]
    assert np.std(estimates) == pytest.approx(np.sqrt(0.3 * 0.7 / 400), rel=0.1)


def test_bernoulli_density_and_samples():
    bernoulli = Bernoulli().fit(coin(750, 1000))
    outcomes = np.array([[0.0], [1.0]])
    np.testing.assert_allclose(np.exp(bernoulli.log_density(outcomes)), [0.25, 0.75])
    samples = bernoulli.sample(4000, np.random.default_rng(0))
    assert set(samples.ravel()) == {0.0, 1.0}
    assert scipy.stats.binomtest(int(samples.sum()), 4000, 0.75).pvalue > 1e-3


def test_a_coin_that_never_falls_on_tails():
    bernoulli = Bernoulli().fit(coin(5, 5))
    assert (bernoulli.p, bernoulli.standard_error) == (1, 0)
    assert bernoulli.log_density(np.array([[1.0], [0.0]])).tolist() == [0, -np.inf]
    assert (bernoulli.sample(100, np.random.default_rng(0)) == 1).all()


def test_bernoulli_refuses_what_is_no_toss():
    with pytest.raises(ValueError, match=r"only 0 and 1, got 0\.5"):
        Bernoulli().fit(np.array([[0.5]]))
    with pytest.raises(ValueError, match=r"\(n, 1\)"):
        Bernoulli().fit(np.zeros((3, 2)))
    fitted = Bernoulli().fit(coin(1, 2))
    with pytest.raises(ValueError, match="only 0 and 1"):
        fitted.log_density(np.array([[2.0]]))
    for p in (1.1, 1 + 1e-9, -1e-9, np.nan):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            fitted.log_likelihood(np.array([0.5, p]))


@EXAMPLES
@given(st.integers(1, 5), st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1.0, 1e6]))
def test_gaussian_agrees_with_scipy(d, seed, scale):
    rng = np.random.default_rng(seed)
    x = scale * (rng.standard_normal((40, d)) @ rng.standard_normal((d, d)) + 3)
    gaussian = Gaussian().fit(x)
    mean, covariance = scipy.stats.multivariate_normal.fit(x)
    np.testing.assert_allclose(gaussian.mean, mean, rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(gaussian.covariance, covariance, rtol=1e-6, atol=1e-9 * scale**2)
    queries = scale * rng.standard_normal((7, d))
    # In units of its own, since the oracle takes small variances for zero.
    unit = scipy.stats.multivariate_normal(
        mean / scale, covariance / scale**2, allow_singular=True
    ).logpdf(queries / scale)
    np.testing.assert_allclose(
        gaussian.log_density(queries), unit - d * np.log(scale), rtol=1e-5, atol=1e-6
    )


def test_no_other_gaussian_is_more_likely():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 2)) @ np.array([[1.0, 0.4], [0.0, 0.5]])
    gaussian = Gaussian().fit(x)
    best = gaussian.log_density(x).sum()
    for _ in range(50):
        mean = gaussian.mean + 0.02 * rng.standard_normal(2)
        skew = np.eye(2) + 0.02 * rng.standard_normal((2, 2))
        other = scipy.stats.multivariate_normal(mean, skew @ gaussian.covariance @ skew.T)
        assert other.logpdf(x).sum() < best


def test_gaussian_samples_have_its_moments():
    x = np.random.default_rng(0).standard_normal((30, 3)) @ np.diag([1, 2, 3]) + [5, 0, -5]
    gaussian = Gaussian().fit(x)
    samples = gaussian.sample(50_000, np.random.default_rng(1))
    np.testing.assert_allclose(samples.mean(axis=0), gaussian.mean, atol=0.06)
    np.testing.assert_allclose(np.cov(samples.T), gaussian.covariance, atol=0.2)


def test_many_features_do_not_underflow():
    d = 400
    x = 1e-3 * np.random.default_rng(0).standard_normal((1000, d))
    gaussian = Gaussian().fit(x)
    assert np.linalg.det(gaussian.covariance) == 0
    # Σᵢ (xᵢ - μ)ᵀ Σ⁻¹ (xᵢ - μ) = n d at the maximum, whatever the data.
    entropy = 0.5 * (d * np.log(2 * np.pi) + np.linalg.slogdet(gaussian.covariance)[1] + d)
    assert gaussian.log_density(x).mean() == pytest.approx(-entropy, rel=1e-9)


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.full((5, 1), 0.1), "feature 0 is constant"),
        (np.array([[0.1, 1], [0.1, 2], [0.1, 4], [0.1, 3]]), "feature 0 is constant"),
        (np.array([[1.0, 2.0, 5.0]]), "1 samples in 3 dimensions"),
        (np.random.default_rng(0).standard_normal((3, 3)), "feature 2 is a linear combination"),
        (np.array([[1e6, 3e6], [2e6, 6e6], [4e6, 12e6]]), "feature 1 is a linear combination"),
        (
            np.random.default_rng(0).standard_normal((50, 2)) @ [[1, 0, 1e3], [0, 1, 1e3]],
            "feature 2 is a linear combination",
        ),
    ],
)
def test_a_singular_covariance_is_an_error_that_says_what_to_do(x, match):
    x = np.asarray(x, dtype=float)
    with pytest.raises(ValueError, match=match):
        Gaussian().fit(x)
    with pytest.raises(ValueError, match="regularization above 0"):
        Gaussian().fit(x)
    regularization = 1e-3 * (1 + x.var())
    gaussian = Gaussian(regularization=regularization).fit(x)
    expected = np.cov(x.T, bias=True).reshape(x.shape[1], -1) if len(x) > 1 else np.zeros((3, 3))
    np.testing.assert_allclose(
        gaussian.covariance, expected + regularization * np.eye(x.shape[1]), atol=1e-12, rtol=1e-9
    )
    assert np.isfinite(gaussian.log_density(x)).all()


def test_features_of_very_different_units_are_not_singular():
    x = np.random.default_rng(0).standard_normal((20, 2))
    plain = Gaussian().fit(x).log_density(x)
    scaled = Gaussian().fit(x * [1e-9, 1e9])
    np.testing.assert_allclose(scaled.log_density(x * [1e-9, 1e9]), plain, rtol=1e-9)
