"""The convolution family against SciPy and against sums written out as plain loops."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate, fftconvolve

from minigan.backend import get_backend

BACKEND = get_backend("numpy")


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
def test_conv_is_scipys_correlate(g):
    x, w, _ = g.arrays()
    y, _ = BACKEND.conv(x, w, g.stride, g.padding)
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
def test_conv_grad_input_is_scipys_convolution_of_the_dilated_dy(g):
    _, w, dy = g.arrays()
    dx = BACKEND.conv_grad_input(dy, w, g.stride, g.padding, g.size)
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


@cases
def test_conv_grad_weight_adds_the_definitions_sum(g):
    x, w, dy = g.arrays()
    _, columns = BACKEND.conv(x, w, g.stride, g.padding)
    expected = weight_gradient(x, dy, g)
    dw = np.ones_like(w)
    BACKEND.conv_grad_weight(columns, dy, dw)
    np.testing.assert_allclose(dw, 1 + expected, atol=1e-12)
    BACKEND.conv_grad_weight(columns, dy, dw, accumulate=False)
    np.testing.assert_allclose(dw, expected, atol=1e-12)
    unfolded = BACKEND.unfold(x, g.kernel, g.stride, g.padding)
    np.testing.assert_array_equal(unfolded.reshape(columns.shape), columns)


@given(geometries(), st.integers(0, 100))
def test_conv_grad_input_scatters(g, seed):
    """Few and many channels on either side: whichever form of the sum the backend takes."""
    for channels in ((1, 4), (4, 1)):
        _, w, dy = g._replace(channels=channels).arrays(seed)
        dx = BACKEND.conv_grad_input(dy, w, g.stride, g.padding, g.size)
        np.testing.assert_allclose(dx, scatter(dy, w, g), atol=1e-12)


@given(geometries(), st.integers(0, 100))
def test_the_three_operations_are_adjoint(g, seed):
    """⟨conv(x, w), dy⟩ = ⟨x, conv_grad_input(dy, w)⟩ = ⟨w, conv_grad_weight(x, dy)⟩."""
    x, w, dy = g.arrays(seed)
    y, columns = BACKEND.conv(x, w, g.stride, g.padding)
    dx = BACKEND.conv_grad_input(dy, w, g.stride, g.padding, g.size)
    dw = np.zeros_like(w)
    BACKEND.conv_grad_weight(columns, dy, dw)
    np.testing.assert_allclose([(x * dx).sum(), (w * dw).sum()], (y * dy).sum(), atol=1e-11)


@cases
def test_float32_is_close_to_float64(g):
    results = {}
    for dtype in ("float32", "float64"):
        x, w, dy = g.arrays(dtype=dtype)
        y, columns = BACKEND.conv(x, w, g.stride, g.padding)
        dw = np.zeros_like(w)
        BACKEND.conv_grad_weight(columns, dy, dw)
        dx = BACKEND.conv_grad_input(dy, w, g.stride, g.padding, g.size)
        results[dtype] = y, dw, dx
        assert {a.dtype for a in (y, columns, dx)} == {np.dtype(dtype)}
    for single, double in zip(*results.values(), strict=True):
        np.testing.assert_allclose(single, double, atol=2e-5)


@cases
def test_any_memory_layout_and_nothing_is_written_to(g):
    """Transposed, reversed and sliced views are fine, and inputs stay as they are."""
    x, w, dy = g.arrays()
    expected = BACKEND.conv(x, w, g.stride, g.padding)[0]
    expected_dx = BACKEND.conv_grad_input(dy, w, g.stride, g.padding, g.size)
    for layout in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
                   lambda a: a[::-1].copy()[::-1]):  # fmt: skip
        views = [layout(a) for a in (x, w, dy)]
        for view in views:
            view.flags.writeable = False
        y = BACKEND.conv(views[0], views[1], g.stride, g.padding)[0]
        dx = BACKEND.conv_grad_input(views[2], views[1], g.stride, g.padding, g.size)
        np.testing.assert_allclose(y, expected, atol=1e-12)
        np.testing.assert_allclose(dx, expected_dx, atol=1e-12)
