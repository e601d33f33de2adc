"""`SelfAttention`: what it computes, said in loops; its start, and large numbers."""

import numpy as np
import pytest

from minigan import SelfAttention, Sequential

X = np.random.default_rng(0).normal(size=(2, 2, 3, 8))


def test_each_pixel_takes_from_all_pixels_what_it_asks_for(randomized):
    """The formula, pixel by pixel."""
    network = randomized([SelfAttention(8)], X.shape[1:])
    layer = network[0]
    wq, wk, wv = np.split(layer.weight, 3, axis=1)
    for image, y in zip(X, network(X), strict=True):
        pixels = image.reshape(-1, 8)
        for m, pixel in enumerate(pixels):
            answers = np.array([np.exp((pixel @ wq) @ (other @ wk)) for other in pixels])
            shares = answers / answers.sum()
            taken = sum(share * (other @ wv) for share, other in zip(shares, pixels, strict=True))
            expected = pixel + layer.gamma * (taken @ layer.output)
            np.testing.assert_allclose(y.reshape(-1, 8)[m], expected, rtol=1e-10)


def test_it_starts_as_the_identity(backend_name):
    network = Sequential([SelfAttention(8)], X.shape[1:], rng=0, dtype="float64",
                         backend=backend_name)  # fmt: skip
    y, caches = network.forward(X)
    np.testing.assert_array_equal(y, X)
    dy = np.random.default_rng(1).normal(size=X.shape)
    np.testing.assert_array_equal(network.backward(dy, caches), dy)
    network.set_gradients(dy, caches)
    assert network[0].dgamma != 0 and not network[0].dweight.any()  # γ alone begins to learn


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_numbers_do_not_overflow(dtype, randomized):
    network = randomized([SelfAttention(8)], X.shape[1:], dtype=dtype)
    x = (1e4 * X).astype(dtype)
    y, caches = network.forward(x)
    dx = network.backward(np.ones_like(x), caches)
    assert y.dtype == dx.dtype == dtype and np.isfinite(y).all() and np.isfinite(dx).all()


def test_pixels_in_another_order_give_the_same_in_that_order(randomized):
    """Attention does not know where a pixel is."""
    network = randomized([SelfAttention(8)], (6, 1, 8))
    x = X.reshape(2, 6, 1, 8)
    order = np.random.default_rng(2).permutation(6)
    np.testing.assert_allclose(network(x[:, order]), network(x)[:, order], rtol=1e-10)


def test_other_inputs_are_refused():
    for shape in ((8,), (2, 2, 4), (2, 8)):
        with pytest.raises(ValueError, match=r"layer 0 .*expected input \(H, W, 8\), got"):
            Sequential([SelfAttention(8)], shape, rng=0)
