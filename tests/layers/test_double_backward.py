"""`double_backward`, layer by layer: the derivatives of φ = ⟨u, layer.backward(dy, cache)⟩.

φ is a function of dy, of the layer's input x and of its parameters; `double_backward(u, dy, cache)`
says what its derivatives are. Here they are compared with numerical ones, for random shapes.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from minigan import (
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
    LayerNorm,
    LeakyReLU,
    Pack,
    ReLU,
    Reshape,
    Residual,
    SelfAttention,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    Upsample,
    compare_gradients,
)
from minigan.layers.layer import NoDoubleBackward

SMALL = st.integers(1, 4)
PAIRS = st.tuples(SMALL, SMALL)


@st.composite
def dense(draw):
    features = draw(SMALL)
    return Dense(features, draw(SMALL), bias=draw(st.booleans())), (features,)


@st.composite
def convolution(draw):
    size, stride, channels = draw(st.tuples(*[st.integers(2, 5)] * 2)), draw(PAIRS), draw(SMALL)
    padding = draw(st.tuples(*[st.integers(0, 2)] * 2))
    kernel = tuple(
        draw(st.integers(1, min(4, s + 2 * p))) for s, p in zip(size, padding, strict=True)
    )
    bias = draw(st.booleans())
    return Conv2d(channels, draw(SMALL), kernel, stride, padding, bias=bias), (*size, channels)


@st.composite
def transposed(draw):
    kernel, stride, channels = draw(PAIRS), draw(PAIRS), draw(SMALL)
    padding = tuple(draw(st.integers(0, (k - 1) // 2)) for k in kernel)
    extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
    bias = draw(st.booleans())
    layer = ConvTranspose2d(channels, draw(SMALL), kernel, stride, padding, extra, bias=bias)
    return layer, (*draw(PAIRS), channels)


IMAGES = st.tuples(SMALL, SMALL, SMALL)
ANY_SHAPE = st.lists(SMALL, min_size=1, max_size=3).map(tuple)


def of_shape(make, least=1):
    shapes = ANY_SHAPE.filter(lambda shape: np.prod(shape) >= least)
    return shapes.map(lambda shape: (make(shape), shape))


@st.composite
def residual(draw, smooth):
    """Residual, with the identity or a projection; its paths are linear, or smooth."""
    features, width, out = draw(SMALL), draw(SMALL), draw(SMALL)
    path = [Dense(features, width), Tanh() if smooth else LeakyReLU()]
    if draw(st.booleans()):
        return Residual([*path, Dense(width, features)]), (features,)
    return Residual([*path, Dense(width, out)], [Dense(features, out)]), (features,)


LAYERS = {
    "Dense": dense(),
    "Conv2d": convolution(),
    "ConvTranspose2d": transposed(),
    "LayerNorm": of_shape(lambda shape: LayerNorm(shape[-1], eps=0.1), least=2),
    "InstanceNorm": IMAGES.map(lambda s: (InstanceNorm(s[2], eps=0.1), (s[0] + 1, *s[1:]))),
    "SelfAttention": IMAGES.map(lambda s: (SelfAttention(s[2]), s)),
    "Upsample": IMAGES.map(lambda s: (Upsample(2), s)),
    "AvgPool2d": IMAGES.map(lambda s: (AvgPool2d(2), (2 * s[0], 2 * s[1], s[2]))),
    "GlobalSumPool": IMAGES.map(lambda s: (GlobalSumPool(), s)),
    "SpectralNorm of Dense": dense().map(lambda pair: (SpectralNorm(pair[0]), pair[1])),
    "SpectralNorm of Conv2d": convolution().map(lambda pair: (SpectralNorm(pair[0]), pair[1])),
    "SpectralNorm of ConvTranspose2d": transposed().map(
        lambda pair: (SpectralNorm(pair[0]), pair[1])
    ),
    "ReLU": of_shape(lambda shape: ReLU()),
    "LeakyReLU": of_shape(lambda shape: LeakyReLU(0.3)),
    "Tanh": of_shape(lambda shape: Tanh()),
    "Sigmoid": of_shape(lambda shape: Sigmoid()),
    "Softplus": of_shape(lambda shape: Softplus()),
    "Flatten": of_shape(lambda shape: Flatten()),
    "Reshape": of_shape(lambda shape: Reshape(*shape[::-1])),
    "Pack": of_shape(lambda shape: Pack(2)),
    "Residual": residual(smooth=False),
    "Residual, smooth": residual(smooth=True),
    "Block, smooth": residual(smooth=True).map(
        lambda pair: (Block([Sigmoid(), pair[0], Softplus()]), pair[1])
    ),
    "FourierFeatures": PAIRS.map(lambda pair: (FourierFeatures(*pair), pair[:1])),
}
CURVED = {"FourierFeatures", "LayerNorm", "Tanh", "Sigmoid", "Softplus"}  # whose dx depends on x
CURVED |= {"Residual, smooth", "Block, smooth", "InstanceNorm", "SelfAttention"}


class Phi:
    """φ for one layer: the value, and its derivatives by hand."""

    def __init__(self, network, n, seed):
        self.network, (self.layer,) = network, network.steps
        rng = np.random.default_rng(seed)
        self.x = rng.normal(size=(n, *network.input_shape))
        y, _ = self.layer.forward(self.x, False)
        self.dy, self.u = rng.normal(size=y.shape), rng.normal(size=self.x.shape)

    def value(self):
        _, cache = self.layer.forward(self.x, False)
        return (self.u * self.layer.backward(self.dy, cache)).sum()

    def by_hand(self):
        _, cache = self.layer.forward(self.x, False)
        self.network.zero_gradients()
        u_dy, u_x = self.layer.double_backward(self.u, self.dy, cache)
        return u_dy, u_x, self.network.named_gradients()


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=12)
@given(data=st.data())
def test_double_backward_is_the_derivative_of_backward(name, randomized, data):
    layer, shape = data.draw(LAYERS[name])
    phi = Phi(randomized([layer], shape, data.draw(st.integers(0, 99))), 4, 5)
    u_dy, u_x, gradients = phi.by_hand()
    assert (u_x is not None) == (name in CURVED)
    report = compare_gradients(
        phi.value,
        {"dy": phi.dy, "x": phi.x, **phi.network.named_parameters()},
        {"dy": u_dy, "x": np.zeros_like(phi.x) if u_x is None else u_x, **gradients},
        max_entries=8,
    )
    assert report.passed and report.relative_error < 1e-6, str(report)


BY_SCIPY = {
    "Dense": (lambda: Dense(3, 2), (3,)),
    "Conv2d": (lambda: Conv2d(2, 2, (3, 2), (2, 1), 1), (4, 3, 2)),
    "ConvTranspose2d": (lambda: ConvTranspose2d(2, 1, 3, 2, 1, 1), (2, 3, 2)),
    "LayerNorm": (lambda: LayerNorm(4), (4,)),
    "LayerNorm of images": (lambda: LayerNorm(2), (2, 3, 2)),
    "InstanceNorm": (lambda: InstanceNorm(2), (2, 3, 2)),
    "SelfAttention": (lambda: SelfAttention(2), (2, 2, 2)),
    "SpectralNorm": (lambda: SpectralNorm(Conv2d(2, 2, 2)), (3, 3, 2)),
    "FourierFeatures": (lambda: FourierFeatures(3, 2), (3,)),
    "Tanh": (Tanh, (3,)),
    "Sigmoid": (Sigmoid, (3,)),
    "Softplus": (Softplus, (3,)),
}


@pytest.mark.parametrize("name", BY_SCIPY)
def test_scipy_confirms(name, randomized):
    make, shape = BY_SCIPY[name]
    phi = Phi(randomized([make()], shape, 3), 3, 4)
    u_dy, u_x, _ = phi.by_hand()
    w = phi.network.parameters
    arrays = [(phi.dy, u_dy), (w, phi.network.gradients)] + ([] if u_x is None else [(phi.x, u_x)])
    for array, by_hand in arrays:
        if not array.size:
            continue

        def value(entries, array=array):
            kept = array.copy()
            array[...] = entries.reshape(array.shape)
            result = phi.value()
            array[...] = kept
            return result

        numerical = approx_fprime(array.ravel().copy(), value)
        np.testing.assert_allclose(by_hand.ravel(), numerical, atol=2e-6 * abs(numerical).max())


@pytest.mark.parametrize("name", BY_SCIPY)
def test_gradients_are_added_and_arguments_left_alone(name, randomized):
    make, shape = BY_SCIPY[name]
    phi = Phi(randomized([make()], shape, 3), 3, 4)
    phi.by_hand()
    once, before = phi.network.gradients.copy(), (phi.u.copy(), phi.dy.copy(), phi.x.copy())
    _, cache = phi.layer.forward(phi.x, False)
    phi.layer.double_backward(phi.u, phi.dy, cache)
    np.testing.assert_allclose(phi.network.gradients, 2 * once, rtol=1e-12)
    for kept, now in zip(before, (phi.u, phi.dy, phi.x), strict=True):
        np.testing.assert_array_equal(kept, now)


# --- Whole networks ------------------------------------------------------------------------------

CHAINS = {
    "dense": lambda: ([Dense(4, 6), LayerNorm(6), Tanh(), Dense(6, 3), Softplus()], (4,)),
    "convolutional": lambda: (
        [Conv2d(2, 3, 3, 2, 1), Sigmoid(), LayerNorm(3), Flatten(), Dense(12, 2), Tanh()],
        (4, 3, 2),
    ),
    "transposed": lambda: (
        [Reshape(2, 2, 2), ConvTranspose2d(2, 2, 3, 2, 1, 1), Softplus(), LayerNorm(2)],
        (8,),
    ),
    "curved at both ends": lambda: ([Tanh(), Dense(3, 4), Sigmoid()], (3,)),
    "nothing curved": lambda: ([Dense(3, 4), LeakyReLU(), Dense(4, 2)], (3,)),
    "two layers": lambda: ([Dense(3, 4), Tanh()], (3,)),
    "two layers, curved below": lambda: ([Tanh(), Dense(3, 2)], (3,)),
    "two layers with parameters": lambda: ([Dense(3, 4), Dense(4, 2)], (3,)),
    "one layer": lambda: ([Dense(3, 2)], (3,)),
    "one layer, curved": lambda: ([Softplus()], (3,)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_sweeps_of_a_network(name, randomized):
    """⟨u, dx⟩ of a whole network: the injected curvature reaches the layers below."""
    layers, shape = CHAINS[name]()
    network, rng = randomized(layers, shape, 1), np.random.default_rng(2)
    x, u = rng.normal(size=(2, 3, *shape))
    dy = rng.normal(size=(3, *network.output_shape))

    def value():
        return (u * network.backward_trace(dy, network.forward(x)[1])[0]).sum()

    _, caches = network.forward(x)
    network.zero_gradients()
    dx, trace = network.backward_trace(dy, caches)
    assert not network.gradients.any() and trace[-1] is dy
    np.testing.assert_array_equal(dx, network.backward(dy, caches))
    u_dy = network.double_backward(u, trace, caches)
    report = compare_gradients(
        value,
        {"dy": dy, **network.named_parameters()},
        {"dy": u_dy, **network.named_gradients()},
        max_entries=16,
    )
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_a_pass_in_between_disturbs_nothing(randomized):
    """Two penalties may be open at once: caches and traces belong to their own pass."""
    network = randomized(*CHAINS["convolutional"](), seed=1)
    x, other, u = np.random.default_rng(2).normal(size=(3, 3, *network.input_shape))
    dy = np.ones((3, 2))

    def gradients(disturb):
        _, caches = network.forward(x)
        _, trace = network.backward_trace(dy, caches)
        if disturb:
            _, other_caches = network.forward(other)
            network.double_backward(u, network.backward_trace(dy, other_caches)[1], other_caches)
        network.zero_gradients()
        network.double_backward(u, trace, caches)
        return network.gradients.copy()

    np.testing.assert_array_equal(gradients(True), gradients(False))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CHAINS)
def test_dtype_is_kept(name, dtype, randomized):
    layers, shape = CHAINS[name]()
    network = randomized(layers, shape, 1, dtype=dtype)
    x = np.random.default_rng(2).normal(size=(3, *shape)).astype(dtype)
    y, caches = network.forward(x)
    dx, trace = network.backward_trace(np.ones_like(y), caches)
    assert dx.dtype == dtype and {dy.dtype for dy in trace} == {np.dtype(dtype)}
    for step, dy, cache in zip(network.steps, trace, caches, strict=True):
        x, u_x = step.double_backward(x, dy, cache)
        assert x.dtype == dtype and (u_x is None or u_x.dtype == dtype)


@pytest.mark.parametrize("bad", ["dy", "u"])
def test_wrong_shapes_are_refused(bad, randomized):
    network = randomized([Dense(3, 2), Tanh()], (3,))
    y, caches = network.forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=rf"{bad}: expected (the )?shape"):
        if bad == "dy":
            network.backward_trace(np.ones((4, 3)), caches)
        _, trace = network.backward_trace(y, caches)
        network.double_backward(np.ones((4, 2)), trace, caches)


@pytest.mark.parametrize("layer, why", [(BatchNorm(4), "LayerNorm"), (Dropout(0.3), "every pass")])
def test_layers_without_a_second_derivative(layer, why):
    network = Sequential([Dense(2, 4), layer, Dense(4, 1)], (2,), rng=0)
    with pytest.raises(NoDoubleBackward, match=rf"layer 1: {type(layer).__name__}.*{why}"):
        network.check_double_backward()
    _, caches = network.forward(np.ones((3, 2), "float32"))
    _, trace = network.backward_trace(np.ones((3, 1), "float32"), caches)
    with pytest.raises(NoDoubleBackward, match=type(layer).__name__):
        network.double_backward(np.ones((3, 2), "float32"), trace, caches)
