"""Broken backward passes, each of which the gradient checker must reject.

A test of gradients is worth what it catches. Every function below breaks one method in the way
that its docstring says; most are bugs of published code. It gets the original method first.
The pages are what is broken here, so the networks are on backend "reference"; broken forms are in
tests/backend/test_forms.py.
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
    objectives,
    regularizers,
)
from minigan.layers import convolution
from minigan.objectives import Objective

MUTANTS = []


def breaks(owner, method, *, on):
    """Register a replacement of owner.method, to be caught by the check of that name."""

    def register(broken):
        MUTANTS.append(pytest.param(owner, method, broken, on, id=f"{broken.__name__}-{on}"))
        return broken

    return register


def added(original, self, *args):
    """What a call of `add_gradients` would add: dW, db."""
    before = self.dweight.copy(), self.dbias.copy()
    original(self, *args)
    change = self.dweight - before[0], self.dbias - before[1]
    self.dweight, self.dbias = before
    return change


# --- Dense, and what all layers with weights share -----------------------------------------------


@breaks(Dense, "backward", on="square dense")
def dx_without_transpose(original, self, dy, x):
    """dx = dy W."""
    return dy.dot(self.weight)


@breaks(Dense, "add_gradients", on="square dense")
@breaks(Conv2d, "add_gradients", on="square conv")
def dw_transposed(original, self, *args):
    """dW = dyᵀ x: the shapes of a square layer do not tell."""
    dw, db = added(original, self, *args)
    self.dweight += convolution.matrix(dw).T.reshape(dw.shape)
    self.dbias += db


@breaks(Dense, "add_gradients", on="dense")
@breaks(ConvTranspose2d, "add_gradients", on="transposed conv")
def dw_with_the_wrong_x(original, self, dy, x):
    """Each sample's dy meets another sample's x."""
    original(self, dy, x[::-1])


@breaks(Conv2d, "add_gradients", on="conv")
def dw_with_the_wrong_windows(original, self, dy, cache):
    """The same: another sample's windows."""
    columns, shape = cache
    original(self, dy, (columns[::-1], shape))


@breaks(Dense, "add_gradients", on="dense")
@breaks(Conv2d, "add_gradients", on="conv")
@breaks(ConvTranspose2d, "add_gradients", on="transposed conv")
def bias_forgotten(original, self, *args):
    dw, _ = added(original, self, *args)
    self.dweight += dw


@breaks(Dense, "add_gradients", on="dense")
@breaks(Conv2d, "add_gradients", on="conv")
def bias_averaged(original, self, dy, cache):
    """db = mean over the batch, where the loss has its 1/N already."""
    dw, db = added(original, self, dy, cache)
    self.dweight += dw
    self.dbias += db / len(dy)


@breaks(Conv2d, "add_gradients", on="conv")
def bias_summed_over_the_batch_only(original, self, dy, cache):
    dw, _ = added(original, self, dy, cache)
    self.dweight += dw
    self.dbias += dy[:, 0, 0].sum(axis=0)


# --- Convolution ---------------------------------------------------------------------------------


@breaks(convolution, "fold", on="conv")
def padding_off_by_one(original, xp, columns, kernel, stride, padding, size):
    """The gradient of the padded image is cropped one row too early."""
    padded = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    full = original(xp, columns, kernel, stride, (0, 0), padded)
    (top, left), (h, wd) = padding, size
    return full[:, top - 1 : top - 1 + h, left : left + wd]


@breaks(Conv2d, "add_gradients", on="conv")
def windows_shifted(original, self, dy, cache):
    """dW from the windows of a neighbour."""
    columns, shape = cache
    original(self, dy, (np.roll(columns, 1, axis=2), shape))


@breaks(Conv2d, "backward", on="conv")
def kernel_flipped(original, self, *args):
    kept = self.weight.copy()
    self.weight = kept[::-1, ::-1]
    try:
        return original(self, *args)
    finally:
        self.weight = kept


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


@breaks(BatchNorm, "backward", on="batch norm")
def statistics_taken_for_constants(original, self, dy, cache):
    _, sigma, _ = cache
    return self.gamma / sigma * dy


@breaks(BatchNorm, "backward", on="batch norm")
def gamma_forgotten(original, self, dy, cache):
    return original(self, dy, cache) / self.gamma


@breaks(LayerNorm, "backward", on="layer norm")
def each_sample_sums_to_one(original, self, dy, cache):
    """Not the mean of dy but dy itself is removed from dx: a gradient that is off by a constant."""
    dx = original(self, dy, cache)
    return dx + dy.mean(axis=-1, keepdims=True)


# --- Activations and shapes ----------------------------------------------------------------------


@breaks(ReLU, "backward", on="relu")
def mask_from_dy(original, self, dy, y):
    return dy * (dy > 0)


@breaks(LeakyReLU, "backward", on="leaky relu")
def slope_forgotten(original, self, dy, y):
    return dy * (y > 0)


@breaks(Tanh, "backward", on="tanh")
def square_forgotten(original, self, dy, y):
    """tanh' = 1 − y."""
    return dy * (1 - y)


@breaks(Sigmoid, "backward", on="sigmoid")
@breaks(Softplus, "backward", on="softplus")
def value_for_derivative(original, self, dy, y):
    """f' = y."""
    return dy * y


@breaks(Dropout, "backward", on="dropout")
def mask_forgotten(original, self, dy, mask):
    return dy


@breaks(Flatten, "backward", on="flatten")
def columns_first(original, self, dy, shape):
    """The shape is right, the order is Fortran's."""
    return dy.reshape(original(self, dy, shape).shape, order="F")


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


@breaks(objectives, "sigmoid", on="minimax")
@breaks(objectives, "sigmoid", on="non-saturating")
def sigmoid_of_2x(original, xp, x):
    """Bug 6."""
    return original(xp, 2 * x)


# --- The game ------------------------------------------------------------------------------------


@breaks(Sequential, "backward", on="dense GAN")
@breaks(Sequential, "backward", on="conv GAN")
def generators_step_ends_at_the_discriminator(original, self, dy, caches):
    """The fakes are detached in the generator's step, where they must not be."""
    return 0 * original(self, dy, caches)


@breaks(Sequential, "add_gradients", on="dense GAN")
@breaks(Sequential, "add_gradients", on="conv GAN")
def real_gradients_overwritten(original, self, dy, caches):
    """The fake batch's gradients replace the real batch's."""
    self.zero_gradients()
    original(self, dy, caches)


@breaks(Sequential, "forward", on="dense GAN")
def one_cache_for_all(original, self, *args, **options):
    """Bug 5: the real batch's backward pass finds what the fake batch left."""
    y, caches = original(self, *args, **options)
    self.caches = getattr(self, "caches", caches)
    self.caches[:] = caches
    return y, self.caches


@breaks(Sequential, "add_gradients", on="dense GAN")
def caches_flushed_before_the_generator(original, self, dy, caches):
    """Bug 1: the generator's backward pass runs on zeros."""
    if self.output_shape == (2,):
        dy = 0 * dy
    original(self, dy, caches)


# --- Second order --------------------------------------------------------------------------------


@breaks(Tanh, "double_backward", on="gradient penalty")
def second_derivative_forgotten(original, self, *args):
    """Bug 2: exact for ReLU, wrong for every smooth activation."""
    u_dy, u_x = original(self, *args)
    return u_dy, 0 * u_x


@breaks(regularizers, "square_of", on="gradient penalty")
def direction_forgotten(original, excess, norms):
    """ρ' where ρ'(n)/n belongs."""
    value, slope = original(excess, norms)
    return value, slope * norms


# --- The checks ----------------------------------------------------------------------------------


@pytest.fixture
def check(randomized, dense_gan, conv_gan):
    """check(name): the gradient checker's report on the unbroken or broken library."""

    def layer(layer, *shape, n=5, train=True):
        x = np.random.default_rng(1).normal(size=(n, *shape))
        network = randomized([layer], shape, backend="reference")
        return gradcheck(network, x, rng=2, train=train)

    def objective(target):
        rng = np.random.default_rng(1)
        return gradcheck(target, rng.normal(size=(5, 1)), rng.normal(size=(4, 1)), rng=2)

    def game(gan):
        x = np.random.default_rng(1).normal(size=(6, *gan.discriminator.input_shape))
        return gradcheck(gan, x, rng=2, max_entries=8)

    def penalty():
        D = randomized([Dense(2, 5), Tanh(), Dense(5, 1)], (2,), backend="reference")
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
        "dense GAN": lambda: game(dense_gan(backend="reference")),
        "conv GAN": lambda: game(conv_gan(backend="reference")),
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

    def replacement(*args, **options):
        return broken(original, *args, **options)

    monkeypatch.setattr(owner, method, replacement)
    report = check(on)
    assert not report.passed and "WRONG" in str(report)
    assert report.relative_error > 1e-3, "caught, but only just"
