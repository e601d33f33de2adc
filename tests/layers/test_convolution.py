"""Conv2d and ConvTranspose2d: SciPy, sizes, and that one is the adjoint of the other.

All geometries are compared with SciPy in test_convolution_geometry.py.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from minigan import Conv2d, ConvTranspose2d, Sequential


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def test_conv2d_is_scipys_correlate_plus_bias(randomized):
    network = randomized([Conv2d(2, 3, (3, 2), padding=(1, 0))], (5, 4, 2))
    w, b = network.named_parameters().values()
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 2))
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    y = network(x)
    for n, o in np.ndindex(2, 3):
        expected = b[o] + sum(correlate(padded[n, ..., c], w[..., c, o], "valid") for c in range(2))
        np.testing.assert_allclose(y[n, ..., o], expected, atol=1e-12)


def test_conv_transpose2d_stamps_the_kernel(randomized):
    """One lit pixel paints the weighted kernel at S times its place; the rest is the bias."""
    network = randomized([ConvTranspose2d(1, 2, (2, 3), (2, 3))], (3, 2, 1))
    w, b = network.named_parameters().values()
    x = np.zeros((1, 3, 2, 1))
    x[0, 1, 1] = 5
    expected = np.tile(b, (1, 6, 6, 1))
    expected[0, 2:4, 3:6] += 5 * w[..., 0]
    np.testing.assert_allclose(network(x), expected, atol=1e-12)


@given(st.data())
def test_transposed_convolution_is_the_adjoint(randomized, data):
    """⟨conv(x), y⟩ = ⟨x, convT(y)⟩ with the same weight, whatever the geometry."""
    size, stride, padding = data.draw(pairs(1, 7)), data.draw(pairs(1, 3)), data.draw(pairs(0, 2))
    kernel = tuple(
        data.draw(st.integers(1, min(4, s + 2 * p))) for s, p in zip(size, padding, strict=True)
    )
    c, o = data.draw(pairs(1, 3))
    conv = randomized([Conv2d(c, o, kernel, stride, padding, bias=False)], (*size, c))
    extra = tuple(
        (n + 2 * p - k) % s for n, p, k, s in zip(size, padding, kernel, stride, strict=True)
    )
    layer = ConvTranspose2d(o, c, kernel, stride, padding, extra, bias=False)
    transposed = randomized([layer], conv.output_shape)
    assert transposed.output_shape == conv.input_shape
    transposed.parameters[...] = conv.parameters
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, *size, c)), rng.normal(size=(2, *conv.output_shape))
    np.testing.assert_allclose((conv(x) * y).sum(), (x * transposed(y)).sum(), atol=1e-11)


CONV_SIZES = [
    # image, kernel, stride, padding -> output
    ((28, 28), 4, 2, 1, (14, 14)),
    ((7, 7), 3, 1, 1, (7, 7)),
    ((7, 7), 3, 2, 0, (3, 3)),
    ((8, 5), (3, 2), (2, 3), (0, 1), (3, 2)),
    ((1, 1), 1, 5, 0, (1, 1)),
]


@pytest.mark.parametrize("image, kernel, stride, padding, expected", CONV_SIZES)
def test_conv2d_sizes(image, kernel, stride, padding, expected):
    network = Sequential([Conv2d(1, 1, kernel, stride, padding)], (*image, 1), rng=0)
    assert network.output_shape == (*expected, 1)
    assert network(np.ones((2, *image, 1), "float32")).shape == (2, *expected, 1)


TRANSPOSED_SIZES = [
    # image, kernel, stride, padding, output_padding -> (in − 1) S − 2P + K + output_padding
    ((7, 7), 4, 2, 1, 0, (14, 14)),
    ((7, 7), 3, 2, 1, 1, (14, 14)),
    ((1, 1), 7, 1, 0, 0, (7, 7)),
    ((3, 2), (2, 1), (3, 2), (0, 0), (1, 0), (9, 3)),
    ((3, 3), 1, 3, 0, 2, (9, 9)),
]


@pytest.mark.parametrize("image, kernel, stride, padding, extra, expected", TRANSPOSED_SIZES)
def test_conv_transpose2d_sizes(image, kernel, stride, padding, extra, expected):
    layer = ConvTranspose2d(1, 1, kernel, stride, padding, extra)
    network = Sequential([layer], (*image, 1), rng=0)
    assert network.output_shape == (*expected, 1)
    assert network(np.ones((2, *image, 1), "float32")).shape == (2, *expected, 1)


@pytest.mark.parametrize("make", [Conv2d, ConvTranspose2d])
def test_gradients_do_not_depend_on_which_of_them_is_asked_for(make, randomized):
    network = randomized([make(2, 3, 3, 2, 1)], (4, 5, 2))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4, 5, 2))
    y, caches = network.forward(x)
    dy = rng.normal(size=y.shape)
    dx = network.backpropagate(dy, caches)
    both = network.gradients.copy()
    network.zero_gradients()
    network.add_gradients(dy, caches)
    np.testing.assert_array_equal(network.gradients, both)
    np.testing.assert_array_equal(network.backward(dy, caches), dx)
    np.testing.assert_array_equal(network.gradients, both)


@pytest.mark.parametrize("make", [Conv2d, ConvTranspose2d])
def test_float32_stays_float32_and_close_to_float64(make, randomized):
    double = randomized([make(2, 3, 4, 2, 1)], (6, 6, 2))
    single = double.clone(dtype="float32")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 6, 2))
    y, caches = double.forward(x)
    y32, caches32 = single.forward(x.astype("float32"))
    dx = double.backpropagate(y, caches)
    dx32 = single.backpropagate(y.astype("float32"), caches32)
    assert {y32.dtype, dx32.dtype, single.gradients.dtype} == {np.dtype("float32")}
    np.testing.assert_allclose(y32, y, atol=1e-5)
    np.testing.assert_allclose(dx32, dx, atol=1e-4)
    np.testing.assert_allclose(single.gradients, double.gradients, atol=1e-3)


REPRS = [
    (Conv2d(1, 2, 3), "Conv2d(1, 2, kernel 3)"),
    (Conv2d(1, 2, (3, 4), 2, bias=False), "Conv2d(1, 2, kernel 3x4, stride 2, no bias)"),
    (
        ConvTranspose2d(1, 2, 3, (2, 3), 1, (1, 0)),
        "ConvTranspose2d(1, 2, kernel 3, stride 2x3, padding 1, output_padding 1x0)",
    ),
    (ConvTranspose2d(1, 2, 3), "ConvTranspose2d(1, 2, kernel 3)"),
]


@pytest.mark.parametrize("layer, expected", REPRS)
def test_repr(layer, expected):
    assert repr(layer) == expected
