"""Planted errors: every one of these must be caught, and by the check that is named beside it.

The errors are those of published code (a missing f'' term, one α for the batch, a NaN at zero)
and their relatives. Each row of the table replaces one function by a broken one; the checks pass
for the code as it is.
"""

import numpy as np
import pytest
from scipy.stats import kstest

from minigan import (
    R1,
    WGANGP,
    Conv2d,
    Dense,
    Flatten,
    LayerNorm,
    LeakyReLU,
    OneSidedPenalty,
    Pack,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    gradcheck,
)
from minigan.layers.activations import Activation
from minigan.layers.affine import Affine
from minigan.layers.layer_norm import _jacobian, _mean, _per_feature
from minigan.regularizers import GradientPenalty

RNG = np.random.default_rng

# --- The checks: True if all is well -------------------------------------------------------------


def network(layers, shape):
    built = Sequential(layers, shape, rng=0, dtype="float64")
    built.parameters[...] = RNG(1).normal(0, 0.8, built.parameters.shape)
    return built


def samples(shape, n=4):
    return RNG(2).normal(size=(2, n, *shape))


def gradient_with(activation, norm=False):
    """The penalty's gradient is the derivative of its value, with this activation."""

    def check(penalty=None):
        normalisation = [LayerNorm(5)] if norm else []
        layers = [Dense(3, 5), *normalisation, activation(), Dense(5, 4), activation()]
        critic = network([*layers, Dense(4, 1)], (3,))
        penalty = WGANGP(2.0) if penalty is None else penalty
        return gradcheck(penalty, critic, *samples((3,)), max_entries=4).passed

    return check


def r1_gradient():
    return gradient_with(Tanh)(R1(2.0))


def lazy_gradient():
    return gradient_with(Tanh)(WGANGP(2.0, every=4))


def packed_gradient():
    critic = network([Pack(2), Dense(6, 4), Tanh(), Dense(4, 1)], (3,))
    return gradcheck(WGANGP(2.0), critic, *samples((3,))).passed


def value_by_definition():
    """weight · mean ρ(‖g‖) on images, with each sample's g by itself, for two kinds of ρ."""
    critic = network([Conv2d(2, 3, 2), Tanh(), Flatten(), Dense(12, 1)], (3, 3, 2))
    real, fake = samples((3, 3, 2))
    one = np.ones((1, 1))

    def norms(points):
        passes = [critic.forward(x[None])[1] for x in points]
        return np.array([np.linalg.norm(critic.backward(one, caches)) for caches in passes])

    alpha = RNG(3).random((4, 1, 1, 1))
    between = norms(alpha * real + (1 - alpha) * fake)
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
    rng = RNG(0)
    ones = np.ones((n, 5))
    return WGANGP().points(ones, 0 * ones, lambda *shape: rng.random(shape), None)


def one_alpha_a_sample():
    drawn = alphas(50)
    return len(np.unique(drawn)) == 50 and not np.ptp(drawn, axis=1).any()


def uniform_alpha():
    drawn = alphas(2000)[:, 0]
    return 0 <= drawn.min() and drawn.max() <= 1 and kstest(drawn, "uniform").pvalue > 0.01


def finite_at_zero():
    critic = network([Dense(3, 5), LeakyReLU(), Dense(5, 1)], (3,))
    critic.parameters[...] = 0
    with np.errstate(all="ignore"):
        value = WGANGP().penalize(critic, *samples((3,)), RNG(0))
    return np.isfinite(value) and np.isfinite(critic.gradients).all()


def spectral_norm_gradient():
    critic = network([SpectralNorm(Dense(3, 4)), Tanh(), SpectralNorm(Dense(4, 1))], (3,))
    return gradcheck(critic, samples((3,))[0], train=False).passed


def spectral_norm_second_gradient():
    """⟨u, dx⟩ in evaluation mode, where σ = uᵀ W v with fixed u and v."""
    critic = network([SpectralNorm(Dense(3, 4)), Tanh(), SpectralNorm(Dense(4, 1))], (3,))
    (x, u), dy = samples((3,)), np.ones((4, 1))

    def trace():
        _, caches = critic.forward(x, train=False)
        return *critic.backward_trace(dy, caches), caches

    def value():
        return (u * trace()[0]).sum()

    critic.zero_gradients()
    critic.double_backward(u, *trace()[1:])
    w, h = critic.parameters, 1e-5
    numerical = np.empty_like(w)
    for i, kept in enumerate(w.copy()):
        w[i] = kept + h
        right = value()
        w[i] = kept - h
        numerical[i] = (right - value()) / (2 * h)
        w[i] = kept
    return np.allclose(critic.gradients, numerical, rtol=1e-6, atol=1e-8)


# --- The errors ----------------------------------------------------------------------------------


def no_curvature(self, u, dy, y):
    return self.backend.activation_gradient(u, y, self.function, self.slope), None


def curvature_without_dy(self, u, dy, y):
    u_dy = self.backend.activation_gradient(u, y, self.function, self.slope)
    if self.piecewise_linear:
        return u_dy, None
    return u_dy, self.backend.activation_curvature(u, np.ones_like(dy), y, self.function)


whole_double_backward = Sequential.double_backward


def no_bias_in_the_down_sweep(self, u, trace, caches):
    kept = {name: g.copy() for name, g in self.named_gradients().items() if "bias" in name}
    u_dy = whole_double_backward(self, u, trace, caches)
    for name, gradient in kept.items():
        self.named_gradients()[name][...] = gradient
    return u_dy


def no_down_sweep(self, u, trace, caches):
    for layer, dy, cache in zip(self.layers, trace, caches, strict=True):
        u, _ = layer.double_backward(u, dy, cache)
    return u


def only_the_lowest_injection(self, u, trace, caches):
    """Each layer's share goes down alone: nothing is added where two meet."""
    shares = []
    for layer, dy, cache in zip(self.layers, trace, caches, strict=True):
        u, share = layer.double_backward(u, dy, cache)
        shares.append(share)
    dy = None
    for layer, cache, share in zip(self.layers[::-1], caches[::-1], shares[::-1], strict=True):
        dy = None if dy is None else layer.backward(dy, cache)
        dy = dy if share is None else share
    return u


def no_weight_term_in_the_up_sweep(self, u, dy, cache):
    return self.apply(u)[0], None


def alpha_for_the_batch(self, real, fake, uniform, batch_total):
    return fake + uniform(*[1] * real.ndim) * (real - fake)


def alpha_for_each_number(self, real, fake, uniform, batch_total):
    return fake + uniform(*real.shape) * (real - fake)


def alpha_from_a_normal(self, real, fake, uniform, batch_total):
    return fake + RNG(0).normal(size=(len(real), *[1] * (real.ndim - 1))) * (real - fake)


def penalty_with(norm_axes=None, seed_scale=1.0, gradient_scale=1.0, lazy=True):
    """`GradientPenalty.add_penalty` with one thing wrong, or none."""

    def add_penalty(self, D, x):
        logits, caches = D.forward(x)
        n = len(logits)
        g, trace = D.backward_trace(np.full_like(logits, seed_scale), caches)
        axes = tuple(range(1, g.ndim)) if norm_axes is None or g.ndim == 2 else norm_axes
        rows = g if len(g) == n else g.reshape(n, -1)
        axes = axes if len(g) == n else (1,)
        value, slope_over_norm = self.rho((rows * rows).sum(axis=axes, keepdims=True) ** 0.5)
        scale = self.weight / value.size
        factor = scale * gradient_scale * (self.every if lazy else 1)
        D.double_backward((rows * (factor * slope_over_norm)).reshape(g.shape), trace, caches)
        return value.sum() * scale

    return add_penalty


def divided_by_n_twice(self, D, x):
    return penalty_with(gradient_scale=1 / len(x))(self, D, x)


def seeded_with_a_mean(self, D, x):
    return penalty_with(seed_scale=1 / len(x))(self, D, x)


def one_norm_a_sample_behind_pack(self, D, x):
    logits, caches = D.forward(x)
    g, trace = D.backward_trace(np.ones_like(logits), caches)
    rows = g.reshape(len(x), -1)
    value, slope_over_norm = self.rho((rows * rows).sum(axis=1, keepdims=True) ** 0.5)
    scale = self.weight / len(logits)
    D.double_backward((rows * (scale * slope_over_norm)).reshape(g.shape), trace, caches)
    return value.sum() * self.weight / len(rows)


def nan_at_zero(self, norms, excess):
    return excess * excess, 2 * excess / norms


def slope_without_norm(self, norms, excess):
    return excess * excess, 2 * excess


def not_one_sided(self, norms):
    return self.of_excess(norms, norms - 1)


def points_are_fakes(self, real, fake, uniform, batch_total):
    return fake


def layer_norm(phi_factor=1.0, v_terms=(1, 1), gamma_gradient=True, whole=True):
    """`LayerNorm.double_backward` with a term left out."""

    def double_backward(self, u, dy, cache):
        normalized, sigma = cache
        g, pushed = dy * self.gamma, _jacobian(u, normalized, sigma)
        if gamma_gradient:
            self.dgamma += _per_feature(pushed * dy)
        v = -v_terms[0] * _mean(g * normalized) * u - v_terms[1] * _mean(u * normalized) * g
        u_x = _jacobian(v / sigma, normalized, sigma)
        u_x -= phi_factor * normalized * _mean(pushed * g) / sigma
        return pushed * self.gamma, u_x if whole else None

    return double_backward


def no_change_of_sigma(self, d_normalized, normalized, sigma, left, right, accumulate):
    self.dweight[...] = self.dweight * accumulate + d_normalized / sigma


def not_divided_by_sigma(self, d_normalized, normalized, sigma, left, right, accumulate):
    inner = (d_normalized * normalized).sum()
    outer = (left[:, None] * right).reshape(normalized.shape)
    self.dweight[...] = self.dweight * accumulate + d_normalized - inner * outer


with_tanh, with_softplus, with_sigmoid = map(gradient_with, (Tanh, Softplus, Sigmoid))
with_leaky_relu, with_layer_norm = gradient_with(LeakyReLU), gradient_with(LeakyReLU, norm=True)
CHECKS = {
    "leaky ReLU": with_leaky_relu,
    "tanh": with_tanh,
    "softplus": with_softplus,
    "sigmoid": with_sigmoid,
    "LayerNorm": with_layer_norm,
    "R1's gradient": r1_gradient,
    "lazy gradient": lazy_gradient,
    "Pack": packed_gradient,
    "value": value_by_definition,
    "one alpha a sample": one_alpha_a_sample,
    "uniform alpha": uniform_alpha,
    "finite at zero": finite_at_zero,
    "SpectralNorm": spectral_norm_gradient,
    "SpectralNorm, second order": spectral_norm_second_gradient,
}

# what is wrong: (class, method, the broken one, the checks that must see it)
SMOOTH = ["tanh", "softplus", "sigmoid"]
MUTANTS = {
    "f'' term dropped": (Activation, "double_backward", no_curvature, SMOOTH),
    "f'' term without dy": (Activation, "double_backward", curvature_without_dy, SMOOTH),
    "no down sweep": (Sequential, "double_backward", no_down_sweep, [*SMOOTH, "LayerNorm"]),
    "down sweep without biases": (
        *(Sequential, "double_backward", no_bias_in_the_down_sweep),
        [*SMOOTH, "LayerNorm", "R1's gradient"],
    ),
    "injections overwrite": (Sequential, "double_backward", only_the_lowest_injection, SMOOTH),
    "up sweep without weights": (
        *(Affine, "double_backward", no_weight_term_in_the_up_sweep),
        ["leaky ReLU", "tanh", "LayerNorm"],
    ),
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
    "NaN at zero": (WGANGP, "of_excess", nan_at_zero, ["finite at zero"]),
    "slope not divided by the norm": (WGANGP, "of_excess", slope_without_norm, ["leaky ReLU"]),
    "one-sided on both sides": (OneSidedPenalty, "rho", not_one_sided, ["value"]),
    "R1 on the fakes": (R1, "points", points_are_fakes, ["value"]),
    "LayerNorm without φ/σ": (LayerNorm, "double_backward", layer_norm(0.0), ["LayerNorm"]),
    "LayerNorm with +φ/σ": (LayerNorm, "double_backward", layer_norm(-1.0), ["LayerNorm"]),
    "LayerNorm without u in v": (
        *(LayerNorm, "double_backward", layer_norm(v_terms=(0, 1))),
        ["LayerNorm"],
    ),
    "LayerNorm without g in v": (
        *(LayerNorm, "double_backward", layer_norm(v_terms=(1, 0))),
        ["LayerNorm"],
    ),
    "LayerNorm without dγ": (
        *(LayerNorm, "double_backward", layer_norm(gamma_gradient=False)),
        ["LayerNorm"],
    ),
    "LayerNorm without u_x": (
        *(LayerNorm, "double_backward", layer_norm(whole=False)),
        ["LayerNorm"],
    ),
    "σ taken as a constant": (
        *(SpectralNorm, "_add_weight_gradient", no_change_of_sigma),
        ["SpectralNorm", "SpectralNorm, second order"],
    ),
    "not divided by σ": (
        *(SpectralNorm, "_add_weight_gradient", not_divided_by_sigma),
        ["SpectralNorm", "SpectralNorm, second order"],
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_code_as_it_is(check):
    assert CHECKS[check]()


@pytest.mark.parametrize(
    "cls, method",
    [(LayerNorm, "double_backward"), (GradientPenalty, "add_penalty")],
    ids=["LayerNorm", "penalty"],
)
def test_the_forms_to_be_broken_are_right_as_long_as_they_are_whole(cls, method, monkeypatch):
    whole = {LayerNorm: layer_norm(), GradientPenalty: penalty_with()}[cls]
    monkeypatch.setattr(cls, method, whole)
    assert all(check() for check in CHECKS.values())


@pytest.mark.parametrize("error", MUTANTS)
def test_errors_are_caught(error, monkeypatch):
    cls, method, broken, seen_by = MUTANTS[error]
    monkeypatch.setattr(cls, method, broken)
    assert seen_by and not any(CHECKS[name]() for name in seen_by)


def test_a_missing_second_derivative_hides_behind_leaky_relu(monkeypatch):
    """Bug 2: exact for piecewise linear networks, and so missed by whoever tests no other."""
    monkeypatch.setattr(Activation, "double_backward", no_curvature)
    assert with_leaky_relu() and with_layer_norm()


def test_a_missing_down_sweep_is_half_wrong(monkeypatch):
    """How wrong bug 2 is: not a matter of rounding."""
    monkeypatch.setattr(Activation, "double_backward", no_curvature)
    critic = network([Dense(3, 5), Tanh(), Dense(5, 1)], (3,))
    assert gradcheck(WGANGP(2.0), critic, *samples((3,))).relative_error > 0.1
