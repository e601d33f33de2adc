"""Planted errors in the second derivatives: each must be caught by the check named beside it.

The errors are those of published code (a missing f'' term above all) and their relatives. Each row
of the table replaces one function by a broken one; the checks pass for the code as it is. Errors
in the penalties themselves: tests/regularizers/test_mutants.py.
"""

import numpy as np
import pytest

from minigan import (
    R1,
    WGANGP,
    AvgPool2d,
    Block,
    Dense,
    Flatten,
    FourierFeatures,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    Reshape,
    Residual,
    SelfAttention,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    Upsample,
    gradcheck,
)
from minigan.layers.normalization import sum_per_feature

RNG = np.random.default_rng

# --- The checks: True if all is well -------------------------------------------------------------


def samples(shape, n=4):
    return RNG(2).normal(size=(2, n, *shape))


def penalty_gradient(layers, penalty=WGANGP(2.0)):  # noqa: B008
    """The penalty's gradient is the derivative of its value, for a critic of these layers.

    layers: makes all but the first, Dense(3, 5), and the last, Dense(4, 1).
    """

    def check(build):
        critic = build([Dense(3, 5), *layers(), Dense(4, 1)], (3,))
        return gradcheck(penalty, critic, *samples((3,)), max_entries=4).passed

    return check


def of_images(layers):
    """The same for layers of images (2, 1, 2)."""
    return penalty_gradient(
        lambda: [Tanh(), Dense(5, 4), Reshape(2, 1, 2), *layers(), Flatten(), Tanh()]
    )


def gradient_with(activation, norm=False, **options):
    """The same with this activation twice, and LayerNorm before it or not."""
    before = [LayerNorm] if norm else []

    def layers():
        return [*(layer(5) for layer in before), activation(), Dense(5, 4), activation()]

    return penalty_gradient(layers, **options)


def spectral_norm_gradient(build):
    critic = build([SpectralNorm(Dense(3, 4)), Tanh(), SpectralNorm(Dense(4, 1))], (3,))
    return gradcheck(critic, samples((3,))[0], train=False).passed


def spectral_norm_second_gradient(build):
    """⟨u, dx⟩ in evaluation mode, where σ = uᵀ W v with fixed u and v."""
    critic = build([SpectralNorm(Dense(3, 4)), Tanh(), SpectralNorm(Dense(4, 1))], (3,))
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
    return self.backward(u, y), None


def curvature_without_dy(activation):
    """The same for dy = 1, by the activation's own method, which stays as it is."""
    original = activation.double_backward

    def double_backward(self, u, dy, y):
        return original(self, u, np.ones_like(dy), y)

    return double_backward


whole_double_backward = Sequential.double_backward


def no_bias_in_the_down_sweep(self, u, trace, caches):
    kept = {name: g.copy() for name, g in self.named_gradients().items() if "bias" in name}
    u_dy = whole_double_backward(self, u, trace, caches)
    for name, gradient in kept.items():
        self.named_gradients()[name][...] = gradient
    return u_dy


def no_down_sweep(self, u, trace, caches):
    for step, dy, cache in zip(self.steps, trace, caches, strict=True):
        u, _ = step.double_backward(u, dy, cache)
    return u


def only_the_lowest_injection(self, u, trace, caches):
    """Each layer's share goes down alone: nothing is added where two meet."""
    shares = []
    for step, dy, cache in zip(self.steps, trace, caches, strict=True):
        u, share = step.double_backward(u, dy, cache)
        shares.append(share)
    dy = None
    for step, cache, share in zip(self.steps[::-1], caches[::-1], shares[::-1], strict=True):
        dy = None if dy is None else step.backpropagate(dy, cache)
        dy = dy if share is None else share
    return u


def no_weight_term_in_the_up_sweep(self, u, dy, cache):
    return u.dot(self.weight), None


def layer_norm(phi_factor=1.0, v_terms=(1, 1), gamma_gradient=True, whole=True):
    """`LayerNorm.double_backward` with a term left out."""

    def double_backward(self, u, dy, cache):
        normalized, sigma = cache
        g, pushed = dy * self.gamma, self.jacobian(u, normalized, sigma)
        if gamma_gradient:
            self.dgamma += sum_per_feature(pushed * dy)
        v = -v_terms[0] * self.mean(g * normalized) * u - v_terms[1] * self.mean(u * normalized) * g
        u_x = self.jacobian(v / sigma, normalized, sigma)
        u_x -= phi_factor * normalized * self.mean(pushed * g) / sigma
        return pushed * self.gamma, u_x if whole else None

    return double_backward


def fourier(tangent_terms=(1, 1), phase_terms=(1, 1), whole=True):
    """`FourierFeatures.double_backward` with a term left out, or its sign changed."""

    def double_backward(self, u, dy, cache):
        (cos, sin), (_, dy_cos, dy_sin) = cache, self._split(dy)
        t = u @ self.omega
        u_dy = np.concatenate([u, -tangent_terms[0] * t * sin, tangent_terms[1] * t * cos], axis=1)
        u_x = -t * (phase_terms[0] * dy_cos * cos + phase_terms[1] * dy_sin * sin) @ self.omega.T
        return u_dy, u_x if whole else None

    return double_backward


def attention_without(term):
    """`SelfAttention.double_backward` as it would be with one of its parts forgotten."""
    whole = SelfAttention.double_backward

    def double_backward(self, u, dy, cache):
        kept = {name: getattr(self, f"d{name}").copy() for name in self.parameters()}
        u_dy, u_x = whole(self, u, dy, cache)
        if term == "u_x":
            return u_dy, None
        if term == "u_dy":
            return u, u_x
        getattr(self, f"d{term}")[...] = kept[term]
        return u_dy, u_x

    return double_backward


def no_mean(self, u, dy, cache):
    return self.forward(u, False)[0] * self.factor**2, None


def three_times(self, u, dy, cache):
    return self.forward(u, False)[0] * self.factor, None


def up_only(self, u, dy, caches):
    """`Block.double_backward` without its way down."""
    trace = []
    for layer, cache in zip(reversed(self.layers), reversed(caches), strict=True):
        trace.append(dy)
        dy = layer.step.backward(dy, cache)
    for layer, cache in zip(self.layers, caches, strict=True):
        u, _ = layer.step.double_backward(u, trace.pop(), cache)
    return u, None


def residual(paths=(1, 1), curvatures=(1, 1)):
    """`Residual.double_backward` with a path or its curvature left out."""

    def double_backward(self, u, dy, cache):
        f = self.residual.double_backward(u, dy, cache[0])
        s = self.shortcut.double_backward(u, dy, cache[1])
        u_xs = [share for k, (_, share) in zip(curvatures, (f, s), strict=True) if k]
        u_xs = [share for share in u_xs if share is not None]
        return paths[0] * f[0] + paths[1] * s[0], sum(u_xs) if u_xs else None

    return double_backward


def no_change_of_sigma(self, layer, sigma, left, right):
    self.dweight += layer.dweight / sigma


def not_divided_by_sigma(self, layer, sigma, left, right):
    inner = (layer.dweight * layer.weight).sum()
    outer = (left[:, None] * right).reshape(layer.weight.shape)
    self.dweight += layer.dweight - inner * outer


CHECKS = {
    "leaky ReLU": gradient_with(LeakyReLU),
    "tanh": gradient_with(Tanh),
    "softplus": gradient_with(Softplus),
    "sigmoid": gradient_with(Sigmoid),
    "LayerNorm": gradient_with(LeakyReLU, norm=True),
    "FourierFeatures": penalty_gradient(lambda: [FourierFeatures(5, 2), Dense(9, 4), LeakyReLU()]),
    "InstanceNorm": of_images(lambda: [InstanceNorm(2, eps=0.1), Tanh()]),
    "SelfAttention": of_images(lambda: [SelfAttention(2), Tanh()]),
    "AvgPool2d": of_images(lambda: [Tanh(), Upsample(3), Tanh(), AvgPool2d(3)]),
    "Residual": penalty_gradient(
        lambda: [Tanh(), Residual([Tanh(), Dense(5, 4), Tanh()], [Dense(5, 4), Sigmoid()])]
    ),
    "Block": penalty_gradient(lambda: [Tanh(), Block([Dense(5, 4), Softplus()])]),
    "R1's gradient": gradient_with(Tanh, penalty=R1(2.0)),
    "SpectralNorm": spectral_norm_gradient,
    "SpectralNorm, second order": spectral_norm_second_gradient,
}

# what is wrong: (class, method, the broken one, the checks that must see it)
SMOOTH = {"tanh": Tanh, "softplus": Softplus, "sigmoid": Sigmoid}
MUTANTS = {
    **{
        f"f'' term of {name} dropped": (activation, "double_backward", no_curvature, [name])
        for name, activation in SMOOTH.items()
    },
    **{
        f"f'' term of {name} without dy": (
            *(activation, "double_backward", curvature_without_dy(activation)),
            [name],
        )
        for name, activation in SMOOTH.items()
    },
    "no down sweep": (Sequential, "double_backward", no_down_sweep, [*SMOOTH, "LayerNorm"]),
    "down sweep without biases": (
        *(Sequential, "double_backward", no_bias_in_the_down_sweep),
        [*SMOOTH, "LayerNorm", "R1's gradient"],
    ),
    "injections overwrite": (Sequential, "double_backward", only_the_lowest_injection, [*SMOOTH]),
    "up sweep without weights": (
        *(Dense, "double_backward", no_weight_term_in_the_up_sweep),
        ["leaky ReLU", "tanh", "LayerNorm"],
    ),
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
    **{
        f"FourierFeatures {name}": (
            *(FourierFeatures, "double_backward", fourier(**wrong)),
            ["FourierFeatures"],
        )
        for name, wrong in (
            ("without t sin", {"tangent_terms": (0, 1)}),
            ("with +t sin", {"tangent_terms": (-1, 1)}),
            ("without t cos", {"tangent_terms": (1, 0)}),
            ("without cos in u_x", {"phase_terms": (0, 1)}),
            ("without sin in u_x", {"phase_terms": (1, 0)}),
            ("with −sin in u_x", {"phase_terms": (1, -1)}),
            ("without u_x", {"whole": False}),
        )
    },
    **{
        f"SelfAttention without {term}": (
            *(SelfAttention, "double_backward", attention_without(term)),
            ["SelfAttention"],
        )
        for term in ("u_x", "u_dy", "weight", "output", "gamma")
    },
    "InstanceNorm without φ/σ": (
        InstanceNorm,
        "double_backward",
        layer_norm(0.0),
        ["InstanceNorm"],
    ),
    "InstanceNorm without u in v": (
        *(InstanceNorm, "double_backward", layer_norm(v_terms=(0, 1))),
        ["InstanceNorm"],
    ),
    "AvgPool2d: the sum, not the mean": (
        *(AvgPool2d, "double_backward", no_mean),
        ["AvgPool2d"],
    ),
    "Upsample: the copies summed": (
        *(Upsample, "double_backward", three_times),
        ["AvgPool2d"],
    ),
    "Block without its way down": (
        *(Block, "double_backward", up_only),
        ["Block", "Residual"],
    ),
    **{
        f"Residual without {name}": (
            *(Residual, "double_backward", residual(**wrong)),
            ["Residual"],
        )
        for name, wrong in (
            ("its residual path", {"paths": (0, 1)}),
            ("its shortcut", {"paths": (1, 0)}),
            ("the curvature of the residual path", {"curvatures": (0, 1)}),
            ("the curvature of the shortcut", {"curvatures": (1, 0)}),
        )
    },
    "σ taken as a constant": (
        *(SpectralNorm, "add_weight_gradient", no_change_of_sigma),
        ["SpectralNorm", "SpectralNorm, second order"],
    ),
    "not divided by σ": (
        *(SpectralNorm, "add_weight_gradient", not_divided_by_sigma),
        ["SpectralNorm", "SpectralNorm, second order"],
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_code_as_it_is(check, randomized):
    assert CHECKS[check](randomized)


def test_the_form_to_be_broken_is_right_as_long_as_it_is_whole(randomized, monkeypatch):
    monkeypatch.setattr(LayerNorm, "double_backward", layer_norm())
    monkeypatch.setattr(FourierFeatures, "double_backward", fourier())
    monkeypatch.setattr(Residual, "double_backward", residual())
    assert all(check(randomized) for check in CHECKS.values())


@pytest.mark.parametrize("error", MUTANTS)
def test_errors_are_caught(error, randomized, monkeypatch):
    cls, method, broken, seen_by = MUTANTS[error]
    monkeypatch.setattr(cls, method, broken)
    assert seen_by and not any(CHECKS[name](randomized) for name in seen_by)


def test_a_missing_second_derivative_hides_behind_leaky_relu(randomized, monkeypatch):
    """Bug 2: exact for piecewise linear networks, and so missed by whoever tests no other."""
    for activation in (LeakyReLU, *SMOOTH.values()):
        monkeypatch.setattr(activation, "double_backward", no_curvature)
    assert CHECKS["leaky ReLU"](randomized) and CHECKS["LayerNorm"](randomized)


def test_a_missing_down_sweep_is_half_wrong(randomized, monkeypatch):
    """How wrong bug 2 is: not a matter of rounding."""
    monkeypatch.setattr(Tanh, "double_backward", no_curvature)
    critic = randomized([Dense(3, 5), Tanh(), Dense(5, 1)], (3,))
    assert gradcheck(WGANGP(2.0), critic, *samples((3,))).relative_error > 0.1
