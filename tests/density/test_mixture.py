import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.density import EMMixture, Gaussian

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=20, database=None)

WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS = np.array([[0.0, 0.0], [4.0, 4.0], [-4.0, 3.0]])
COVARIANCES = np.array([[[1, 0.6], [0.6, 1]], [[0.5, 0], [0, 1.5]], [[0.8, -0.3], [-0.3, 0.4]]])


def three_gaussians(n, seed=0):
    rng = np.random.default_rng(seed)
    counts = (WEIGHTS * n).astype(int)
    parts = zip(MEANS, COVARIANCES, counts, strict=True)
    return np.concatenate([rng.multivariate_normal(m, c, size=k) for m, c, k in parts])


def scipy_log_density(mixture, x):
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    return np.log(sum(w * scipy.stats.multivariate_normal(m, c).pdf(x) for w, m, c in parts))


def test_em_recovers_a_known_mixture():
    mixture = EMMixture(3).fit(three_gaussians(4000), np.random.default_rng(0))
    assert mixture.converged
    order = [np.argmin(((mixture.means - m) ** 2).sum(axis=1)) for m in MEANS]
    np.testing.assert_allclose(mixture.weights[order], WEIGHTS, atol=0.02)
    np.testing.assert_allclose(mixture.means[order], MEANS, atol=0.1)
    np.testing.assert_allclose(mixture.covariances[order], COVARIANCES, atol=0.15)


def test_density_and_responsibilities_agree_with_scipy():
    x = three_gaussians(300)
    mixture = EMMixture(3).fit(x, np.random.default_rng(0))
    np.testing.assert_allclose(mixture.log_density(x), scipy_log_density(mixture, x), rtol=1e-9)
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    joint = np.stack([w * scipy.stats.multivariate_normal(m, c).pdf(x) for w, m, c in parts], 1)
    np.testing.assert_allclose(
        mixture.responsibilities(x), joint / joint.sum(axis=1, keepdims=True), atol=1e-12
    )


def test_history_is_the_penalised_log_likelihood_of_what_is_returned():
    x = three_gaussians(300)
    for iterations in (1, 3, 500):
        mixture = EMMixture(3, regularization=0.1, max_iterations=iterations)
        mixture.fit(x, np.random.default_rng(0))
        penalty = sum(np.trace(np.diag(x.var(axis=0)) @ np.linalg.inv(c)) * 0.1 / 6
                      for c in mixture.covariances)  # fmt: skip
        expected = scipy_log_density(mixture, x).mean() - penalty
        assert mixture.history[-1] == pytest.approx(expected, rel=1e-9)
        assert mixture.converged == (iterations == 500)
        assert len(mixture.history) <= iterations + 1
    assert len(mixture.history) > 5


@EXAMPLES
@given(
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-6, 1e-3, 1e-1, 10.0]),
)
def test_the_history_never_falls(components, d, seed, regularization):
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.standard_normal((30, d)), 0.1 * rng.standard_normal((10, d)) + 2])
    mixture = EMMixture(components, regularization=regularization, max_iterations=40)
    history = mixture.fit(x, rng).history
    assert (np.diff(history) >= -1e-12 * np.abs(history[1:]).max(initial=1)).all()
    assert history[-1] > history[0]


def test_the_plain_likelihood_never_falls_either():
    mixture = EMMixture(3, regularization=0).fit(three_gaussians(500), np.random.default_rng(0))
    assert (np.diff(mixture.history) >= -1e-13).all()
    assert mixture.history[-1] > mixture.history[0] + 0.1


def test_the_tolerance_stops_it():
    x = three_gaussians(500)
    loose, tight = (
        EMMixture(3, tolerance=t).fit(x, np.random.default_rng(1)) for t in (1e-2, 1e-9)
    )
    assert loose.converged and tight.converged
    assert len(loose.history) < len(tight.history)
    assert loose.history[-1] - loose.history[-2] <= 1e-2 < loose.history[-2] - loose.history[-3]


def test_one_component_is_a_gaussian():
    x = three_gaussians(200)
    mixture = EMMixture(1, regularization=0.01).fit(x, np.random.default_rng(0))
    covariance = Gaussian().fit(x).covariance + 0.01 * np.diag(x.var(axis=0))
    np.testing.assert_allclose(mixture.covariances[0], covariance, rtol=1e-10)
    oracle = scipy.stats.multivariate_normal(x.mean(axis=0), covariance)
    np.testing.assert_allclose(mixture.log_density(x), oracle.logpdf(x), rtol=1e-10)


def test_samples_come_from_the_components_in_their_proportions():
    mixture = EMMixture(3).fit(three_gaussians(1000), np.random.default_rng(0))
    samples = mixture.sample(5000, np.random.default_rng(1))
    counts = np.bincount(mixture.responsibilities(samples).argmax(axis=1), minlength=3)
    np.testing.assert_allclose(counts / 5000, mixture.weights, atol=0.025)


def test_components_on_a_point_stay_finite():
    """Copies of one sample pull a component down to a point: the likelihood is unbounded."""
    x = np.concatenate([three_gaussians(200), np.full((20, 2), 9.0)])
    mixture = EMMixture(4).fit(x, np.random.default_rng(0))
    assert np.isfinite(mixture.history).all() and np.isfinite(mixture.log_density(x)).all()
    assert np.linalg.eigvalsh(mixture.covariances).min() > 0
    with pytest.raises(ValueError, match=r"component \d is singular.*regularization"):
        EMMixture(4, regularization=0).fit(x, np.random.default_rng(0))


def test_more_components_than_the_data_need():
    x = np.repeat(np.array([[0.0], [1.0], [5.0]]), 5, axis=0)
    mixture = EMMixture(3, regularization=1e-4).fit(x, np.random.default_rng(0))
    np.testing.assert_allclose(np.sort(mixture.means[:, 0]), [0, 1, 5], atol=1e-6)
    np.testing.assert_allclose(mixture.covariances.ravel(), 1e-4 * x.var(), rtol=1e-6)
    with pytest.raises(ValueError, match=r"at least 4 distinct samples.*got 3"):
        EMMixture(4).fit(x, np.random.default_rng(0))
    for components in (1, 3):
        with pytest.raises(ValueError, match="at least 2 distinct samples, got 1"):
            EMMixture(components).fit(np.full((5, 2), 0.1), np.random.default_rng(0))


def test_a_component_that_owns_nothing_keeps_its_place():
    mixture = EMMixture(2)
    x = three_gaussians(50)
    responsibilities = np.zeros((len(x), 2))
    responsibilities[:, 0] = 1
    means, covariances = np.ones((2, 2)), np.stack([np.eye(2), 3 * np.eye(2)])
    weights, new_means, new_covariances = mixture._maximise(
        x, np.zeros(2), responsibilities, means, covariances
    )
    assert weights.tolist() == [1, 0]
    assert (means == 1).all() and (covariances[0] == np.eye(2)).all()
    assert (new_means[1] == 1).all() and (new_covariances[1] == 3 * np.eye(2)).all()
    np.testing.assert_allclose(new_means[0], x.mean(axis=0))


def test_a_component_of_weight_zero_counts_for_nothing():
    x = three_gaussians(50)
    mixture = EMMixture(2).fit(x, np.random.default_rng(0))
    mixture.weights = np.array([1.0, 0.0])
    oracle = scipy.stats.multivariate_normal(mixture.means[0], mixture.covariances[0])
    with np.errstate(divide="raise", invalid="raise"):
        np.testing.assert_allclose(mixture.log_density(x), oracle.logpdf(x), rtol=1e-9)
        assert (mixture.responsibilities(x) == [1, 0]).all()


def test_the_seeds_are_far_apart():
    """Two distant clusters, one of them small: plain random seeding misses it most of the time."""
    x = np.concatenate([np.random.default_rng(0).standard_normal((400, 2)), [[100.0, 100.0]] * 4])
    for seed in range(10):
        means = EMMixture(2)._seed(x, np.zeros(2), np.random.default_rng(seed))[1]
        assert np.linalg.norm(means[0] - means[1]) > 90


def test_the_same_seed_gives_the_same_fit():
    x = three_gaussians(200)
    first, again = (EMMixture(3).fit(x, np.random.default_rng(4)) for _ in range(2))
    assert (first.means == again.means).all() and (first.history == again.history).all()


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 0.1, 1e3, 1e9])
@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize("regularization", [1e-6, 1e-2])
def test_the_place_and_the_scale_of_the_data_do_not_matter(scale, offset, regularization):
    """scale · (x + offset) is fitted by the same Gaussians, moved and scaled."""
    x = three_gaussians(300)
    there = scale * (x + offset)
    near, far = (
        EMMixture(3, regularization=regularization).fit(a, np.random.default_rng(0))
        for a in (x, there)
    )
    np.testing.assert_allclose(far.means, scale * (near.means + offset), rtol=1e-7)
    np.testing.assert_allclose(
        far.covariances, scale**2 * near.covariances, rtol=1e-5, atol=1e-6 * scale**2
    )
    np.testing.assert_allclose(
        far.log_density(there), near.log_density(x) - 2 * np.log(scale), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("units", [[1e-3, 1e-3], [1, 1e-3], [1e6, 1e-6]])
def test_the_default_regularization_widens_nothing_in_any_units(units):
    """One component is then the Gaussian of maximum likelihood, feature by feature."""
    x = three_gaussians(300) * units
    mixture = EMMixture(1).fit(x, np.random.default_rng(0))
    np.testing.assert_allclose(mixture.covariances[0], np.cov(x.T, bias=True), rtol=1e-5)


def test_a_constant_feature_counts_as_the_others_do_on_average():
    x = np.hstack([three_gaussians(300), np.full((300, 1), 0.1)])
    mixture = EMMixture(1, regularization=1e-3).fit(x, np.random.default_rng(0))
    assert mixture.covariances[0, 2, 2] == pytest.approx(1e-3 * x.var(axis=0).mean(), rel=1e-9)
    assert mixture.covariances[0, 0, 0] == pytest.approx(1.001 * x[:, 0].var(), rel=1e-9)


def test_rng_is_required():
    with pytest.raises(TypeError, match="rng"):
        EMMixture(2).fit(three_gaussians(20), 0)
