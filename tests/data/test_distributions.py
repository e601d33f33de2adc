"""Distributions: SciPy's own densities and tests are the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from minigan.data.distributions import Distribution, GaussianMixture

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=30)


class UniformSquare(Distribution):
    """A distribution without a density, to test what the base class does."""

    def __init__(self, extent=(0, 1, 0, 1)):
        super().__init__("square", 2, extent)

    def draw(self, n, rng):
        return rng.random((n, 2))


def mixture(d=2, weights=(0.5, 0.2, 0.3)):
    means = np.arange(3 * d).reshape(3, d) % 4
    return GaussianMixture(means, sigma=0.4, weights=weights)


def test_base_class():
    square = UniformSquare()
    x = square.sample(5, np.random.default_rng(0))
    assert x.shape == (5, 2) and x.dtype == np.float64
    assert not square.has_density
    for ask in (square.log_density, square.density):
        with pytest.raises(NotImplementedError, match="square has no density in closed form"):
            ask(x)
    assert repr(square) == "<UniformSquare 'square', dimension 2>"
    with pytest.raises(TypeError):
        Distribution("nothing", 2, (0, 1, 0, 1))


@pytest.mark.parametrize("extent", [(0, 1), (0, 1, 1, 1), (0, 1, 2, 1), (0, 1, 0, math.inf)])
def test_base_class_refuses_extent(extent):
    with pytest.raises(
        ValueError, match="square: extent: expected finite numbers, min < max for each of 2 axes"
    ):
        UniformSquare(extent)


@pytest.mark.parametrize("distribution", [UniformSquare(), mixture()])
def test_sample_refuses(distribution):
    rng = np.random.default_rng(0)
    for n in (0, -1):
        with pytest.raises(ValueError, match=f"at least 1, got {n}"):
            distribution.sample(n, rng)
    for n in (2.0, "2", None, True, np.float32(3)):
        with pytest.raises(TypeError, match="n: expected an integer"):
            distribution.sample(n, rng)
    for wrong in (None, -1, np.random.RandomState(0), np.random):
        with pytest.raises(TypeError, match=r"numpy\.random\.Generator"):
            distribution.sample(3, wrong)
    # Nothing was drawn by what was refused.
    expected = distribution.sample(3, np.random.default_rng(0))
    assert np.array_equal(distribution.sample(np.int32(3), rng), expected)
    assert np.array_equal(distribution.sample(3, 0), expected)


def test_sample_labelled_refuses():
    with pytest.raises(ValueError, match="at least 1"):
        mixture().sample_labelled(0, np.random.default_rng(0))
    with pytest.raises(TypeError, match="Generator"):
        mixture().sample_labelled(1, None)


def test_density_refuses():
    for wrong in (np.zeros(2), np.zeros((3, 1)), np.zeros((3, 2, 1)), 0.0):
        with pytest.raises(ValueError, match=r"expected points \(n, 2\)"):
            mixture().log_density(wrong)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN or infinity"):
            mixture().density(np.array([[0, bad]]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(means=[0.0, 1.0]), r"means: expected finite numbers \(K, d\)"),
        (dict(means=np.zeros((0, 2))), r"means: expected finite numbers \(K, d\)"),
        (dict(means=[[0, np.nan]]), r"means: expected finite numbers \(K, d\), got \[\[0, nan\]\]"),
        (dict(sigma=0), "sigma: expected one positive, finite number"),
        (dict(sigma=-1), "sigma: expected one positive, finite number"),
        (dict(sigma=np.nan), "sigma: expected one positive, finite number"),
        (dict(sigma=np.inf), "sigma: expected one positive, finite number"),
        (dict(sigma=[[1, 1], [1, 0]]), "sigma: expected one positive, finite number"),
        (dict(sigma=[1, 2]), r"or \(2, 2\) of them, got \[1, 2\]"),
        (dict(weights=[0.5, 0.6]), r"2 numbers of at least 0 that sum to 1, got \[0.5, 0.6\]"),
        (dict(weights=[1.5, -0.5]), "weights: expected 2 numbers of at least 0"),
        (dict(weights=[np.nan, 1]), "weights: expected 2 numbers of at least 0"),
        (dict(weights=[1.0]), r"weights: expected 2 numbers"),
        (dict(extent=(0, 1)), "extent: expected"),
    ],
)
def test_gaussian_mixture_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**{"means": [[0, 0], [1, 1]], "sigma": 1.0, **arguments})


def test_gaussian_mixture_keeps_its_own_constants():
    means, weights = np.zeros((2, 1)), np.array([0.25, 0.75])
    gaussians = GaussianMixture(means, 2, weights)
    means += 7
    weights[:] = 0.5
    assert np.array_equal(gaussians.means, [[0], [0]])
    assert np.array_equal(gaussians.weights, [0.25, 0.75])
    assert gaussians.sigma == 2 and isinstance(gaussians.sigma, float)
    assert gaussians.extent == (-10, 10)
    for array in (gaussians.means, gaussians.weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@EXAMPLES
@given(st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(0, 2**32))
def test_log_density_is_scipys(components, d, isotropic, seed):
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(components, d))
    sigma = rng.uniform(0.2, 2) if isotropic else rng.uniform(0.2, 2, size=(components, d))
    weights = rng.dirichlet(np.ones(components))
    x = rng.normal(size=(7, d)) * 2
    p = np.zeros(7)
    for k in range(components):
        sigma_k = sigma if isotropic else sigma[k]
        covariance = np.eye(d) * np.square(sigma_k)
        p += weights[k] * stats.multivariate_normal(means[k], covariance).pdf(x)
    gaussians = GaussianMixture(means, sigma, weights)
    np.testing.assert_allclose(gaussians.density(x), p, rtol=1e-12)
    np.testing.assert_allclose(gaussians.log_density(x), np.log(p), rtol=1e-11, atol=1e-11)


def test_log_density_does_not_underflow():
    gaussians = GaussianMixture([[0.0], [1.0]], 0.01, weights=[1, 0])  # the second never occurs
    expected = stats.norm(0, 0.01).logpdf(100)  # about -5e7
    np.testing.assert_allclose(gaussians.log_density([[100.0]]), expected, rtol=1e-14)


def test_density_integrates_to_one():
    x = np.linspace(-10, 12, 2001)
    assert mixture(d=1).density(x[:, None]).sum() * (x[1] - x[0]) == pytest.approx(1, abs=1e-12)
    y = np.arange(-4, 8, 0.1)
    points = np.stack(np.meshgrid(y, y), axis=-1).reshape(-1, 2)
    assert mixture().density(points).sum() * 0.1**2 == pytest.approx(1, abs=1e-12)


def test_samples_follow_the_density_in_one_dimension():
    gaussians = mixture(d=1)

    def cdf(x):
        return stats.norm.cdf(np.subtract.outer(x, gaussians.means[:, 0]) / 0.4) @ [0.5, 0.2, 0.3]

    x = gaussians.sample(5000, np.random.default_rng(1))[:, 0]
    assert stats.kstest(x, cdf).pvalue > 1e-3
    # The test has the power to see a wrong sigma.
    wrong = GaussianMixture(gaussians.means, 0.6, gaussians.weights)
    x = wrong.sample(5000, np.random.default_rng(1))[:, 0]
    assert stats.kstest(x, cdf).pvalue < 1e-3


def test_labels_are_those_of_the_samples():
    sigma = [[0.1, 0.2], [1, 2], [3, 4]]
    gaussians = GaussianMixture([[0, 0], [10, 20], [-30, 5]], sigma, weights=[0.5, 0.2, 0.3])
    x, k = gaussians.sample_labelled(6000, np.random.default_rng(2))
    assert x.shape == (6000, 2) and k.shape == (6000,) and k.dtype == np.int64
    observed = np.bincount(k, minlength=3)
    assert stats.chisquare(observed, 6000 * gaussians.weights).pvalue > 1e-3
    z = (x - gaussians.means[k]) / np.array(sigma)[k]
    for component in range(3):
        for axis in range(2):
            assert stats.kstest(z[k == component, axis], "norm").pvalue > 1e-3


def test_a_component_of_weight_zero_is_never_drawn():
    gaussians = mixture(weights=(0.5, 0, 0.5))
    _, k = gaussians.sample_labelled(1000, np.random.default_rng(3))
    assert set(k) == {0, 2}


def test_same_seed_same_bits():
    gaussians = mixture()
    first = gaussians.sample(100, np.random.default_rng(4))
    again = gaussians.sample(100, np.random.default_rng(4))
    labelled, _ = gaussians.sample_labelled(100, np.random.default_rng(4))
    other = gaussians.sample(100, np.random.default_rng(5))
    assert np.array_equal(first, again) and np.array_equal(first, labelled)
    assert not np.isin(first, other).any()
