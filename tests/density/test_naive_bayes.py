import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.density import BernoulliNaiveBayes, GaussianNaiveBayes

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=30, database=None)

# Two "digits" of five pixels; the last pixel is never on.
X = np.array(
    [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [1, 1, 0, 1, 0], [0, 0, 1, 1, 0], [0, 1, 1, 1, 0]], float
)
LABELS = np.array([3, 3, 3, 7, 7])


def test_laplace_smoothing_by_hand():
    model = BernoulliNaiveBayes(smoothing=1).fit(X, LABELS)
    assert model.classes.tolist() == [3, 7]
    np.testing.assert_allclose(model.class_prior, [0.6, 0.4])
    np.testing.assert_allclose(
        model.probability,
        [[4 / 5, 3 / 5, 1 / 5, 2 / 5, 1 / 5], [1 / 4, 2 / 4, 3 / 4, 3 / 4, 1 / 4]],
    )


@EXAMPLES
@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from([1e-20, 0.5, 1.0, 10.0]))
def test_probabilities_of_all_binary_images_sum_to_one(d, seed, smoothing):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, (12, d))
    model = BernoulliNaiveBayes(smoothing=smoothing).fit(x, rng.integers(0, 3, 12))
    images = np.array(list(itertools.product([0, 1], repeat=d)))
    assert np.exp(model.log_density(images)).sum() == pytest.approx(1, rel=1e-12)
    assert np.isfinite(model.log_density(images)).all()


def test_bernoulli_conditionals_agree_with_scipy():
    model = BernoulliNaiveBayes(smoothing=0.3).fit(X, LABELS)
    images = np.array(list(itertools.product([0, 1], repeat=5)))
    oracle = np.log(model.class_prior) + np.stack(
        [scipy.stats.bernoulli(p).logpmf(images).sum(axis=1) for p in model.probability], axis=1
    )
    np.testing.assert_allclose(model.log_joint(images), oracle, rtol=1e-10)


def gaussian_data(n=200):
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 5], p=[0.2, 0.5, 0.3], size=n)
    return labels[:, None] * [1.0, -0.5] + rng.standard_normal((n, 2)) * [1, 0.3], labels


def test_gaussian_conditionals_agree_with_scipy():
    x, labels = gaussian_data()
    model = GaussianNaiveBayes(regularization=0.01).fit(x, labels)
    columns = []
    for c in (0, 1, 5):
        group = x[labels == c]
        columns.append(
            np.log(len(group) / len(x))
            + scipy.stats.norm(group.mean(0), np.sqrt(group.var(0) + 0.01)).logpdf(x).sum(axis=1)
        )
    np.testing.assert_allclose(model.log_joint(x), np.stack(columns, axis=1), rtol=1e-10)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_bayes_rule(kind):
    model, x = (
        (BernoulliNaiveBayes().fit(X, LABELS), X)
        if kind == "bernoulli"
        else (GaussianNaiveBayes().fit(*gaussian_data()), gaussian_data()[0])
    )
    joint = np.exp(model.log_joint(x))
    evidence = joint.sum(axis=1)
    np.testing.assert_allclose(np.exp(model.log_density(x)), evidence)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(x)), joint / evidence[:, None])


def test_it_classifies():
    x, labels = gaussian_data()
    model = GaussianNaiveBayes().fit(x, labels)
    predicted = model.classes[model.predict_log_proba(x).argmax(axis=1)]
    assert (predicted == labels).mean() > 0.85


def test_many_pixels_do_not_underflow():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (20, 2000))
    model = BernoulliNaiveBayes().fit(x, np.arange(20) % 10)
    log_joint = model.log_joint(x)
    assert np.exp(log_joint).sum() == 0 and np.isfinite(model.log_density(x)).all()
    np.testing.assert_allclose(np.exp(model.predict_log_proba(x)).sum(axis=1), 1)


def test_an_unseen_pixel_is_not_impossible():
    model = BernoulliNaiveBayes().fit(X, LABELS)
    assert np.isfinite(model.log_density(np.ones((1, 5)))).all()


def test_samples_have_the_frequencies_of_the_model():
    model = BernoulliNaiveBayes().fit(X, LABELS)
    samples = model.sample(20_000, np.random.default_rng(0))
    images = np.array(list(itertools.product([0, 1], repeat=5)))
    code = 2 ** np.arange(4, -1, -1)
    observed = np.bincount((samples @ code).astype(int), minlength=32)
    expected = 20_000 * np.exp(model.log_density(images))
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize("index", [0, 1])
def test_samples_of_one_class(index):
    model = BernoulliNaiveBayes().fit(X, LABELS)
    samples = model.sample(20_000, np.random.default_rng(0), label=model.classes[index])
    np.testing.assert_allclose(samples.mean(axis=0), model.probability[index], atol=0.015)
    x, labels = gaussian_data()
    gaussian = GaussianNaiveBayes().fit(x, labels)
    samples = gaussian.sample(20_000, np.random.default_rng(0), label=int(gaussian.classes[index]))
    np.testing.assert_allclose(samples.mean(axis=0), gaussian.means[index], atol=0.03)
    np.testing.assert_allclose(samples.var(axis=0), gaussian.variances[index], rtol=0.05)


def test_a_constant_pixel_needs_regularization():
    x, labels = gaussian_data()
    x = np.hstack([x, np.where(labels == 1, 0.1, 0.0 * labels + x[:, 0])[:, None]])
    with pytest.raises(ValueError, match=r"feature 2 is constant.*regularization above 0"):
        GaussianNaiveBayes().fit(x, labels)
    model = GaussianNaiveBayes(regularization=1e-4).fit(x, labels)
    assert model.variances[1, 2] == pytest.approx(1e-4)
    assert np.isfinite(model.log_density(x)).all()


def test_bad_input():
    with pytest.raises(ValueError, match="only 0 and 1, got 255"):
        BernoulliNaiveBayes().fit(255 * X, LABELS)
    with pytest.raises(ValueError, match=r"labels: expected one per sample, \(5,\), got \(4,\)"):
        BernoulliNaiveBayes().fit(X, LABELS[:4])
    with pytest.raises(TypeError, match="integers"):
        BernoulliNaiveBayes().fit(X, LABELS.astype(float))
    with pytest.raises(TypeError, match="integers"):
        BernoulliNaiveBayes().fit(X, LABELS.tolist())
    model = BernoulliNaiveBayes().fit(X, LABELS)
    with pytest.raises(ValueError, match=r"one of \[3, 7\], got 4"):
        model.sample(1, np.random.default_rng(0), label=4)
    with pytest.raises(ValueError, match="only 0 and 1"):
        model.predict_log_proba(X / 2)
