"""Every layer's backward pass against numerical derivatives, for random shapes and numbers.

`gradcheck` compares dx and every parameter's gradient, for a random upstream gradient;
`scipy.optimize` then confirms some of them without it.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, check_grad

from minigan import (
    AvgPool2d,
    BatchNorm,
    Block,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GlobalSumPool,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Reshape,
    Residual,
    SelfAttention,
    Sigmoid,
    Softplus,
    Tanh,
    Upsample,
    gradcheck,
)

SMALL = st.integers(1, 4)


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def any_shape(draw):
    return tuple(draw(st.lists(SMALL, min_size=1, max_size=3)))


@st.composite
def dense(draw):
    features = draw(SMALL)
    return Dense(features, draw(SMALL), bias=draw(st.booleans())), (features,)


@st.composite
def convolution(draw):
    size, stride, padding, channels = (
        draw(pairs(1, 6)),
        draw(pairs(1, 3)),
        draw(pairs(0, 2)),
        draw(SMALL),
    )
    kernel = tuple(
        draw(st.integers(1, min(4, s + 2 * p))) for s, p in zip(size, padding, strict=True)
    )
    bias = draw(st.booleans())
    layer = Conv2d(channels, draw(SMALL), kernel, stride, padding, bias=bias)
    return layer, (*size, channels)


@st.composite
def transposed(draw):
    stride, kernel, channels = draw(pairs(1, 3)), draw(pairs(2, 4)), draw(SMALL)
    padding = tuple(draw(st.integers(0, (k - 1) // 2)) for k in kernel)
    extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
    bias = draw(st.booleans())
    layer = ConvTranspose2d(channels, draw(SMALL), kernel, stride, padding, extra, bias=bias)
    return layer, (*draw(pairs(1, 4)), channels)


@st.composite
def residual(draw):
    """With the identity, or with a projection, beside a path of one or two products."""
    features, width, out = draw(SMALL), draw(SMALL), draw(SMALL)
    path = [Dense(features, width), Tanh()]
    if draw(st.booleans()):
        return Residual([*path, Dense(width, features)]), (features,)
    return Residual([*path, Dense(width, out)], [Dense(features, out)]), (features,)


def of_features(make, least=1):
    """Layers that take the number of features, the last axis of a shape of `least` numbers."""
    shapes = any_shape().filter(lambda shape: np.prod(shape) >= least)
    return shapes.map(lambda shape: (make(shape[-1]), shape))


def of_shape(make):
    return any_shape().map(lambda shape: (make(), shape))


@st.composite
def images(draw, make, factor=1):
    """Layers made for a number of channels, and images whose sides `factor` divides."""
    height, width, channels = draw(SMALL), draw(SMALL), draw(SMALL)
    return make(channels), (factor * height, factor * width, channels)


def wide_enough(pair):
    return np.prod(pair[1][:2]) > 1  # one pixel per channel is refused


LAYERS = {
    "Dense": dense(),
    "Conv2d": convolution(),
    "ConvTranspose2d": transposed(),
    "BatchNorm": of_features(BatchNorm),
    "LayerNorm": of_features(lambda n: LayerNorm(n, eps=0.1), least=2),
    "LayerNorm, not affine": of_features(lambda n: LayerNorm(n, affine=False, eps=0.1), least=2),
    "BatchNorm, not affine": of_features(lambda n: BatchNorm(n, affine=False)),
    "InstanceNorm": images(lambda n: InstanceNorm(n, eps=0.1)).filter(wide_enough),
    "SelfAttention": images(SelfAttention),
    "Upsample": SMALL.flatmap(lambda s: images(lambda n: Upsample(s))),
    "AvgPool2d": SMALL.flatmap(lambda s: images(lambda n: AvgPool2d(s), factor=s)),
    "GlobalSumPool": images(lambda n: GlobalSumPool()),
    "ReLU": of_shape(ReLU),
    "LeakyReLU": of_shape(lambda: LeakyReLU(0.3)),
    "Tanh": of_shape(Tanh),
    "Sigmoid": of_shape(Sigmoid),
    "Softplus": of_shape(Softplus),
    "Residual": residual(),
    "Block": residual().map(lambda pair: (Block([Tanh(), pair[0], Dropout(0.4)]), pair[1])),
    "Dropout": of_shape(lambda: Dropout(0.4)),
    "Flatten": of_shape(Flatten),
    "Reshape": any_shape().map(lambda shape: (Reshape(*shape[::-1]), shape)),
}


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", LAYERS)
@given(data=st.data())
def test_backward_is_the_derivative_of_forward(name, train, randomized, data):
    layer, shape = data.draw(LAYERS[name])
    n, seed = data.draw(st.integers(3, 5)), data.draw(st.integers(0, 999))
    network = randomized([layer], shape, seed)
    x = np.random.default_rng(seed).normal(size=(n, *shape))
    report = gradcheck(network, x, rng=seed + 1000, train=train, max_entries=12)
    assert report.passed and report.relative_error < 1e-6, str(report)


CHAINS = {
    "dense": lambda: (
        [Dense(4, 6), BatchNorm(6), LeakyReLU(), Dense(6, 3), Softplus(), Dense(3, 1)],
        (4,),
    ),
    "discriminator": lambda: (
        [
            Conv2d(2, 3, (3, 4), 2, 1),
            BatchNorm(3),
            LeakyReLU(),
            Dropout(0.3),
            Flatten(),
            Dense(12, 1),
        ],
        (4, 4, 2),
    ),
    "generator": lambda: (
        [
            Dense(3, 8),
            Reshape(2, 2, 2),
            BatchNorm(2),
            ReLU(),
            ConvTranspose2d(2, 3, 3, (2, 3), 1, (1, 2)),
            LayerNorm(3),
            ConvTranspose2d(3, 1, 2),
            Tanh(),
        ],
        (3,),
    ),
    "residual": lambda: (
        [
            Residual([BatchNorm(2), ReLU(), Conv2d(2, 3, 3, padding=1)], [Conv2d(2, 3, 1)]),
            Block([Residual([Dropout(0.3), Conv2d(3, 3, 3, padding=1), BatchNorm(3)]), Tanh()]),
            Flatten(),
            Dense(48, 1),
        ],
        (4, 4, 2),
    ),
}


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", CHAINS)
def test_chain_rule(name, train, randomized):
    layers, shape = CHAINS[name]()
    network = randomized(layers, shape, 1)
    x = np.random.default_rng(2).normal(size=(6, *shape))
    report = gradcheck(network, x, train=train, max_entries=24)
    assert report.passed and report.relative_error < 1e-6, str(report)
    assert {row.name for row in report.rows} == {"x", *network.named_parameters()}


# --- Without gradcheck ---------------------------------------------------------------------------

BY_SCIPY = {
    "Dense": (lambda: Dense(3, 2), (3,)),
    "Conv2d": (lambda: Conv2d(2, 2, (3, 2), (2, 1), 1), (4, 3, 2)),
    "ConvTranspose2d": (lambda: ConvTranspose2d(2, 1, 3, 2, 1, 1), (2, 3, 2)),
    "BatchNorm": (lambda: BatchNorm(3), (3,)),
    "BatchNorm of images": (lambda: BatchNorm(2), (2, 2, 2)),
    "LayerNorm": (lambda: LayerNorm(4), (4,)),
    "InstanceNorm": (lambda: InstanceNorm(2, eps=0.1), (2, 2, 2)),
    "SelfAttention": (lambda: SelfAttention(2), (2, 2, 2)),
    "AvgPool2d": (lambda: AvgPool2d(2), (2, 4, 1)),
    "Sigmoid": (Sigmoid, (3,)),
}


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", BY_SCIPY)
@settings(max_examples=3)
@given(seed=st.integers(0, 999))
def test_scipys_finite_differences_agree(name, train, randomized, seed):
    """dx and the gradient of all parameters at once, as one function of one flat vector."""
    make, shape = BY_SCIPY[name]
    network = randomized([make()], shape, seed)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, *shape))
    upstream = rng.normal(size=(4, *network.output_shape))
    start = np.concatenate([x.ravel(), network.parameters])
    statistics = network.buffers.copy()

    def loss(flat):
        network.parameters[...] = flat[x.size :]
        network.buffers[...] = statistics  # the training mode moves them
        return (network.forward(flat[: x.size].reshape(x.shape), train)[0] * upstream).sum()

    def gradient(flat):
        loss(flat)
        network.buffers[...] = statistics
        _, caches = network.forward(flat[: x.size].reshape(x.shape), train)
        network.zero_gradients()
        dx = network.backpropagate(upstream, caches)
        return np.concatenate([dx.ravel(), network.gradients])

    numerical = approx_fprime(start, loss, 1e-7)
    np.testing.assert_allclose(gradient(start), numerical, rtol=1e-4, atol=1e-4)
    assert check_grad(loss, gradient, start) < 1e-4
