"""f-GAN: the objectives are the divergences that they are named after.

Between two Gaussians the divergences have closed forms, which nothing here shares with the code.
"""

import numpy as np
import pytest
from scipy.integrate import quad, simpson
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from minigan import OBJECTIVES
from minigan.objectives import FDivergence, get_objective

P, Q = norm(0, 1), norm(0.5, 1.3)


def kl(a, b):
    """KL between two Gaussians."""
    (m, s), (n, t) = (d.args for d in (a, b))
    return np.log(t / s) + (s * s + (m - n) ** 2) / (2 * t * t) - 0.5


def affinity(a, b):
    """∫ √(p q)."""
    (m, s), (n, t) = (d.args for d in (a, b))
    total = s * s + t * t
    return np.sqrt(2 * s * t / total) * np.exp(-((m - n) ** 2) / (4 * total))


def chi_squared(a, b):
    """∫ p² / q − 1, finite for s² < 2 t²."""
    (m, s), (n, t) = (d.args for d in (a, b))
    rest = 2 * t * t - s * s
    return t * t / (s * np.sqrt(rest)) * np.exp((m - n) ** 2 / rest) - 1


# the divergence in closed form; f; the logit of the best discriminator for a ratio u = p / q
DIVERGENCES = {
    "kl": (kl, lambda u: u * np.log(u), lambda u: 1 + np.log(u)),
    "reverse-kl": (lambda a, b: kl(b, a), lambda u: -np.log(u), np.log),
    "pearson": (chi_squared, lambda u: (u - 1) ** 2, lambda u: 2 * (u - 1)),
    "squared-hellinger": (
        lambda a, b: 2 - 2 * affinity(a, b),
        lambda u: (np.sqrt(u) - 1) ** 2,
        lambda u: np.log(u) / 2,
    ),
}
divergences = pytest.mark.parametrize("name", DIVERGENCES)


GRID = np.linspace(-12, 12, 4001)


def integral(function):
    return quad(function, -12, 12, limit=200)[0]


def value(objective, logits):
    """−D's loss for the densities P and Q, D given on the grid."""
    real, fake, _, _ = objective.discriminator_terms(logits, logits)
    return -simpson(P.pdf(GRID) * real + Q.pdf(GRID) * fake, x=GRID)


def ratio(x, q=Q):
    return np.exp(P.logpdf(x) - q.logpdf(x))


def test_all_of_them():
    named = {name for name, cls in OBJECTIVES.items() if issubclass(cls, FDivergence)}
    assert named == set(DIVERGENCES)


@divergences
def test_value_of_the_best_discriminator_is_the_divergence(name):
    closed_form, f, best = DIVERGENCES[name]
    objective, logits = get_objective(name), best(ratio(GRID))
    found = value(objective, logits)
    assert found == pytest.approx(closed_form(P, Q), rel=1e-8)
    assert found == pytest.approx(integral(lambda x: Q.pdf(x) * f(ratio(x))), rel=1e-8)
    for change in (np.sin(GRID), np.cos(GRID), np.exp(-(GRID**2))):
        for size in (-0.3, 0.3):  # any other discriminator has a smaller value
            assert value(objective, logits + size * change) < found - 1e-3


@divergences
def test_conjugate_by_its_definition(name):
    """f*(t) = max_u (u t − f(u)) at t = g(v), and g rises."""
    _, f, _ = DIVERGENCES[name]
    objective, v = get_objective(name), np.linspace(-3, 2, 11)[:, None]
    t, slope = objective.output(v)
    conjugate, _ = objective.conjugate(v)
    assert (slope > 0).all() and (np.diff(t[:, 0]) > 0).all()
    for target, found in zip(t[:, 0], conjugate[:, 0], strict=True):
        best = minimize_scalar(
            lambda s, t=target: f(np.exp(s)) - t * np.exp(s),  # over u = exp(s) > 0
            bounds=(-30, 10),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert found == pytest.approx(-best.fun, abs=1e-6)


@divergences
def test_gradient_of_the_generator_is_that_of_the_divergence(name):
    """q = N(θ, 1.3), D the best one for this θ: moving the fakes moves the divergence so much."""
    closed_form, _, best = DIVERGENCES[name]
    n, h = 20_000, 1e-5
    fakes = Q.ppf((np.arange(n) + 0.5) / n)

    def logits(x):
        return best(ratio(x))[:, None]

    moves = (logits(fakes + h) - logits(fakes - h)) / (2 * h)  # dv/dx, as θ moves every fake
    _, gradient = get_objective(name).generator(logits(fakes))
    right, left = (closed_form(P, norm(0.5 + d, 1.3)) for d in (1e-4, -1e-4))
    assert (gradient * moves).sum() == pytest.approx((right - left) / 2e-4, rel=1e-3)


def test_jensen_shannon_and_total_variation_have_other_names():
    """f-GAN's rows for them, at any logits, are `Minimax` and `AbsoluteError`."""
    rng = np.random.default_rng(0)
    r, f = rng.normal(size=(2, 6, 1))

    def js_output(v):
        return np.log(2) - np.log1p(np.exp(-v))

    js = -np.log(2 - np.exp(js_output(f)))  # f*(t) = −log(2 − exp t)
    expected = js.mean() - js_output(r).mean()
    loss, *_ = get_objective("minimax").discriminator(r, f)
    assert loss - np.log(4) == pytest.approx(expected, 1e-12)
    variation = np.tanh(f / 2).mean() / 2 - np.tanh(r / 2).mean() / 2  # f*(t) = t, |t| <= 1/2
    loss, *_ = get_objective("absolute-error").discriminator(r, f)
    assert 2 * loss - 1 == pytest.approx(variation, 1e-12)
