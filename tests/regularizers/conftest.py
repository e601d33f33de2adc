"""What the tests of the penalties share: each penalty, activation and kind of critic in turn."""

from types import SimpleNamespace

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    GAN,
    R1,
    R2,
    SGD,
    WGANGP,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LayerNorm,
    LeakyReLU,
    NormalLatent,
    OneSidedPenalty,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    get_backend,
)


def name(item):
    return item.__name__


@pytest.fixture(scope="module", params=[WGANGP, OneSidedPenalty, DRAGAN, R1, R2], ids=name)
def penalty(request):
    """The class of a penalty."""
    return request.param


@pytest.fixture(scope="module", params=[LeakyReLU, Tanh, Softplus, Sigmoid], ids=name)
def activation(request):
    """The class of an activation."""
    return request.param


def dense(activation):
    return [Dense(3, 5), LayerNorm(5), activation(), Dense(5, 4), activation()], (3,)


def convolutional(activation):
    layers = [Conv2d(2, 3, 3, 2, 1), LayerNorm(3), activation(), Conv2d(3, 2, 2), activation()]
    return [*layers, Flatten()], (5, 4, 2)


def transposed(activation):
    up = [Reshape(2, 2, 2), ConvTranspose2d(2, 3, 3, 2, 1, 1), activation(), LayerNorm(3)]
    return [*up, Conv2d(3, 2, 3, (2, 1)), activation(), Flatten()], (8,)


@pytest.fixture(scope="module", params=[dense, convolutional, transposed], ids=name)
def kind(request):
    """kind(activation): the layers of a critic but for its last, and the shape of its input."""
    return request.param


@pytest.fixture(scope="session")
def critic(randomized):
    """critic(layers, shape, seed=0): a network of the layers and one more, to a logit.

    Its slopes are near 1, on both sides and more of them above: a one-sided penalty is not zero.
    """

    def build(layers, shape, seed=0):
        features = Sequential([layer.unbound() for layer in layers], shape, rng=0).output_shape
        network = randomized([*layers, Dense(*features, 1)], shape, seed)
        _, caches = network.forward(np.random.default_rng(seed).normal(size=(32, *shape)))
        g = network.backward(np.ones((32, 1)), caches)
        network.layers[-1].weight *= 1.3 / np.median(np.linalg.norm(g.reshape(32, -1), axis=1))
        return network

    return build


@pytest.fixture(scope="session")
def dense_critic(critic):
    """A critic of dense layers with tanh, on samples (3,)."""
    return lambda: critic(*dense(Tanh))


@pytest.fixture(scope="session")
def batches():
    """batches(shape, n=4, seed=1): real and fake samples."""
    return lambda shape, n=4, seed=1: np.random.default_rng(seed).normal(size=(2, n, *shape))


@pytest.fixture(scope="session")
def points_of():
    """points_of(penalty, real, fake, seed=4): the points it takes, from default_rng(seed)."""

    def points(penalty, real, fake, seed=4):
        critic = SimpleNamespace(backend=get_backend("numpy"), dtype=real.dtype)
        return penalty.points(critic, real, fake, np.random.default_rng(seed))

    return points


@pytest.fixture(scope="session")
def rho():
    """rho(penalty, norms): ρ by its definition, for complex numbers too."""

    def value(penalty, n):
        if penalty in (R1, R2):
            return n**2 / 2
        return np.where(n.real > 1, (n - 1) ** 2, 0) if penalty is OneSidedPenalty else (n - 1) ** 2

    return value


@pytest.fixture(scope="session")
def game():
    """game(layers, shape, regularizer, objective): a GAN with these layers as discriminator."""

    def build(layers, shape, regularizer, objective="non-saturating"):
        size = int(np.prod(shape))
        G = Sequential([Dense(2, 6), Tanh(), Dense(6, size), Reshape(*shape)], (2,), rng=1)
        D = Sequential(layers, shape, rng=2)
        optimizers = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)}
        noise = {"latent": NormalLatent(2), "rng": 0}
        return GAN(G, D, objective, regularizer=regularizer, **noise, **optimizers)

    return build
