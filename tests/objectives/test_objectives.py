"""Objectives: values by SciPy, gradients against values, signs, and extreme logits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import check_grad
from scipy.special import expit, log_expit

from minigan import OBJECTIVES, Minimax, NonSaturating, gradcheck
from minigan.objectives import get_objective


def cross_entropy(r, f):
    return -log_expit(r).mean() - log_expit(-f).mean()


# name: discriminator's loss of (r, f), generator's of f (or of f and r), with D = expit(logit)
VALUES = {
    "minimax": (cross_entropy, lambda f: log_expit(-f).mean()),
    "non-saturating": (cross_entropy, lambda f: -log_expit(f).mean()),
    "maximum-likelihood": (cross_entropy, lambda f: -np.exp(f).mean()),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
    "absolute-error": (
        lambda r, f: ((1 - expit(r)).mean() + expit(f).mean()) / 2,
        lambda f: -expit(f).mean() / 2,
    ),
    "least-squares": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda f: ((f - 1) ** 2).mean() / 2,
    ),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        lambda f: -f.mean(),
    ),
    "relativistic": (
        lambda r, f: -log_expit(r - f).mean(),
        lambda f, r: -log_expit(f - r).mean(),
    ),
    "relativistic-average": (
        lambda r, f: -log_expit(r - f.mean()).mean() - log_expit(r.mean() - f).mean(),
        lambda f, r: -log_expit(f - r.mean()).mean() - log_expit(f.mean() - r).mean(),
    ),
    "kl": (lambda r, f: np.exp(f - 1).mean() - r.mean(), lambda f: -np.exp(f - 1).mean()),
    "reverse-kl": (lambda r, f: np.exp(-r).mean() + (f - 1).mean(), lambda f: (1 - f).mean()),
    "pearson": (
        lambda r, f: np.where(f < -2, -1, f**2 / 4 + f).mean() - r.mean(),
        lambda f: -np.where(f < -2, -1, f**2 / 4 + f).mean(),
    ),
    "squared-hellinger": (
        lambda r, f: np.expm1(-r).mean() + np.expm1(f).mean(),
        lambda f: -np.expm1(f).mean(),
    ),
}
UNBOUNDED = {"maximum-likelihood", "kl", "reverse-kl", "squared-hellinger"}  # exponentials
RELATIVISTIC = {"relativistic", "relativistic-average"}
objectives = pytest.mark.parametrize("name", OBJECTIVES)


def generators_value(name, f, r):
    """The generator's loss, which sees real samples where it is relativistic."""
    return VALUES[name][1](*((f, r) if name in RELATIVISTIC else (f,)))


def logits(low=-15.0, high=15.0):
    numbers = st.floats(low, high, width=32)
    return st.integers(1, 6).flatmap(lambda n: arrays("float64", (n, 1), elements=numbers))


def random_logits(seed=0, name=None):
    """r and f, as many of one as of the other only where they are compared in pairs."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(6, 1)), rng.normal(size=(6 if name == "relativistic" else 4, 1))


@objectives
@settings(max_examples=10)
@given(r=logits(), f=logits())
def test_value(name, r, f):
    if name == "relativistic":
        r, f = r[: len(f)], f[: len(r)]
    objective, value = get_objective(name), VALUES[name][0](r, f)
    np.testing.assert_allclose(objective.discriminator(r, f)[0], value, rtol=1e-12, atol=1e-12)
    value = generators_value(name, f, r)
    np.testing.assert_allclose(objective.generator(f, r)[0], value, rtol=1e-12, atol=1e-12)


@objectives
@settings(max_examples=6)
@given(seed=st.integers(0, 999))
def test_gradient_is_that_of_the_value(name, seed):
    report = gradcheck(get_objective(name), *random_logits(seed, name), rng=1)
    assert report.passed, str(report)
    assert {row.name for row in report.rows} == {
        "real_logits (D)",
        "fake_logits (D)",
        "fake_logits (G)",
    }


@objectives
def test_scipy_confirms_the_gradient(name):
    objective, (value_d, _) = get_objective(name), VALUES[name]
    r, f = random_logits(name=name)
    _, d_real, d_fake = objective.discriminator(r, f)
    assert d_real.shape == r.shape and d_fake.shape == f.shape
    for value, gradient, start in (
        (lambda x: value_d(x[:, None], f), d_real, r),
        (lambda x: value_d(r, x[:, None]), d_fake, f),
        (lambda x: generators_value(name, x[:, None], r), objective.generator(f, r)[1], f),
    ):
        assert check_grad(value, lambda _, g=gradient: g.ravel(), start.ravel()) < 1e-6


@objectives
def test_sign_convention(name):
    """Bug 3: both minimise; D pushes real logits up and fake ones down, G pushes fake ones up."""
    logit = np.array([[0.1], [0.5], [0.9]])
    _, d_real, d_fake = get_objective(name).discriminator(logit, logit)
    _, g_fake = get_objective(name).generator(logit, logit)
    assert (d_real < 0).all() and (d_fake > 0).all() and (g_fake < 0).all()


@objectives
def test_a_loss_is_a_mean(name):
    """The same samples twice change neither the loss nor the gradient's sum: 1/N is in it."""
    r, f = random_logits(name=name)
    objective, times = get_objective(name), (3, 3) if name == "relativistic" else (2, 3)
    more = [np.tile(logits, (k, 1)) for logits, k in zip((r, f), times, strict=True)]
    once, twice = objective.discriminator(r, f), objective.discriminator(*more)
    np.testing.assert_allclose([a.sum() for a in once], [a.sum() for a in twice], rtol=1e-12)
    once, twice = objective.generator(f, r), objective.generator(*more[::-1])
    np.testing.assert_allclose([a.sum() for a in once], [a.sum() for a in twice], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(set(OBJECTIVES) - UNBOUNDED))
@pytest.mark.parametrize("size", [0, 40, 100, 1e4])
def test_extreme_logits(name, dtype, size):
    """Bug 11: log(1 − σ(40)) is −inf even in float64; through softplus nothing overflows."""
    r = np.array([[size], [-size]], dtype)
    objective = get_objective(name)
    for loss, *gradients in (objective.discriminator(r, -r), objective.generator(r, -r)):
        assert np.isfinite(loss) and loss.dtype == dtype
        assert all(np.isfinite(g).all() and g.dtype == dtype for g in gradients)
    if name == "minimax":
        np.testing.assert_allclose(
            objective.discriminator(r, -r)[0], max(size, 2 * np.log(2)), rtol=1e-6
        )


@pytest.mark.parametrize("name", sorted(UNBOUNDED))
def test_exponentials_overflow_only_where_they_say(name):
    """A logit of 88 and no further for a fake, of −88 for a real sample; never the other way."""
    objective = get_objective(name)
    assert np.isfinite(objective.generator(np.array([[88], [-1e4]], "float32"))[0])
    real, fake = np.array([[[-88], [1e4]], [[88], [-1e4]]], "float32")
    assert np.isfinite(objective.discriminator(real, fake)[0])


def test_saturation():
    """Where D is sure of its case, minimax's gradient is gone, and non-saturating's is whole."""
    f = np.array([[-20.0]])
    assert abs(Minimax().generator(f)[1]) < 1e-8 < 0.99 < abs(NonSaturating().generator(f)[1])


@objectives
def test_undecided_losses(name):
    zero = np.zeros((1, 1))
    expected = [VALUES[name][0](zero, zero), generators_value(name, zero, zero)]
    np.testing.assert_allclose(OBJECTIVES[name]().undecided_losses(), expected, rtol=1e-12)


@pytest.mark.parametrize("make", [Minimax, NonSaturating])
def test_label_smoothing(make):
    objective, (r, f) = make(real_label=0.9), random_logits()
    expected = -(0.9 * log_expit(r) + 0.1 * log_expit(-r)).mean() - log_expit(-f).mean()
    loss, d_real, _ = objective.discriminator(r, f)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    np.testing.assert_allclose(d_real, (expit(r) - 0.9) / len(r), rtol=1e-12)
    assert gradcheck(objective, r, f).passed
    assert objective.generator(f)[0] == make().generator(f)[0]


@pytest.mark.parametrize("name", sorted(RELATIVISTIC))
def test_a_relativistic_generator_needs_the_real_logits(name):
    """And both players see nothing but differences: all logits 5 higher is the same game."""
    objective, (r, f) = get_objective(name), random_logits(name=name)
    with pytest.raises(TypeError, match="real_logits"):
        objective.generator(f)
    for loss, moved in (
        (objective.discriminator(r, f), objective.discriminator(r + 5, f + 5)),
        (objective.generator(f, r), objective.generator(f + 5, r + 5)),
    ):
        for a, b in zip(loss, moved, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_pairs_are_of_as_many_fakes_as_real_samples():
    with pytest.raises(ValueError, match="as many fakes as real ones, got 4, 6"):
        get_objective("relativistic").discriminator(*random_logits())


def test_names():
    assert set(OBJECTIVES) == set(VALUES)
    objective = NonSaturating()
    assert get_objective(objective) is objective
    assert repr(objective) == "NonSaturating()"
