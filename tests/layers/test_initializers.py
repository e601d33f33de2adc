"""Initial weights: the stated distribution, and that signals keep their size."""

import numpy as np
import pytest
from scipy.stats import kstest, norm, uniform

from minigan import Conv2d, ConvTranspose2d, Dense, Glorot, He, LeakyReLU, Normal, ReLU, Sequential

# initializer, distribution for fan_in 50 and fan_out 100
DISTRIBUTIONS = {
    "He": (He(), norm(0, (2 / 50) ** 0.5)),
    "He for leaky ReLU": (He(0.5), norm(0, (2 / (1.25 * 50)) ** 0.5)),
    "Glorot": (Glorot(), uniform(-0.2, 0.4)),
    "Normal": (Normal(0.02), norm(0, 0.02)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution(name):
    init, distribution = DISTRIBUTIONS[name]
    weights = init(np.random.default_rng(0), (50, 100), 50, 100)
    assert weights.shape == (50, 100) and weights.dtype == np.float64
    assert kstest(weights.ravel(), distribution.cdf).pvalue > 1e-3


FANS = {
    "Dense": (lambda i: Dense(6, 8, init=i), (6,), 6, 8),
    "Conv2d": (lambda i: Conv2d(2, 8, (4, 3), 2, init=i), (6, 6, 2), 24, 24),
    "ConvTranspose2d": (lambda i: ConvTranspose2d(8, 2, (4, 3), 2, init=i), (3, 3, 8), 24, 24),
}


@pytest.mark.parametrize("name", FANS)
def test_layers_pass_their_fans(name):
    """Inputs summed into one output, and outputs that one input reaches, counted per pixel."""
    make, shape, fan_in, fan_out = FANS[name]
    seen = []

    def spy(rng, shape, fan_in, fan_out):
        seen.append((shape, fan_in, fan_out))
        return np.ones(shape)

    network = Sequential([make(spy)], shape, rng=0)
    weight = network.named_parameters()["0.weight"]
    assert seen == [(weight.shape, fan_in, fan_out)] and (weight == 1).all()


@pytest.mark.parametrize("activation", [ReLU, lambda: LeakyReLU(0.2)], ids=["relu", "leaky"])
def test_he_keeps_the_size_of_activations(activation):
    layers = []
    for _ in range(8):
        layers += [Dense(256, 256, init=He(getattr(activation(), "slope", 0))), activation()]
    network = Sequential(layers, (256,), rng=0)
    y = network(np.random.default_rng(0).normal(size=(200, 256)).astype("float32"))
    assert 0.5 < (y**2).mean() < 2


def test_glorot_keeps_the_size_through_linear_layers():
    network = Sequential([Dense(256, 256, init=Glorot()) for _ in range(8)], (256,), rng=0)
    y = network(np.random.default_rng(0).normal(size=(200, 256)).astype("float32"))
    assert 0.5 < y.std() < 2


def test_every_dtype_starts_from_the_same_numbers():
    single, double = (
        Sequential([Dense(9, 9)], (9,), rng=3, dtype=d) for d in ("float32", "float64")
    )
    np.testing.assert_array_equal(single.parameters, double.parameters.astype("float32"))
    assert not np.array_equal(double.parameters, double.parameters.astype("float32"))
