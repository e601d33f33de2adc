"""Planted errors in the penalties: each must be caught, and by the check that is named beside it.

The errors are those of published code (one α for the batch, a norm over one axis, a NaN at zero)
and their relatives. Each row of the table replaces one function by a broken one; the checks pass
for the code as it is. Errors in the layers' part: tests/layers/test_second_order_mutants.py.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import kstest

from minigan import (
    R1,
    WGANGP,
    Conv2d,
    Dense,
    Flatten,
    LeakyReLU,
    OneSidedPenalty,
    Pack,
    Tanh,
    get_backend,
    gradcheck,
    regularizers,
)
from minigan.regularizers import GradientPenalty

RNG = np.random.default_rng

# --- The checks: True if all is well -------------------------------------------------------------


def samples(shape, n=4):
    return RNG(2).normal(size=(2, n, *shape))


def gradient_with(activation, penalty):
    """The penalty's gradient is the derivative of its value, with this activation."""

    def check(build):
        layers = [Dense(3, 5), activation(), Dense(5, 4), activation(), Dense(4, 1)]
        return gradcheck(penalty, build(layers, (3,)), *samples((3,)), max_entries=4).passed

    return check


def packed_gradient(build):
    critic = build([Pack(2), Dense(6, 4), Tanh(), Dense(4, 1)], (3,))
    return gradcheck(WGANGP(2.0), critic, *samples((3,))).passed


def value_by_definition(build):
    """weight · mean ρ(‖g‖) on images, with each sample's g by itself, for two kinds of ρ."""
    critic = build([Conv2d(2, 3, 2), Tanh(), Flatten(), Dense(12, 1)], (3, 3, 2))
    critic.layers[-1].weight *= 0.72  # slopes on both sides of 1
    real, fake = samples((3, 3, 2))
    one = np.ones((1, 1))

    def norms(points):
        passes = [critic.forward(x[None])[1] for x in points]
        return np.array([np.linalg.norm(critic.backward(one, caches)) for caches in passes])

    alpha = RNG(3).random((4, 1, 1, 1))
    between = norms(alpha * real + (1 - alpha) * fake)
    assert between.min() < 0.9 < 1.1 < between.max()
    expected = {
        WGANGP(2.0): 2 * ((between - 1) ** 2).mean(),
        OneSidedPenalty(2.0): 2 * (np.maximum(between - 1, 0) ** 2).mean(),
        R1(2.0): (norms(real) ** 2).mean(),
    }
    return all(
        np.isclose(penalty.penalize(critic, real, fake, RNG(3)), value, rtol=1e-10)
        for penalty, value in expected.items()
    )


def alphas(n):
    """The α of each of the numbers of n samples (5,): points between ones and zeros."""
    critic, ones = SimpleNamespace(backend=get_backend("numpy"), dtype="float64"), np.ones((n, 5))
    return WGANGP().points(critic, ones, 0 * ones, RNG(0))


def one_alpha_a_sample(build):
    drawn = alphas(50)
    return len(np.unique(drawn)) == 50 and not np.ptp(drawn, axis=1).any()


def uniform_alpha(build):
    drawn = alphas(2000)[:, 0]
    return 0 <= drawn.min() and drawn.max() <= 1 and kstest(drawn, "uniform").pvalue > 0.01


def finite_at_zero(build):
    critic = build([Dense(3, 5), LeakyReLU(), Dense(5, 1)], (3,))
    critic.parameters[...] = 0
    with np.errstate(all="ignore"):
        value = WGANGP().penalize(critic, *samples((3,)), RNG(0))
    return np.isfinite(value) and np.isfinite(critic.gradients).all()


# --- The errors ----------------------------------------------------------------------------------


def alpha_for_the_batch(self, D, real, fake, rng):
    return fake + rng.random([1] * real.ndim) * (real - fake)


def alpha_for_each_number(self, D, real, fake, rng):
    return fake + rng.random(real.shape) * (real - fake)


def alpha_from_a_normal(self, D, real, fake, rng):
    return fake + RNG(0).normal(size=(len(real), *[1] * (real.ndim - 1))) * (real - fake)


def penalty_with(norm_axes=None, seed_scale=1.0, gradient_scale=1.0, lazy=True):
    """`GradientPenalty.add_penalty` with one thing wrong, or none."""

    def add_penalty(self, D, x, factor=1.0):
        logits, caches = D.forward(x)
        n = len(logits)
        g, trace = D.backward_trace(np.full_like(logits, seed_scale), caches)
        axes = tuple(range(1, g.ndim)) if norm_axes is None or g.ndim == 2 else norm_axes
        rows = g if len(g) == n else g.reshape(n, -1)
        axes = axes if len(g) == n else (1,)
        value, slope_over_norm = self.rho((rows * rows).sum(axis=axes, keepdims=True) ** 0.5)
        scale = self.weight / value.size
        of_gradient = scale * gradient_scale * (factor if lazy else 1)
        D.double_backward((rows * (of_gradient * slope_over_norm)).reshape(g.shape), trace, caches)
        return value.sum() * scale * factor

    return add_penalty


def divided_by_n_twice(self, D, x, factor):
    return penalty_with(gradient_scale=1 / len(x))(self, D, x, factor)


def seeded_with_a_mean(self, D, x, factor):
    return penalty_with(seed_scale=1 / len(x))(self, D, x, factor)


def one_norm_a_sample_behind_pack(self, D, x, factor):
    logits, caches = D.forward(x)
    g, trace = D.backward_trace(np.ones_like(logits), caches)
    rows = g.reshape(len(x), -1)
    value, slope_over_norm = self.rho((rows * rows).sum(axis=1, keepdims=True) ** 0.5)
    scale = factor * self.weight / len(logits)
    D.double_backward((rows * (scale * slope_over_norm)).reshape(g.shape), trace, caches)
    return value.sum() * factor * self.weight / len(rows)


def nan_at_zero(excess, norms):
    return excess * excess, 2 * excess / norms


def slope_without_norm(excess, norms):
    return excess * excess, 2 * excess


def not_one_sided(self, norms):
    return regularizers.square_of(norms - 1, norms)


def points_are_fakes(self, D, real, fake, rng):
    return fake


CHECKS = {
    "leaky ReLU": gradient_with(LeakyReLU, WGANGP(2.0)),
    "R1's gradient": gradient_with(Tanh, R1(2.0)),
    "lazy gradient": gradient_with(Tanh, WGANGP(2.0, every=4)),
    "Pack": packed_gradient,
    "value": value_by_definition,
    "one alpha a sample": one_alpha_a_sample,
    "uniform alpha": uniform_alpha,
    "finite at zero": finite_at_zero,
}

# what is wrong: (class or module, function, the broken one, the checks that must see it)
MUTANTS = {
    "one alpha for the batch": (WGANGP, "points", alpha_for_the_batch, ["one alpha a sample"]),
    "one alpha a number": (WGANGP, "points", alpha_for_each_number, ["one alpha a sample"]),
    "alpha from a normal": (WGANGP, "points", alpha_from_a_normal, ["uniform alpha"]),
    "norm over the height alone": (
        *(GradientPenalty, "add_penalty", penalty_with(norm_axes=(1,))),
        ["value"],
    ),
    "norm over the channels alone": (
        *(GradientPenalty, "add_penalty", penalty_with(norm_axes=(3,))),
        ["value"],
    ),
    "gradient of the mean logit": (GradientPenalty, "add_penalty", seeded_with_a_mean, ["value"]),
    "divided by N twice": (
        *(GradientPenalty, "add_penalty", divided_by_n_twice),
        ["leaky ReLU", "R1's gradient"],
    ),
    "lazy without its factor": (
        *(GradientPenalty, "add_penalty", penalty_with(lazy=False)),
        ["lazy gradient"],
    ),
    "one norm a sample behind Pack": (
        *(GradientPenalty, "add_penalty", one_norm_a_sample_behind_pack),
        ["Pack"],
    ),
    "NaN at zero": (regularizers, "square_of", nan_at_zero, ["finite at zero"]),
    "slope not divided by the norm": (
        regularizers,
        "square_of",
        slope_without_norm,
        ["leaky ReLU"],
    ),
    "one-sided on both sides": (OneSidedPenalty, "rho", not_one_sided, ["value"]),
    "R1 on the fakes": (R1, "points", points_are_fakes, ["value"]),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_code_as_it_is(check, randomized):
    assert CHECKS[check](randomized)


def test_the_form_to_be_broken_is_right_as_long_as_it_is_whole(randomized, monkeypatch):
    monkeypatch.setattr(GradientPenalty, "add_penalty", penalty_with())
    assert all(check(randomized) for check in CHECKS.values())


@pytest.mark.parametrize("error", MUTANTS)
def test_errors_are_caught(error, randomized, monkeypatch):
    owner, function, broken, seen_by = MUTANTS[error]
    monkeypatch.setattr(owner, function, broken)
    assert seen_by and not any(CHECKS[name](randomized) for name in seen_by)
