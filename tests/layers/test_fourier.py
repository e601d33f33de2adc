"""`FourierFeatures`: the kernel that they are made for, their gradient, and what D sees by them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import R1, Dense, FourierFeatures, LeakyReLU, Sequential, Tanh, gradcheck

SIZES = st.integers(1, 4)
RNG = np.random.default_rng


def network(features, frequencies, scale=1.0, dtype="float64", seed=0):
    layers = [FourierFeatures(features, frequencies, scale=scale)]
    return Sequential(layers, (features,), rng=seed, dtype=dtype)


@given(features=SIZES, frequencies=SIZES, n=SIZES, seed=st.integers(0, 99))
def test_value(features, frequencies, n, seed):
    """[x, cos, sin] are x and the real and imaginary parts of exp(i x Ω)."""
    net, x = network(features, frequencies, seed=seed), RNG(seed).normal(size=(n, features))
    for mode in (True, False):
        y, _ = net.forward(x, train=mode)
        assert y.shape[1:] == net.output_shape
        wave = np.exp(1j * x @ net.named_buffers()["0.omega"])
        np.testing.assert_allclose(y, np.hstack([x, wave.real, wave.imag]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_the_inner_product_is_a_gaussian_kernel(scale):
    """E cos((x - x')·ω) = exp(-scale² |x - x'|² / 2), within 5 standard errors of 20,000 draws."""
    frequencies, x = 20_000, RNG(0).normal(size=(6, 2)) / scale
    waves = network(2, frequencies, scale)(x)[:, 2:]
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    error = waves @ waves.T / frequencies - np.exp(-(scale**2) * squares / 2)
    assert np.abs(error).max() < 5 / frequencies**0.5


@given(features=SIZES, frequencies=SIZES, n=SIZES, seed=st.integers(0, 99))
def test_gradient(features, frequencies, n, seed):
    x = RNG(seed).normal(size=(n, features))
    report = gradcheck(network(features, frequencies, seed=seed), x, rng=seed)
    assert report.passed and report.relative_error < 1e-6, str(report)


def wrong_sign(self, dy, cache):
    (cos, sin), (dy_x, dy_cos, dy_sin) = cache, self._split(dy)
    return dy_x + (dy_sin * cos + dy_cos * sin) @ self.omega.T


def without_x(self, dy, cache):
    (cos, sin), (_, dy_cos, dy_sin) = cache, self._split(dy)
    return (dy_sin * cos - dy_cos * sin) @ self.omega.T


def sines_swapped(self, dy, cache):
    (cos, sin), (dy_x, dy_cos, dy_sin) = cache, self._split(dy)
    return dy_x + (dy_sin * sin - dy_cos * cos) @ self.omega.T


@pytest.mark.parametrize("broken", [wrong_sign, without_x, sines_swapped])
def test_a_wrong_gradient_is_seen(broken, monkeypatch):
    net, x = network(2, 3), RNG(0).normal(size=(4, 2))
    assert gradcheck(net, x).passed
    monkeypatch.setattr(FourierFeatures, "backward", broken)
    assert not gradcheck(net, x).passed


def test_gradient_under_a_penalty():
    layers = [Dense(2, 3), FourierFeatures(3, 2), Dense(7, 4), Tanh(), Dense(4, 1)]
    critic = Sequential(layers, (2,), rng=0, dtype="float64")
    assert gradcheck(R1(2.0), critic, *RNG(1).normal(size=(2, 4, 2)), max_entries=6).passed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(dtype):
    net = network(2, 3, dtype=dtype)
    y, caches = net.forward(np.ones((4, 2), dtype))
    u_dy, u_x = net.layers[0].double_backward(np.ones((4, 2), dtype), y, caches[0])
    assert y.dtype == net.backward(y, caches).dtype == u_dy.dtype == u_x.dtype == dtype


def test_frequencies_are_drawn_once_and_not_trained():
    net = network(2, 50, scale=4.0)
    assert net.parameters.size == 0
    assert net.named_buffers()["0.omega"].std() == pytest.approx(4, rel=0.15)
    np.testing.assert_array_equal(net.clone().buffers, net.buffers)
    np.testing.assert_array_equal(network(2, 50, scale=4.0).buffers, net.buffers)
    assert not np.array_equal(network(2, 50, scale=4.0, seed=1).buffers, net.buffers)


def error_of_a_fit(first, inputs):
    """Of a small network, trained by plain gradient descent on a fast wave: the mean square."""
    layers = [*first, Dense(inputs, 32), LeakyReLU(), Dense(32, 1)]
    net = Sequential(layers, (1,), rng=0, dtype="float64")
    x = np.linspace(-1, 1, 128)[:, None]
    target = np.sin(12 * x)
    for _ in range(400):
        y, caches = net.forward(x)
        net.zero_gradients()
        net.add_gradients(2 * (y - target) / len(x), caches)
        net.parameters -= 0.02 * net.gradients
    return float(((net(x) - target) ** 2).mean())


def test_fine_detail_is_learnt_faster():
    assert error_of_a_fit([FourierFeatures(1, 16, scale=10.0)], 33) < error_of_a_fit([], 1) / 3


@pytest.mark.parametrize("arguments", [(0, 3), (2, 0)])
def test_sizes_must_be_positive(arguments):
    with pytest.raises(ValueError):
        FourierFeatures(*arguments)


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan")])
def test_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match="scale"):
        FourierFeatures(2, 3, scale=scale)


def test_input_of_another_shape():
    with pytest.raises(ValueError, match=r"expected input \(2,\), got \(3,\)"):
        Sequential([FourierFeatures(2, 3)], (3,), rng=0)
