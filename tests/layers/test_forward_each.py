"""`forward_each`, `backward_each`: several batches at once are what they are one by one."""

import numpy as np
import pytest

from minigan import layers
from minigan.layers import Dense, Layer

IMAGE = (4, 4, 2)
# class: a layer of it, and the shape of a sample that it takes
LAYERS = {
    "BatchNorm": (lambda: layers.BatchNorm(3), (3,)),
    "Conv2d": (lambda: layers.Conv2d(2, 3, 3, 2, 1), IMAGE),
    "ConvTranspose2d": (lambda: layers.ConvTranspose2d(2, 3, 4, 2, 1), IMAGE),
    "Dense": (lambda: layers.Dense(3, 4), (3,)),
    "Dropout": (lambda: layers.Dropout(0.4), (3,)),
    "Flatten": (lambda: layers.Flatten(), IMAGE),
    "FourierFeatures": (lambda: layers.FourierFeatures(3, 5), (3,)),
    "LayerNorm": (lambda: layers.LayerNorm(3), (3,)),
    "LeakyReLU": (lambda: layers.LeakyReLU(), (3,)),
    "MinibatchStd": (lambda: layers.MinibatchStd(), (3,)),
    "Pack": (lambda: layers.Pack(2), (3,)),
    "ReLU": (lambda: layers.ReLU(), (3,)),
    "Reshape": (lambda: layers.Reshape(3, 1), (3,)),
    "Sigmoid": (lambda: layers.Sigmoid(), (3,)),
    "Softplus": (lambda: layers.Softplus(), (3,)),
    "SpectralNorm": (lambda: layers.SpectralNorm(Dense(3, 4)), (3,)),
    "Tanh": (lambda: layers.Tanh(), (3,)),
}
COUPLED = {"BatchNorm", "MinibatchStd", "Pack", "SpectralNorm"}


def network_of(name, randomized):
    """The layer above a dense one where that fits, so that wrong gradients would show below it."""
    make, shape = LAYERS[name]
    below = [Dense(3, 3)] if shape == (3,) else []
    return randomized([*below, make()], shape)


def batches(network, sizes=(4, 6), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, *network.input_shape)) for n in sizes]


def test_every_layer_is_here():
    public = (getattr(layers, name) for name in layers.__all__)
    assert set(LAYERS) == {
        kind.__name__
        for kind in public
        if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
    }


@pytest.mark.parametrize("name", LAYERS)
def test_like_one_after_the_other(name, randomized):
    """Outputs, gradients and running statistics, with different sizes of batches."""
    network, twin = (network_of(name, randomized) for _ in range(2))
    xs = batches(network)
    outputs, caches = network.forward_each(xs)
    expected = [twin.forward(x) for x in xs]
    rng = np.random.default_rng(1)
    dys = [rng.normal(size=y.shape) for y, _ in expected]
    for y, (wanted, _) in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(network.buffers, twin.buffers)

    network.gradients.fill(np.nan)  # they are set, whatever was there
    network.backward_each(dys, caches)
    for dy, (_, cache) in zip(dys, expected, strict=True):
        twin.backward(dy, cache)
    np.testing.assert_allclose(network.gradients, twin.gradients, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_one_pass_where_samples_do_not_meet(name, randomized):
    network = network_of(name, randomized)
    _, caches = network.forward_each(batches(network))
    assert len(caches) == (2 if name in COUPLED else 1)


def test_one_coupled_layer_is_enough(randomized):
    network = randomized([Dense(3, 4), layers.BatchNorm(4), layers.Tanh(), Dense(4, 1)], (3,))
    assert len(network.forward_each(batches(network))[1]) == 2


def test_a_layer_that_says_nothing_gets_batches_of_its_own(randomized):
    class Centred(Layer):
        def forward(self, x, train):
            return x - x.mean(axis=0), None

    network = randomized([Centred()], (3,))
    xs = batches(network)
    for x, y in zip(xs, network.forward_each(xs)[0], strict=True):
        np.testing.assert_allclose(y, x - x.mean(axis=0))


@pytest.mark.parametrize("name", ["Dense", "BatchNorm"])
def test_errors(name, randomized):
    network = network_of(name, randomized)
    good, other = batches(network)
    with pytest.raises(ValueError, match=r"input: expected shape \(N, 3\), got \(6, 2\)"):
        network.forward_each([good, other[:, :2]])
    with pytest.raises(TypeError, match="input: this network works in float64, got float32"):
        network.forward_each([good, other.astype("float32")])
    with pytest.raises(ValueError, match="input: the batch is empty"):
        network.forward_each([good[:0], other])
