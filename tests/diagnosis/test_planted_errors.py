"""Planted errors, each of which the gradient checker must reject.

A test of gradients is worth what it catches. Every function below breaks one method in the way
that its docstring says; most are bugs of published code. It gets the original method first.
Wrong values must show in the numbers; a broken rule must be named.
The pages are what is broken here, so the networks are on backend "reference"; broken forms are in
tests/backend/test_forms.py.
"""

import numpy as np
import pytest

from minigan import (
    GAN,
    R1,
    SGD,
    WGANGP,
    AvgPool2d,
    BatchNorm,
    Block,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    FourierFeatures,
    GlobalSumPool,
    InstanceNorm,
    Layer,
    LayerNorm,
    LeakyReLU,
    MinibatchStd,
    Minimax,
    NonSaturating,
    NormalLatent,
    Pack,
    Relativistic,
    RelativisticAverage,
    ReLU,
    Residual,
    SelfAttention,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    Upsample,
    Wasserstein,
    get_backend,
    gradcheck,
    objectives,
    regularizers,
)
from minigan.games import (
    ConditionalGAN,
    CriticGame,
    CycleGAN,
    FeatureMatchingGAN,
    MomentMatching,
    conditional,
    moment_matching,
)
from minigan.layers import attention, convolution, normalization
from minigan.objectives import Objective, get_objective
from minigan.regularizers import GradientPenalty

MUTANTS = []


def breaks(owner, method, *, on, says=None, least=1e-3):
    """Register a replacement of owner.method, to be caught by the checks of these names.

    says: the rule that must be named. Without it, the numbers must be off by `least`.
    """

    def register(broken):
        for name in on if isinstance(on, tuple) else (on,):
            values = owner, method, broken, name, says, least
            MUTANTS.append(pytest.param(*values, id=f"{broken.__name__}-{name}"))
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


@breaks(Dense, "backward", on="square dense")
def dx_of_the_gradient(original, self, dy, x):
    """dx = dy dWᵀ."""
    return dy.dot(x.T.dot(dy).T)


@breaks(Dense, "add_gradients", on="dense")
@breaks(Conv2d, "add_gradients", on="conv")
@breaks(ConvTranspose2d, "add_gradients", on="transposed conv")
def dw_averaged(original, self, dy, cache):
    dw, db = added(original, self, dy, cache)
    self.dweight += dw / len(dy)
    self.dbias += db


@breaks(Dense, "add_gradients", on="large dense")
@breaks(Dense, "add_gradients", on="larger dense")
@breaks(Conv2d, "add_gradients", on="large conv")
def one_sign_of_thousands(original, self, *args):
    dw, db = added(original, self, *args)
    dw.reshape(-1)[777] *= -1
    self.dweight += dw
    self.dbias += db


@breaks(Dense, "add_gradients", on="large dense")
@breaks(Dense, "add_gradients", on="larger dense")
@breaks(Conv2d, "add_gradients", on="large conv")
def one_of_thousands_forgotten(original, self, *args):
    dw, db = added(original, self, *args)
    dw.reshape(-1)[778] = 0
    self.dweight += dw
    self.dbias += db


@breaks(Dense, "add_gradients", on="larger dense")
@breaks(Conv2d, "add_gradients", on="large conv")
def two_of_thousands_swapped(original, self, *args):
    dw, db = added(original, self, *args)
    flat = dw.reshape(-1)
    flat[[501, 502]] = flat[[502, 501]]
    self.dweight += dw
    self.dbias += db


@breaks(Dense, "add_gradients", on="large dense", least=5e-5)
@breaks(Conv2d, "add_gradients", on=("conv", "black images"), least=5e-5)
@breaks(ConvTranspose2d, "add_gradients", on="transposed conv", least=5e-5)
def dw_a_little_too_large(original, self, *args):
    """By 1e-4."""
    dw, db = added(original, self, *args)
    self.dweight += dw * 1.0001
    self.dbias += db


@breaks(Dense, "backward", on="dense", least=5e-5)
@breaks(Conv2d, "backward", on="conv", least=5e-5)
def dx_a_little_too_large(original, self, *args):
    return original(self, *args) * 1.0001


@breaks(Dense, "backward", on="dense GAN")
@breaks(Conv2d, "backward", on="conv GAN")
def dx_with_the_wrong_sign(original, self, *args):
    return -original(self, *args)


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


@breaks(BatchNorm, "backward", on=("batch norm", "batch norm of images"))
@breaks(LayerNorm, "backward", on="layer norm")
def not_through_sigma(original, self, dy, cache):
    """dx = γ/σ · (dy − mean(dy))."""
    _, sigma, *_ = cache
    g = self.gamma * dy
    axis = 0 if isinstance(self, BatchNorm) else -1
    return (g - g.mean(axis=axis, keepdims=True)) / sigma


@breaks(BatchNorm, "mean", on="batch norm of images")
def mean_over_the_batch_alone(original, self, x):
    """Where x̂ comes from the right one: the sums of dx run over the first axis only."""
    return original(self, x) if x.min() >= 0 else original(self, x[:, :1])


@breaks(BatchNorm, "add_gradients", on=("batch norm", "dense GAN"))
@breaks(LayerNorm, "add_gradients", on="layer norm")
def gradients_of_gamma_and_beta_swapped(original, self, dy, cache):
    self.dgamma += normalization.sum_per_feature(dy)
    self.dbeta += normalization.sum_per_feature(dy * cache[0])


@breaks(BatchNorm, "add_gradients", on="batch norm")
@breaks(LayerNorm, "add_gradients", on="layer norm")
@breaks(InstanceNorm, "add_gradients", on="instance norm")
def beta_averaged(original, self, dy, cache):
    before = self.dbeta.copy()
    original(self, dy, cache)
    self.dbeta = before + (self.dbeta - before) / len(dy)


@breaks(LayerNorm, "jacobian", on="layer norm of images")
def mean_over_the_channels_alone(original, self, v, normalized, sigma):
    """In the backward pass; going forward, over all axes of a sample."""
    mean = v.mean(axis=-1, keepdims=True)
    return (v - mean - normalized * self.mean(v * normalized)) / sigma


@breaks(InstanceNorm, "jacobian", on="instance norm")
def means_of_layer_norm(original, self, v, normalized, sigma):
    return LayerNorm.jacobian(LayerNorm(3), v, normalized, sigma)


@breaks(InstanceNorm, "mean", on="instance norm")
def means_over_the_batch_going_backward(original, self, x):
    """Where x is centred already."""
    mean = original(self, x)
    return mean if abs(mean).max() > 1 else mean * 0 + mean.mean(axis=0)


@breaks(SpectralNorm, "add_weight_gradient", on="spectral norm")
def sigma_taken_for_a_constant(original, self, layer, sigma, left, right):
    self.dweight += layer.dweight / sigma


@breaks(SpectralNorm, "add_weight_gradient", on="spectral norm")
def not_divided_by_sigma(original, self, layer, sigma, left, right):
    original(self, layer, sigma / sigma, left, right)


@breaks(attention, "through_softmax", on="attention")
def softmax_number_by_number(original, da, a):
    """dS = A (1 − A) dA, as for a sigmoid: what a number does to the rest of its row is lost."""
    return a * (1 - a) * da


@breaks(attention, "through_softmax", on="attention")
def softmax_along_the_columns(original, da, a):
    return a * (da - (a * da).sum(axis=-2, keepdims=True))


@breaks(SelfAttention, "backward", on="attention")
def identity_of_attention_forgotten(original, self, dy, cache):
    return original(self, dy, cache) - dy


@breaks(SelfAttention, "to_qkv", on="attention")
def queries_and_keys_confused(original, self, dy, cache):
    dq, dk, dv = np.split(original(self, dy, cache), 3, axis=-1)
    return np.concatenate([dk, dq, dv], axis=-1)


@breaks(SelfAttention, "add_output_gradients", on="attention")
def gamma_not_trained(original, self, dy, p):
    kept = self.dgamma.copy()
    original(self, dy, p)
    self.dgamma = kept


@breaks(Upsample, "backward", on="upsampling")
def gradient_of_one_copy(original, self, dy, cache):
    return dy[:, :: self.factor, :: self.factor].copy()


@breaks(Upsample, "backward", on="upsampling")
def gradients_of_the_copies_averaged(original, self, dy, cache):
    return original(self, dy, cache) / self.factor**2


@breaks(AvgPool2d, "backward", on="average pooling")
def gradient_of_a_sum(original, self, dy, cache):
    return original(self, dy, cache) * self.factor**2


@breaks(GlobalSumPool, "backward", on="sum pooling")
def gradient_of_a_global_mean(original, self, dy, shape):
    return original(self, dy, shape) / (shape[1] * shape[2])


@breaks(Residual, "backward", on=("residual", "projection"))
@breaks(Residual, "backpropagate", on="network of blocks")
def gradient_of_the_shortcut_forgotten(original, self, dy, cache):
    return self.residual.backward(dy, cache[0])


@breaks(Residual, "backward", on=("residual", "projection"))
def gradient_passed_on_by_the_identity_alone(original, self, dy, cache):
    return self.shortcut.backward(dy, cache[1]).copy()


@breaks(Residual, "add_gradients", on="projection")
def projection_not_trained(original, self, dy, cache):
    self.residual.add_gradients(dy, cache[0])
    return self.backward(dy, cache)


@breaks(Block, "backpropagate", on=("residual", "network of blocks"))
def block_forgets_its_first_layer(original, self, dy, caches):
    for layer, cache in zip(self.layers[:0:-1], caches[:0:-1], strict=True):
        dy = layer.step.backpropagate(dy, cache)
    return self.layers[0].step.backward(dy, caches[0]) if self.layers else dy


@breaks(FourierFeatures, "backward", on="fourier")
def cosine_and_sine_swapped(original, self, dy, cache):
    return original(self, dy, cache[::-1])


@breaks(MinibatchStd, "backward", on="minibatch std")
def spread_taken_for_a_constant(original, self, dy, cache):
    return dy[..., :-1].copy()


@breaks(MinibatchStd, "backward", on="minibatch std")
def spread_of_each_sample(original, self, dy, cache):
    """Σ over the batch left out of ds."""
    centred, sigma, count = cache
    return dy[..., :-1] + centred * (dy[..., -1:] / (sigma.size * count) / sigma)


@breaks(Pack, "backward", on="pack")
def packs_unpacked_in_the_wrong_order(original, self, dy, shape):
    split = dy.reshape(*dy.shape[:-1], self.size, -1)[..., ::-1, :]
    return original(self, split.reshape(dy.shape), shape)


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


@breaks(Dropout, "backward", on="dropout")
def another_mask(original, self, dy, mask):
    return dy * mask[::-1]


@breaks(Dropout, "backward", on="dropout")
def mask_without_its_scale(original, self, dy, mask):
    return dy * (mask > 0)


@breaks(LeakyReLU, "backward", on=("leaky relu", "conv GAN"))
def slope_on_the_wrong_side(original, self, dy, y):
    return dy * np.where(y > 0, self.negative_slope, 1)


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
def gradient_of_the_other_loss(original, self, f, r):
    """The value is −log D, the gradient that of log(1 − D)."""
    return original(self, f, r)[0], Minimax().generator(f)[1]


@breaks(RelativisticAverage, "discriminator_terms", on=("relativistic average", "relativistic GAN"))
def means_taken_for_constants(original, self, r, f):
    """A logit's way through the mean of its batch is forgotten."""
    value_real, value_fake, *_ = original(self, r, f)
    sigma = objectives.sigmoid
    return value_real, value_fake, -sigma(np, f.mean() - r), sigma(np, f - r.mean())


@breaks(RelativisticAverage, "discriminator_terms", on=("relativistic", "relativistic average"))
def way_through_the_other_logits_with_the_wrong_sign(original, self, r, f):
    real, fake, d_real, d_fake = Minimax.discriminator_terms(self, r - f.mean(), f - r.mean())
    return real, fake, d_real + self.other(d_fake), d_fake + self.other(d_real)


@breaks(RelativisticAverage, "generator_terms", on=("relativistic", "relativistic average"))
def gradient_of_the_real_samples(original, self, f, r):
    """Both are exchanged, and the wrong one of the two derivatives is taken."""
    *_, d_real = self.discriminator_terms(f, r)
    return original(self, f, r)[0], d_real[: len(f)]


@breaks(Relativistic, "other", on="relativistic")
def gradients_go_to_another_partner(original, self, values):
    """Pairs (r_i, f_i−1): the gradient has to go back from i to i − 1, not on to i + 1."""
    return np.roll(values, 1)


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


@breaks(GradientPenalty, "add_penalty", on=("gradient penalty", "R1"))
def penalty_without_its_weight(original, self, D, x, factor):
    """In the gradient; the value has it."""
    before = D.gradients.copy()
    value = original(self, D, x, factor)
    D.gradients = before + (D.gradients - before) / self.weight
    return value


@breaks(Dense, "double_backward", on=("gradient penalty", "R1"))
def dw_of_the_second_derivative_forgotten(original, self, *args):
    kept = self.dweight.copy()
    result = original(self, *args)
    self.dweight = kept
    return result


@breaks(Dense, "double_backward", on="gradient penalty", says="penalty does not add")
@breaks(Dense, "double_backward", on="GAN with a penalty")
def second_derivative_sets(original, self, *args):
    self.dweight[...] = 0
    return original(self, *args)


@breaks(GradientPenalty, "add_penalty", on="R1", says="penalty does not add")
@breaks(GradientPenalty, "add_penalty", on="GAN with a penalty")
def penalty_sets(original, self, D, x, factor):
    D.zero_gradients()
    return original(self, D, x, factor)


# --- Other games ---------------------------------------------------------------------------------


@breaks(conditional.Append, "backward", on="conditional GAN")
def gradient_of_the_label_taken_for_the_samples(original, self, dy, cache):
    return dy[..., self.labels.shape[1] :]


@breaks(moment_matching, "mmd_squared", on="moment matching")
def one_of_two_equal_terms(original, *args, **options):
    """k(y, y') is differentiated with respect to y, and not to y'."""
    value, gradient = original(*args, **options)
    return value, gradient / 2


@breaks(moment_matching, "_kernel_sums", on="moment matching")
def kernel_without_its_width(original, *args, **options):
    total, gradient = original(*args, **options)
    return total, gradient * 1.5


@breaks(FeatureMatchingGAN, "feedback", on="feature matching")
def mean_of_features_without_its_n(original, self, fake, x):
    loss, d_fake = original(self, fake, x)
    return loss, d_fake * len(fake)


@breaks(CycleGAN, "_half", on="cycle GAN")
def cycle_without_its_weight(original, self, *arguments):
    weight, self.cycle_weight = self.cycle_weight, 1
    try:
        return original(self, *arguments)
    finally:
        self.cycle_weight = weight


@breaks(CycleGAN, "_half", on="cycle GAN")
def one_half_of_the_cycle_forgotten(original, self, there, back, *others):
    """The translator back gets no gradient of this cycle."""
    kept = back.gradients.copy()
    found = original(self, there, back, *others)
    back.gradients = kept
    return found


@breaks(GAN, "feedback", on="dense GAN", says="changes gradients of the discriminator")
def discriminator_learns_in_the_generators_step(original, self, fake, x):
    D = self.discriminator
    logits, cache = D.forward(fake)
    loss, d_logits = self.objective.generator(logits)
    return loss, D.backpropagate(d_logits, cache)


@breaks(GAN, "feedback", on="relativistic GAN", least=5e-4)
def real_and_fake_not_exchanged(original, self, fake, x):
    """G's loss beside the logits of the real samples, its gradient beside those of the fakes."""
    D = self.discriminator
    logits, cache = D.forward(fake)
    return original(self, fake, x)[0], D.backward(
        self.objective.generator(logits, logits)[1], cache
    )


@breaks(Sequential, "set_gradients", on=("dense GAN", "moment matching", "critic"))
def gradients_of_the_last_step_kept(original, self, dy, caches):
    """Bug 7: nobody sets them to zero."""
    self.add_gradients(dy, caches)


@breaks(Sequential, "zero_gradients", on="cycle GAN")
def gradients_kept_from_step_to_step(original, self):
    """The same, of two networks whose gradients come in several parts."""


@breaks(GAN, "generator_gradients", on="dense GAN")
def the_discriminators_loss_shown_as_the_generators(original, self, x, z):
    figures = original(self, x, z)
    return figures | {"generator_loss": -figures["generator_loss"]}


@breaks(Objective, "discriminator", on=("critic", "conditional GAN", "cycle GAN"))
def real_and_fake_swapped(original, self, r, f):
    loss, d_real, d_fake = original(self, r, f)
    return loss, d_fake, d_real


# --- Rules that a layer keeps beside the right numbers ---------------------------------------
# On a layer, in a network, and in a whole GAN, where its training would go wrong in silence.

EVERYWHERE = "dense", "network", "dense GAN"
OF_LEAKY = "leaky relu", "network", "dense GAN"


def clear(layer):
    for name in layer.parameters():
        getattr(layer, f"d{name}")[...] = 0


@breaks(Dense, "add_gradients", on=EVERYWHERE, says="does not add")
def sets_its_gradients(original, self, dy, x):
    clear(self)
    original(self, dy, x)


@breaks(BatchNorm, "add_gradients", on=("batch norm", "network", "dense GAN"), says="not add")
def sets_one_of_its_gradients(original, self, dy, cache):
    self.dbeta[...] = 0
    original(self, dy, cache)


@breaks(Conv2d, "add_gradients", on=("conv", "conv GAN"), says="does not add")
def halves_what_is_there(original, self, dy, cache):
    self.dweight *= 0.5
    original(self, dy, cache)


@breaks(Dense, "backward", on=EVERYWHERE, says="changes gradients of parameters")
@breaks(Conv2d, "backward", on=("conv", "conv GAN"), says="changes gradients of parameters")
@breaks(BatchNorm, "backward", on="batch norm", says="changes gradients of parameters")
def backward_computes_parameter_gradients(original, self, dy, cache):
    self.add_gradients(dy, cache)
    return original(self, dy, cache)


@breaks(Dense, "backward", on=EVERYWHERE, says="changes gradients of parameters")
def backward_clears_parameter_gradients(original, self, dy, cache):
    self.dweight[...] = 0
    return original(self, dy, cache)


@breaks(BatchNorm, "backward", on=("batch norm", "network", "dense GAN"), says="another dx")
def cache_scaled_in_place(original, self, dy, cache):
    dx = original(self, dy, cache)
    cache[0][...] *= 2
    return dx


@breaks(BatchNorm, "add_gradients", on=("batch norm", "dense GAN"), says="does not add")
def cache_used_as_scratch(original, self, dy, cache):
    original(self, dy, cache)
    cache[0][...] *= dy


@breaks(LeakyReLU, "backward", on=OF_LEAKY, says="y is written to")
def output_used_as_scratch(original, self, dy, y):
    dx = original(self, dy, y)
    y[...] = dx
    return dx


@breaks(Dense, "add_gradients", on=EVERYWHERE, says="x is written to")
def input_used_as_scratch(original, self, dy, x):
    original(self, dy, x)
    x[...] = 0


@breaks(LeakyReLU, "forward", on=OF_LEAKY, says="x is written to")
@breaks(ReLU, "forward", on="relu", says="x is written to")
@breaks(Tanh, "forward", on=("tanh", "dense GAN"), says="x is written to")
def activation_in_place(original, self, x, train):
    """A second pass on what it leaves gives the same, for ReLU."""
    y, _ = original(self, x, train)
    x[...] = y
    return x, x


@breaks(LeakyReLU, "backward", on=OF_LEAKY, says="dy is written to")
def gradient_in_place(original, self, dy, y):
    dy[...] = original(self, dy, y)
    return dy


@breaks(Dense, "backward", on=EVERYWHERE, says="dy is written to")
def upstream_gradient_cleared(original, self, dy, x):
    dx = original(self, dy, x)
    dy[...] = 0
    return dx


@breaks(Dense, "add_gradients", on=EVERYWHERE, says="dy is written to")
def upstream_gradient_averaged_in_place(original, self, dy, x):
    original(self, dy, x)
    dy /= len(dy)


@breaks(Tanh, "forward", on=("tanh", "network", "dense GAN"), says="another forward pass")
def one_cache_for_all_passes(original, self, x, train):
    """An array that is kept, and filled again by each pass of this shape."""
    y, _ = original(self, x, train)
    kept = self.__dict__.setdefault("kept", {}).setdefault(x.shape, np.empty_like(y))
    kept[...] = y
    return y, kept


@breaks(Dense, "forward", on=EVERYWHERE, says="another forward pass")
def input_remembered_in_the_layer(original, self, x, train):
    """The cache is an object that the layer keeps."""
    y, _ = original(self, x, train)
    self.__dict__.setdefault("last", [None])[0] = x
    return y, self.last


def of_the_last_input(original, self, dy, cache):
    return original(self, dy, cache[0])


@breaks(Dense, "forward", on=EVERYWHERE, says="y is written to")
def one_output_for_all_passes(original, self, x, train):
    y, cache = original(self, x, train)
    kept = self.__dict__.setdefault("kept", {}).setdefault(y.shape, np.empty_like(y))
    kept[...] = y
    return kept, cache


@breaks(Dense, "backpropagate", on=EVERYWHERE, says="backpropagate(dy, cache) differs")
def both_at_once_forgets_the_bias(original, self, dy, x):
    self.dweight += x.T.dot(dy)
    return self.backward(dy, x)


@breaks(Dense, "backpropagate", on=EVERYWHERE, says="backpropagate(dy, cache) differs")
def both_at_once_gives_half_of_dx(original, self, dy, x):
    self.add_gradients(dy, x)
    return self.backward(dy, x) / 2


@breaks(Dense, "backpropagate", on=EVERYWHERE, says="backpropagate(dy, cache) differs")
def both_at_once_sets(original, self, dy, x):
    clear(self)
    self.add_gradients(dy, x)
    return self.backward(dy, x)


class Shift(Layer):
    """y = x + b: dx has the numbers of dy."""

    def parameters(self):
        return {"bias": ((4,), 0)}

    def forward(self, x, train):
        return x + self.bias, None

    def backward(self, dy, cache):
        return dy.copy()

    def add_gradients(self, dy, cache):
        self.dbias += dy.sum(axis=0)


@breaks(Shift, "backward", on="shift", says="dx is dy itself")
def upstream_gradient_passed_on(original, self, dy, cache):
    return dy


@breaks(Shift, "backward", on="shift", says="dx is dy itself")
def view_of_the_upstream_gradient(original, self, dy, cache):
    return dy[:, :]


class Bowl(Layer):
    """y = x²/2, with room for dx in the cache."""

    def forward(self, x, train):
        return x * x / 2, {"x": x, "scratch": [np.empty_like(x)]}

    def backward(self, dy, cache):
        return dy * cache["x"]


@breaks(Bowl, "backward", on="bowl", says="dx is a part of the cache")
def dx_in_the_cache(original, self, dy, cache):
    return np.multiply(dy, cache["x"], out=cache["scratch"][0])


@breaks(Sequential, "add_gradients", on="network", says="does not add")
def network_zeroes_first(original, self, dy, caches):
    self.zero_gradients()
    original(self, dy, caches)


@breaks(Sequential, "backward", on=("network", "dense GAN"), says="changes gradients of parameters")
def network_takes_all_gradients(original, self, dy, caches):
    return self.backpropagate(dy, caches)


@breaks(Sequential, "backpropagate", on="network", says="backpropagate(dy, cache) differs")
def network_ends_a_layer_early(original, self, dy, caches):
    self.add_gradients(dy, caches)
    return self[1:].backward(dy, mended(caches[1:], caches.count))


@breaks(Sequential, "forward", on="network", says="another forward pass")
def network_keeps_its_caches(original, self, *args, **options):
    y, caches = original(self, *args, **options)
    kept = self.__dict__.setdefault("kept", caches)
    kept[:], kept.count = caches, caches.count
    return y, kept


def mended(some, count):
    caches = type(Sequential([Tanh()], (1,), rng=0).forward(np.ones((1, 1), "float32"))[1])(some)
    caches.count = count
    return caches


@breaks(Objective, "discriminator", on="minimax", says="input 0 is written to")
def logits_centred_in_place(original, self, r, f):
    found = original(self, r, f)
    r -= r.mean()
    return found


@breaks(GradientPenalty, "add_penalty", on="R1", says="input 1 is written to")
def penalty_writes_to_the_real_batch(original, self, D, x, factor):
    value = original(self, D, x, factor)
    x *= 0.5
    return value


@breaks(GAN, "discriminator_gradients", on="dense GAN", says="input 0 is written to")
def noise_added_to_the_callers_batch(original, self, x, z):
    x += 0.1
    return original(self, x, z)


# --- The checks ----------------------------------------------------------------------------------


@pytest.fixture
def check(randomized, dense_gan, conv_gan):
    """check(name): the gradient checker's report on the unbroken or broken library."""

    def layer(layer, *shape, n=5, train=True):
        x = np.random.default_rng(1).normal(size=(n, *shape))
        network = randomized([layer], shape, backend="reference")
        if isinstance(layer, SpectralNorm):
            network.derive()
        return gradcheck(network, x, rng=2, train=train)

    def bare(layer, *shape):
        return gradcheck(layer, np.random.default_rng(1).normal(size=(5, *shape)), rng=2)

    def network():
        layers = [Dense(4, 4), LeakyReLU(), Dense(4, 4), BatchNorm(4), Tanh(), Dense(4, 2)]
        x = np.random.default_rng(1).normal(size=(5, 4))
        return gradcheck(randomized(layers, (4,), backend="reference"), x, rng=2)

    def black_images():
        """A few bright pixels on black, and biases of zero: kinks at most places."""
        rng = np.random.default_rng(1)
        layers = [Conv2d(1, 6, 4, 2, 1), LeakyReLU(), Conv2d(6, 8, 4, 2, 1), LeakyReLU(), Flatten()]
        D = Sequential([*layers, Dense(32, 1)], (8, 8, 1), rng=rng, backend="reference")
        return gradcheck(D, rng.random((6, 8, 8, 1)) * (rng.random((6, 8, 8, 1)) < 0.05), rng=2)

    def objective(target, n=4):
        rng = np.random.default_rng(1)
        return gradcheck(target, rng.normal(size=(5, 1)), rng.normal(size=(n, 1)), rng=2)

    def game(gan):
        x = np.random.default_rng(1).normal(size=(6, *gan.discriminator.input_shape))
        return gradcheck(gan, x, rng=2, max_entries=8)

    def penalty(kind):
        D = randomized([Dense(2, 5), Tanh(), Dense(5, 1)], (2,), backend="reference")
        return gradcheck(kind, D, *np.random.default_rng(1).normal(size=(2, 5, 2)), rng=2)

    def small(inputs, outputs, norm=True):
        layers = [Dense(inputs, 5), *[BatchNorm(5)] * norm, Tanh(), Dense(5, outputs)]
        return randomized(layers, (inputs,), backend="reference")

    def pair(kind, G, D, objective="minimax", **options):
        optimizers = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)}
        options = {"latent": NormalLatent(3), "rng": 0, **optimizers, **options}
        return kind(G, D, get_objective(objective, "reference"), **options)

    def other_game(name):
        a, b = np.random.default_rng(1).normal(size=(2, 6, 2))
        if name == "conditional GAN":
            batch, gan = (
                (a, np.arange(6) % 3),
                pair(ConditionalGAN, small(6, 2), small(5, 1), classes=3),
            )
        elif name == "feature matching":
            batch, gan = (a,), pair(FeatureMatchingGAN, small(3, 2), small(2, 1), layer=3)
        elif name == "GAN with a penalty":
            batch, gan = (a,), pair(GAN, small(3, 2), small(2, 1, False), regularizer=R1(2.0))
        elif name == "relativistic GAN":
            batch, gan = (a,), pair(GAN, small(3, 2), small(2, 1), "relativistic-average")
        elif name == "moment matching":
            G = small(3, 2)
            options = {"bandwidths": [0.5, 2], "latent": NormalLatent(3), "rng": 0}
            batch, gan = (a,), MomentMatching(G, SGD(G), **options)
        elif name == "cycle GAN":
            networks = [small(2, 2), small(2, 2), small(2, 1), small(2, 1)]
            batch, gan = (a, b), CycleGAN(*networks, optimizers=map(SGD, networks))
        else:
            D = small(2, 1)
            batch, gan = (a, b), CriticGame(D, "minimax", SGD(D), [], rng=0)
        return gradcheck(gan, *batch, rng=2, max_entries=8)

    checks = {
        "dense": lambda: layer(Dense(3, 4), 3),
        "square dense": lambda: layer(Dense(3, 3), 3),
        "large dense": lambda: layer(Dense(40, 40), 40),
        "larger dense": lambda: layer(Dense(100, 100), 100),
        "conv": lambda: layer(Conv2d(2, 3, (3, 2), 2, 1), 5, 4, 2),
        "square conv": lambda: layer(Conv2d(4, 4, 1), 2, 2, 4),
        "large conv": lambda: layer(Conv2d(10, 10, 4), 5, 5, 10),
        "black images": black_images,
        "transposed conv": lambda: layer(ConvTranspose2d(2, 3, 2, (3, 2), 0, (0, 1)), 2, 2, 2),
        "batch norm": lambda: layer(BatchNorm(3), 3),
        "batch norm of images": lambda: layer(BatchNorm(3), 2, 3),
        "batch norm, eval": lambda: layer(BatchNorm(3), 2, 3, train=False),
        "layer norm": lambda: layer(LayerNorm(4), 4),
        "layer norm of images": lambda: layer(LayerNorm(3), 2, 2, 3),
        "instance norm": lambda: layer(InstanceNorm(3, eps=0.1), 2, 2, 3),
        "batch norm, not affine": lambda: layer(BatchNorm(3, affine=False), 3),
        "spectral norm": lambda: layer(SpectralNorm(Dense(3, 4)), 3),
        "attention": lambda: layer(SelfAttention(9), 2, 2, 9),
        "upsampling": lambda: layer(Upsample(2), 2, 1, 2),
        "average pooling": lambda: layer(AvgPool2d(2), 2, 4, 2),
        "sum pooling": lambda: layer(GlobalSumPool(), 2, 3, 2),
        "residual": lambda: layer(Residual([Dense(3, 3), Tanh(), Dense(3, 3)]), 3),
        "projection": lambda: layer(Residual([Dense(3, 2), Tanh()], [Dense(3, 2)]), 3),
        "network of blocks": lambda: layer(
            Block([Dense(3, 3), Residual([Tanh(), Dense(3, 3)])]), 3
        ),
        "fourier": lambda: layer(FourierFeatures(2, 3), 2),
        "minibatch std": lambda: layer(MinibatchStd(), 3),
        "pack": lambda: layer(Pack(2), 3, n=4),
        "relu": lambda: layer(ReLU(), 3),
        "leaky relu": lambda: layer(LeakyReLU(), 3),
        "tanh": lambda: layer(Tanh(), 3),
        "sigmoid": lambda: layer(Sigmoid(), 3),
        "softplus": lambda: layer(Softplus(), 3),
        "dropout": lambda: layer(Dropout(), 9),
        "flatten": lambda: layer(Flatten(), 2, 3, 2),
        "shift": lambda: bare(Shift(), 4),
        "bowl": lambda: bare(Bowl(), 4),
        "network": network,
        "minimax": lambda: objective(Minimax()),
        "non-saturating": lambda: objective(NonSaturating()),
        "wasserstein": lambda: objective(Wasserstein()),
        "relativistic": lambda: objective(Relativistic(), 5),
        "relativistic average": lambda: objective(RelativisticAverage()),
        "gradient penalty": lambda: penalty(WGANGP()),
        "R1": lambda: penalty(R1(2.0)),
        "dense GAN": lambda: game(dense_gan(backend="reference")),
        "conv GAN": lambda: game(conv_gan(backend="reference")),
    }
    return lambda name: checks[name]() if name in checks else other_game(name)


def broken_by(monkeypatch, owner, method, broken):
    original = getattr(owner, method)

    def replacement(*args, **options):
        return broken(original, *args, **options)

    monkeypatch.setattr(owner, method, replacement)


@pytest.mark.parametrize("on", sorted({mutant.values[3] for mutant in MUTANTS}))
def test_the_unbroken_code_passes(on, check):
    report = check(on)
    assert report.passed, str(report)


@pytest.mark.parametrize("owner, method, broken, on, says, least", MUTANTS)
def test_the_broken_code_is_rejected(owner, method, broken, on, says, least, check, monkeypatch):
    if owner is Dense and method == "backpropagate":
        monkeypatch.setattr(Dense, method, None, raising=False)
    broken_by(monkeypatch, owner, method, broken)
    if broken is input_remembered_in_the_layer:  # and both ways back take it from there
        for way_back in ("backward", "add_gradients"):
            broken_by(monkeypatch, Dense, way_back, of_the_last_input)
    report = check(on)
    assert report.verdict == "WRONG" and not report.passed and "WRONG" in str(report)
    if says is None:
        assert report.relative_error > least, "caught, but only just"
    else:
        assert any(says in sentence for sentence in report.broken), report.broken
        assert f"{says}" in str(report)


def test_the_table_is_as_long_as_it_was():
    """Kinds of errors, each on one target or several; a row that is lost would not be missed."""
    assert len({mutant.values[2] for mutant in MUTANTS}) >= 90
    assert len(MUTANTS) >= 140


# --- What no comparison can see ------------------------------------------------------------------


def another_samples_x(original, self, dy, x):
    original(self, dy, x[::-1])


def a_mean_over_the_batch(original, self, dy, x):
    original(self, dy / len(dy), x)


def off_by_1e_7(original, self, dy, x):
    dw, db = added(original, self, dy, x)
    self.dweight += dw * (1 + 1e-7)
    self.dbias += db


@pytest.mark.parametrize(
    "broken, n", [(another_samples_x, 1), (a_mean_over_the_batch, 1), (off_by_1e_7, 5)]
)
def test_what_is_accepted(broken, n, monkeypatch):
    """An error that needs two samples, in a batch of one; one that is below the tolerance."""
    broken_by(monkeypatch, Dense, "add_gradients", broken)
    monkeypatch.setattr(get_backend("numpy"), "forms", {})
    x = np.random.default_rng(1).normal(size=(5, 3))
    assert gradcheck(Dense(3, 4), x[:n]).passed
    assert not gradcheck(Dense(3, 4), x, tolerance=1e-9).passed
