"""Broken backward passes, each of which the gradient checker must reject.

A test of gradients is worth what it catches. Every function below breaks one method in the way
that its docstring says; most are bugs of published code. It gets the original method first.
"""

import numpy as np
import pytest

from minigan import (
    WGANGP,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Minimax,
    NonSaturating,
    ReLU,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    Wasserstein,
    gradcheck,
)
from minigan.backend import NumpyBackend
from minigan.objectives import Objective

MUTANTS = []


def breaks(owner, method, *, on):
    """Register a replacement of owner.method, to be caught by the check of that name."""

    def register(broken):
        MUTANTS.append(pytest.param(owner, method, broken, on, id=f"{broken.__name__}-{on}"))
        return broken

    return register


# --- Dense, and what all layers with weights share -----------------------------------------------


@breaks(Dense, "backward", on="square dense")
def dx_without_transpose(original, self, dy, *args):
    """dx = dy W."""
    original(self, dy, *args)
    return dy @ self.weight


@breaks(NumpyBackend, "add_product", on="square dense")
@breaks(NumpyBackend, "add_product", on="square conv")
def dw_transposed(original, self, out, a, b, *args):
    """dW = dyᵀ x: the shapes of a square layer do not tell."""
    return original(self, out.T, a, b, *args)


@breaks(NumpyBackend, "add_product", on="dense")
@breaks(NumpyBackend, "add_product", on="conv")
@breaks(NumpyBackend, "add_product", on="transposed conv")
def dw_with_the_wrong_x(original, self, out, a, b, *args):
    """Each sample's dy meets another sample's x."""
    return original(self, out, a[:, ::-1], b, *args)


@breaks(Dense, "backward", on="dense")
@breaks(Conv2d, "backward", on="conv")
@breaks(ConvTranspose2d, "backward", on="transposed conv")
def bias_forgotten(original, self, *args):
    before = self.dbias.copy()
    dx = original(self, *args)
    self.dbias[...] = before
    return dx


@breaks(Dense, "backward", on="dense")
@breaks(Conv2d, "backward", on="conv")
def bias_averaged(original, self, dy, *args):
    """db = mean over the batch, where the loss has its 1/N already."""
    before = self.dbias.copy()
    dx = original(self, dy, *args)
    self.dbias[...] = before + (self.dbias - before) / len(dy)
    return dx


@breaks(Conv2d, "backward", on="conv")
def bias_summed_over_the_batch_only(original, self, dy, *args):
    before = self.dbias.copy()
    dx = original(self, dy, *args)
    self.dbias[...] = before + dy[:, 0, 0].sum(axis=0)
    return dx


# --- Convolution ---------------------------------------------------------------------------------


@breaks(NumpyBackend, "conv_grad_input", on="conv")
def padding_off_by_one(original, self, dy, w, stride, padding, size):
    """The gradient of the padded image is cropped one row too early."""
    padded = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    full = original(self, dy, w, stride, (0, 0), padded)
    (top, left), (h, wd) = padding, size
    return full[:, top - 1 : top - 1 + h, left : left + wd]


@breaks(NumpyBackend, "conv_grad_weight", on="conv")
def windows_shifted(original, self, columns, *args):
    """dW from the windows of a neighbour."""
    return original(self, np.roll(columns, 1, axis=2), *args)


@breaks(NumpyBackend, "conv_grad_input", on="conv")
def kernel_flipped(original, self, dy, w, *args):
    return original(self, dy, w[::-1, ::-1], *args)


@breaks(ConvTranspose2d, "backward", on="transposed conv")
def stride_swapped(original, self, *args):
    """(height, width) taken for (width, height), where the sizes happen to fit."""
    self.stride = self.stride[::-1]
    try:
        return original(self, *args)
    finally:
        self.stride = self.stride[::-1]


# --- Normalization -------------------------------------------------------------------------------


@breaks(BatchNorm, "forward", on="batch norm")
@breaks(BatchNorm, "forward", on="batch norm, eval")
@breaks(BatchNorm, "forward", on="dense GAN")
def backward_of_the_other_mode(original, self, x, train):
    """Bug 4: running statistics going forward, the batch's formula going back, and the reverse."""
    y, _ = original(self, x, train)
    buffers = self.network.buffers.copy()
    _, cache = original(self, x, not train)
    self.network.buffers[...] = buffers
    return y, cache


@breaks(NumpyBackend, "batch_norm_gradient", on="batch norm")
def statistics_taken_for_constants(original, self, dy, centred, inverse, gamma):
    _, dgamma, dbeta = original(self, dy, centred, inverse, gamma)
    return dy * gamma * inverse, dgamma, dbeta


@breaks(NumpyBackend, "batch_norm_gradient", on="batch norm")
def gamma_forgotten(original, self, dy, centred, inverse, gamma):
    return original(self, dy, centred, inverse, np.ones_like(gamma))


@breaks(LayerNorm, "backward", on="layer norm")
def each_sample_sums_to_one(original, self, dy, *args):
    """Not the mean of dy but dy itself is removed from dx: a gradient that is off by a constant."""
    dx = original(self, dy, *args)
    return dx + dy.mean(axis=-1, keepdims=True)


# --- Activations and shapes ----------------------------------------------------------------------


@breaks(NumpyBackend, "activation_gradient", on="relu")
def mask_from_dy(original, self, dy, y, *args):
    return dy * (dy > 0)


@breaks(NumpyBackend, "activation_gradient", on="leaky relu")
def slope_forgotten(original, self, dy, y, *args):
    return dy * (y > 0)


@breaks(NumpyBackend, "activation_gradient", on="tanh")
def square_forgotten(original, self, dy, y, *args):
    """tanh' = 1 − y."""
    return dy * (1 - y)


@breaks(NumpyBackend, "activation_gradient", on="sigmoid")
@breaks(NumpyBackend, "activation_gradient", on="softplus")
def value_for_derivative(original, self, dy, y, *args):
    """f' = y."""
    return dy * y


@breaks(Dropout, "backward", on="dropout")
def mask_forgotten(original, self, dy, *args):
    return dy


@breaks(Flatten, "backward", on="flatten")
def columns_first(original, self, dy, *args):
    """The shape is right, the order is Fortran's."""
    return dy.reshape(original(self, dy, *args).shape, order="F")


# --- Objectives ----------------------------------------------------------------------------------


@breaks(Objective, "discriminator", on="minimax")
@breaks(Objective, "discriminator", on="wasserstein")
def mean_forgotten(original, self, r, f):
    """The gradient of a sum, without 1/N."""
    loss, d_real, d_fake = original(self, r, f)
    return loss, d_real * len(r), d_fake * len(f)


@breaks(Objective, "discriminator", on="minimax")
@breaks(Objective, "discriminator", on="wasserstein")
@breaks(Objective, "discriminator", on="dense GAN")
def wrong_sign_for_fakes(original, self, r, f):
    """Bug 3."""
    loss, d_real, d_fake = original(self, r, f)
    return loss, d_real, -d_fake


@breaks(NonSaturating, "generator", on="non-saturating")
def gradient_of_the_other_loss(original, self, f):
    """The value is −log D, the gradient that of log(1 − D)."""
    return original(self, f)[0], Minimax().generator(f)[1]


@breaks(NumpyBackend, "sigmoid", on="minimax")
@breaks(NumpyBackend, "sigmoid", on="non-saturating")
def sigmoid_of_2x(original, self, x):
    """Bug 6."""
    return original(self, 2 * x)


# --- The game ------------------------------------------------------------------------------------


@breaks(Sequential, "backward", on="dense GAN")
@breaks(Sequential, "backward", on="conv GAN")
def generators_step_ends_at_the_discriminator(original, self, dy, caches, *args, **options):
    """The fakes are detached in the generator's step, where they must not be."""
    dx = original(self, dy, caches, *args, **options)
    return dx if options.get("parameter_gradients", True) else 0 * dx


@breaks(Sequential, "backward", on="dense GAN")
@breaks(Sequential, "backward", on="conv GAN")
def real_gradients_overwritten(original, self, *args, **options):
    """The fake batch's gradients replace the real batch's."""
    return original(self, *args, **(options | {"accumulate": False}))


@breaks(Sequential, "forward", on="dense GAN")
def one_cache_for_all(original, self, *args, **options):
    """Bug 5: the real batch's backward pass finds what the fake batch left."""
    y, caches = original(self, *args, **options)
    self.caches = getattr(self, "caches", caches)
    self.caches[:] = caches
    return y, self.caches


@breaks(Sequential, "backward", on="dense GAN")
def caches_flushed_before_the_generator(original, self, dy, caches, *args, **options):
    """Bug 1: the generator's backward pass runs on zeros."""
    if self.output_shape == (2,):
        dy = 0 * dy
    return original(self, dy, caches, *args, **options)


# --- Second order --------------------------------------------------------------------------------


@breaks(NumpyBackend, "activation_curvature", on="gradient penalty")
def second_derivative_forgotten(original, self, *args):
    """Bug 2: exact for ReLU, wrong for every smooth activation."""
    return 0 * original(self, *args)


@breaks(WGANGP, "of_excess", on="gradient penalty")
def direction_forgotten(original, self, norms, excess):
    """ρ' where ρ'(n)/n belongs."""
    value, slope = original(self, norms, excess)
    return value, slope * norms


# --- The checks ----------------------------------------------------------------------------------


@pytest.fixture
def check(randomized, dense_gan, conv_gan):
    """check(name): the gradient checker's report on the unbroken or broken library."""

    def layer(layer, *shape, n=5, train=True):
        x = np.random.default_rng(1).normal(size=(n, *shape))
        return gradcheck(randomized([layer], shape), x, rng=2, train=train)

    def objective(target):
        rng = np.random.default_rng(1)
        return gradcheck(target, rng.normal(size=(5, 1)), rng.normal(size=(4, 1)), rng=2)

    def game(gan):
        x = np.random.default_rng(1).normal(size=(6, *gan.discriminator.input_shape))
        return gradcheck(gan, x, rng=2, max_entries=8)

    def penalty():
        D = randomized([Dense(2, 5), Tanh(), Dense(5, 1)], (2,))
        return gradcheck(WGANGP(), D, *np.random.default_rng(1).normal(size=(2, 5, 2)), rng=2)

    checks = {
        "dense": lambda: layer(Dense(3, 4), 3),
        "square dense": lambda: layer(Dense(3, 3), 3),
        "conv": lambda: layer(Conv2d(2, 3, (3, 2), 2, 1), 5, 4, 2),
        "square conv": lambda: layer(Conv2d(4, 4, 1), 2, 2, 4),
        "transposed conv": lambda: layer(ConvTranspose2d(2, 3, 2, (3, 2), 0, (0, 1)), 2, 2, 2),
        "batch norm": lambda: layer(BatchNorm(3), 2, 3),
        "batch norm, eval": lambda: layer(BatchNorm(3), 2, 3, train=False),
        "layer norm": lambda: layer(LayerNorm(4), 4),
        "relu": lambda: layer(ReLU(), 3),
        "leaky relu": lambda: layer(LeakyReLU(), 3),
        "tanh": lambda: layer(Tanh(), 3),
        "sigmoid": lambda: layer(Sigmoid(), 3),
        "softplus": lambda: layer(Softplus(), 3),
        "dropout": lambda: layer(Dropout(), 9),
        "flatten": lambda: layer(Flatten(), 2, 3, 2),
        "minimax": lambda: objective(Minimax()),
        "non-saturating": lambda: objective(NonSaturating()),
        "wasserstein": lambda: objective(Wasserstein()),
        "dense GAN": lambda: game(dense_gan()),
        "conv GAN": lambda: game(conv_gan()),
        "gradient penalty": penalty,
    }
    return lambda name: checks[name]()


@pytest.mark.parametrize("on", sorted({mutant.values[3] for mutant in MUTANTS}))
def test_the_unbroken_code_passes(on, check):
    report = check(on)
    assert report.passed, str(report)


@pytest.mark.parametrize("owner, method, broken, on", MUTANTS)
def test_the_broken_code_is_rejected(owner, method, broken, on, check, monkeypatch):
    original = getattr(owner, method)

    def replacement(self, *args, **options):
        return broken(original, self, *args, **options)

    monkeypatch.setattr(owner, method, replacement)
    report = check(on)
    assert not report.passed and "WRONG" in str(report)
    assert report.relative_error > 1e-3, "caught, but only just"
