"""Both convolutions against SciPy and against sums written out as plain loops, many geometries.

`Convolution` gives the layer's three passes as functions of x, W and dy. ConvTranspose2d has the
same two maps in the other order (test_convolution.py: it is the adjoint).
"""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate, fftconvolve

from minigan import Conv2d, ConvTranspose2d, Sequential


class Geometry(NamedTuple):
    """Every entry (height, width), except for the numbers of samples and channels."""

    size: tuple
    kernel: tuple
    stride: tuple
    padding: tuple
    channels: tuple = (2, 3)  # in, out of the convolution
    n: int = 2

    @property
    def out(self):
        """How many positions a window can take: counted, not computed by the usual formula."""
        return tuple(
            len(range(0, s + 2 * p - k + 1, step))
            for s, k, step, p in zip(self.size, self.kernel, self.stride, self.padding, strict=True)
        )

    def arrays(self, seed=0, dtype="float64"):
        """x, w, dy: an image, a weight and a gradient of the output."""
        rng, (c, o) = np.random.default_rng(seed), self.channels
        shapes = (self.n, *self.size, c), (*self.kernel, c, o), (self.n, *self.out, o)
        return [rng.normal(size=shape).astype(dtype) for shape in shapes]


CASES = {
    "odd kernel": Geometry((6, 6), (3, 3), (1, 1), (1, 1)),
    "even kernel": Geometry((7, 7), (4, 4), (2, 2), (1, 1)),
    "1x1": Geometry((3, 5), (1, 1), (1, 1), (0, 0)),
    "1x1 image": Geometry((1, 1), (3, 3), (2, 2), (1, 1)),
    "non-square kernel": Geometry((5, 6), (2, 3), (1, 1), (0, 1)),
    "non-square stride": Geometry((9, 8), (3, 3), (3, 2), (1, 0)),
    "kernel smaller than stride": Geometry((7, 8), (2, 1), (3, 2), (0, 0)),
    "kernel covers the image": Geometry((4, 5), (4, 5), (1, 1), (0, 0)),
    "a remainder of the stride": Geometry((8, 10), (3, 3), (2, 3), (0, 0)),
    "padding beyond the kernel": Geometry((3, 3), (2, 1), (2, 1), (3, 2)),
    "more channels in than out": Geometry((5, 5), (4, 4), (2, 2), (1, 1), (4, 1)),
    "one channel in, many out": Geometry((5, 5), (4, 4), (2, 2), (1, 1), (1, 4)),
    "DCGAN": Geometry((8, 8), (4, 4), (2, 2), (1, 1), (1, 3), 1),
}
cases = pytest.mark.parametrize("g", CASES.values(), ids=CASES)


@st.composite
def geometries(draw):
    def pair(low, high):
        return draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    size, stride, padding = pair(1, 7), pair(1, 3), pair(0, 3)
    kernel = tuple(
        draw(st.integers(1, min(5, s + 2 * p))) for s, p in zip(size, padding, strict=True)
    )
    return Geometry(size, kernel, stride, padding, pair(1, 3), draw(st.integers(1, 3)))


@pytest.fixture(scope="session", params=["reference", "numpy"])
def convolution(request):
    """convolution(geometry, dtype="float64"): its passes, on one of the backends of the CPU."""
    return lambda g, dtype="float64": Convolution(g, dtype, request.param)


class Convolution:
    """A `Conv2d` without bias, of this geometry, and the `ConvTranspose2d` that is its adjoint."""

    def __init__(self, g, dtype, backend):
        c, o = g.channels
        options = {"rng": 0, "dtype": dtype, "backend": backend}
        extra = tuple(
            (n + 2 * p - k) % s
            for n, p, k, s in zip(g.size, g.padding, g.kernel, g.stride, strict=True)
        )
        layer = Conv2d(c, o, g.kernel, g.stride, g.padding, bias=False)
        transposed = ConvTranspose2d(o, c, g.kernel, g.stride, g.padding, extra, bias=False)
        self.network = Sequential([layer], (*g.size, c), **options)
        self.transposed = Sequential([transposed], self.network.output_shape, **options)

    def forward(self, x, w):
        """y, and the cache."""
        self.network.layers[0].weight = w
        return self.network.steps[0].forward(x, True)

    def backward(self, x, w, dy):
        """dx."""
        _, cache = self.forward(x, w)
        return self.network.steps[0].backward(dy, cache)

    def weight_gradient(self, x, w, dy, start=0.0):
        """dW, added to `start`."""
        _, cache = self.forward(x, w)
        self.network.gradients.fill(start)
        self.network.steps[0].add_gradients(dy, cache)
        return self.network.layers[0].dweight.copy()

    def stamp(self, dy, w):
        """dx again: the transposed convolution's forward pass."""
        self.transposed.layers[0].weight = w
        return self.transposed.steps[0].forward(dy, True)[0]

    def transposed_passes(self, x, w, dy):
        """Its dx, for an upstream gradient x and an input dy, and its dW from both passes back."""
        self.transposed.layers[0].weight = w
        (step,), layer = self.transposed.steps, self.transposed.layers[0]
        _, cache = step.forward(dy, True)
        dx = step.backward(x, cache)
        layer.dweight.fill(0)
        step.add_gradients(x, cache)
        alone = layer.dweight.copy()
        layer.dweight.fill(0)
        np.testing.assert_allclose(step.backpropagate(x, cache), dx, atol=1e-12)
        np.testing.assert_allclose(layer.dweight, alone, atol=1e-12)
        return dx, alone


def pad(x, padding):
    return np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)))


def windows(g):
    """Every output position with its place in the padded image."""
    for i in range(g.out[0]):
        for j in range(g.out[1]):
            top, left = g.stride[0] * i, g.stride[1] * j
            yield i, j, slice(top, top + g.kernel[0]), slice(left, left + g.kernel[1])


def scatter(dy, w, g):
    """dx by definition: each dy stamps the weighted kernel onto the padded image."""
    (h, wd), (ph, pw) = g.size, g.padding
    padded = np.zeros((len(dy), h + 2 * ph, wd + 2 * pw, w.shape[2]))
    for i, j, rows, columns in windows(g):
        padded[:, rows, columns] += np.einsum("no,klco->nklc", dy[:, i, j], w)
    return padded[:, ph : ph + h, pw : pw + wd]


def weight_gradient(x, dy, g):
    """dW by definition: Σ over positions of window times dy."""
    padded, dw = pad(x, g.padding), 0
    for i, j, rows, columns in windows(g):
        dw = dw + np.einsum("nklc,no->klco", padded[:, rows, columns], dy[:, i, j])
    return dw


@cases
def test_forward_is_scipys_correlate(g, convolution):
    x, w, _ = g.arrays()
    y, _ = convolution(g).forward(x, w)
    padded = pad(x, g.padding)
    assert y.shape == (g.n, *g.out, g.channels[1])
    for n in range(g.n):
        for o in range(g.channels[1]):
            full = sum(
                correlate(padded[n, ..., c], w[..., c, o], "valid") for c in range(w.shape[2])
            )
            np.testing.assert_allclose(
                y[n, ..., o], full[:: g.stride[0], :: g.stride[1]], atol=1e-12
            )


@cases
def test_backward_is_scipys_convolution_of_the_dilated_dy(g, convolution):
    x, w, dy = g.arrays()
    dx, again = convolution(g).backward(x, w, dy), convolution(g).stamp(dy, w)
    dilated = np.zeros(
        (g.n, *((o - 1) * s + 1 for o, s in zip(g.out, g.stride, strict=True)), dy.shape[-1])
    )
    dilated[:, :: g.stride[0], :: g.stride[1]] = dy
    full = np.zeros((g.n, *(s + 2 * p for s, p in zip(g.size, g.padding, strict=True)), w.shape[2]))
    for n, c, o in np.ndindex(g.n, *g.channels):
        stamped = fftconvolve(dilated[n, ..., o], w[..., c, o])
        full[n, : stamped.shape[0], : stamped.shape[1], c] += stamped
    (ph, pw), (h, wd) = g.padding, g.size
    np.testing.assert_allclose(dx, full[:, ph : ph + h, pw : pw + wd], atol=1e-12)
    np.testing.assert_allclose(again, dx, atol=1e-12)


@cases
def test_the_weight_gradient_is_the_definitions_sum(g, convolution):
    x, w, dy = g.arrays()
    expected = weight_gradient(x, dy, g)
    for start in (1, 0):
        dw = convolution(g).weight_gradient(x, w, dy, start)
        np.testing.assert_allclose(dw, start + expected, atol=1e-12)


@cases
def test_the_transposed_convolution_goes_the_other_way(g, convolution):
    """Its dx is a convolution of what comes down; in its dW, image and output change places."""
    x, w, dy = g.arrays()
    dx, dw = convolution(g).transposed_passes(x, w, dy)
    np.testing.assert_allclose(dx, convolution(g).forward(x, w)[0], atol=1e-12)
    np.testing.assert_allclose(dw, weight_gradient(x, dy, g), atol=1e-12)


@given(geometries(), st.integers(0, 100))
def test_backward_scatters(convolution, g, seed):
    """Few and many channels on either side: whichever form of the sum the backend takes."""
    for channels in ((1, 4), (4, 1)):
        some = g._replace(channels=channels)
        x, w, dy = some.arrays(seed)
        np.testing.assert_allclose(
            convolution(some).backward(x, w, dy), scatter(dy, w, some), atol=1e-12
        )


@given(geometries(), st.integers(0, 100))
def test_the_three_passes_are_adjoint(convolution, g, seed):
    """⟨forward(x, w), dy⟩ = ⟨x, backward(dy, w)⟩ = ⟨w, weight_gradient(x, dy)⟩."""
    (x, w, dy), passes = g.arrays(seed), convolution(g)
    y, dx, dw = (
        passes.forward(x, w)[0],
        passes.backward(x, w, dy),
        passes.weight_gradient(x, w, dy),
    )
    np.testing.assert_allclose([(x * dx).sum(), (w * dw).sum()], (y * dy).sum(), atol=1e-11)


@cases
def test_float32_is_close_to_float64(g, convolution):
    results = {}
    for dtype in ("float32", "float64"):
        (x, w, dy), passes = g.arrays(dtype=dtype), convolution(g, dtype)
        y, (columns, _) = passes.forward(x, w)
        dw, dx = passes.weight_gradient(x, w, dy), passes.backward(x, w, dy)
        results[dtype] = y, dw, dx
        assert {a.dtype for a in (y, columns, dw, dx)} == {np.dtype(dtype)}
    for single, double in zip(*results.values(), strict=True):
        np.testing.assert_allclose(single, double, atol=2e-5)


@cases
def test_any_memory_layout_and_nothing_is_written_to(g, convolution):
    """Transposed, reversed and sliced views are fine, and inputs stay as they are."""
    (x, w, dy), passes = g.arrays(), convolution(g)
    expected, expected_dx = passes.forward(x, w)[0], passes.backward(x, w, dy)
    expected_dw = passes.weight_gradient(x, w, dy)
    for layout in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
                   lambda a: a[::-1].copy()[::-1]):  # fmt: skip
        views = [layout(a) for a in (x, w, dy)]
        for view in views:
            view.flags.writeable = False
        y, _ = passes.forward(views[0], views[1])
        np.testing.assert_allclose(y, expected, atol=1e-12)
        np.testing.assert_allclose(passes.backward(*views), expected_dx, atol=1e-12)
        np.testing.assert_allclose(passes.weight_gradient(*views), expected_dw, atol=1e-12)
        np.testing.assert_allclose(passes.stamp(views[2], views[1]), expected_dx, atol=1e-12)
