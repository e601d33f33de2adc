"""Shared by all tests: hypothesis without chance, and small networks and games to test on."""

import copy
import signal

import numpy as np
import pytest
from hypothesis import settings

from minigan import (
    GAN,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LeakyReLU,
    NormalLatent,
    Reshape,
    Sequential,
    Tanh,
)

settings.register_profile("minigan", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("minigan")


@pytest.fixture
def signals():
    """The signals that ask to stop act as in a terminal, wherever the tests were started.

    Under nohup or in the background of a shell, some are ignored. The numbers, by name.
    """
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = {name: getattr(signal, name) for name in names}
    before = {number: signal.getsignal(number) for number in numbers.values()}
    for name, number in numbers.items():
        signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def randomized():
    """randomized(layers, input_shape, seed=0, **options): a network with random numbers only.

    Initial biases of 0, γ of 1 and running variances of 1 would hide a forgotten term or factor.
    """

    def build(layers, input_shape, seed=0, *, dtype="float64", **options):
        rng = np.random.default_rng(seed)
        network = Sequential(layers, input_shape, rng=rng, dtype=dtype, **options)
        network.parameters[...] = rng.normal(0, 0.6, network.parameters.shape)
        network.buffers[...] = rng.uniform(0.5, 2, network.buffers.shape)
        return network

    return build


def _game(generator, discriminator, objective="non-saturating", *, optimizer=Adam, **options):
    defaults = {
        "latent": NormalLatent(*generator.input_shape),
        "rng": np.random.default_rng(7),
        "generator_optimizer": optimizer(generator),
        "discriminator_optimizer": optimizer(discriminator),
    }
    return GAN(generator, discriminator, objective, **(defaults | options))


@pytest.fixture(scope="session")
def make_gan():
    """make_gan(generator, discriminator, objective, *, optimizer=Adam, **GAN's options)."""
    return _game


@pytest.fixture(scope="session")
def dense_gan():
    """dense_gan(objective, seed, dtype, backend, **GAN's options): 2-D samples, batch norm."""

    def build(objective="non-saturating", *, seed=0, dtype="float64", backend="numpy", **options):
        shared = {"dtype": dtype, "backend": backend}
        G = [Dense(3, 5, bias=False), BatchNorm(5), LeakyReLU(), Dense(5, 2)]
        D = [Dense(2, 6), LeakyReLU(), Dense(6, 5, bias=False), BatchNorm(5), Tanh(), Dense(5, 1)]
        rng = np.random.default_rng(seed)
        return _game(
            Sequential(G, (3,), rng=rng, **shared),
            Sequential(D, (2,), rng=rng, **shared),
            objective,
            **options,
        )

    return build


@pytest.fixture(scope="session")
def conv_gan():
    """conv_gan(objective, seed, dtype, backend, **GAN's options): (4, 4, 1) images, batch norm."""

    def build(objective="non-saturating", *, seed=0, dtype="float64", backend="numpy", **options):
        shared = {"dtype": dtype, "backend": backend}
        up = ConvTranspose2d(3, 1, (4, 3), stride=2, padding=1, output_padding=(0, 1))
        G = [Dense(3, 12, bias=False), Reshape(2, 2, 3), BatchNorm(3), LeakyReLU(), up, Tanh()]
        down = Conv2d(1, 3, 3, stride=2, padding=1, bias=False)
        D = [down, BatchNorm(3), LeakyReLU(), Flatten(), Dense(12, 1)]
        rng = np.random.default_rng(seed)
        return _game(
            Sequential(G, (3,), rng=rng, **shared),
            Sequential(D, (4, 4, 1), rng=rng, **shared),
            objective,
            **options,
        )

    return build


@pytest.fixture(scope="session")
def snapshot():
    """snapshot(gan): copies of everything that training may change, comparable with ==."""

    def take(gan):
        networks = {"generator": gan.generator, "discriminator": gan.discriminator}
        found = {"steps": gan.steps, "rng": copy.deepcopy(gan.rng.bit_generator.state)}
        for name, network in networks.items():
            for vector in ("parameters", "gradients", "buffers"):
                found[f"{name} {vector}"] = getattr(network, vector).tobytes()
            optimizer = getattr(gan, f"{name}_optimizer")
            found[f"{name} optimizer steps"] = optimizer.steps
            for key, vector in optimizer.state.items():
                found[f"{name} optimizer {key}"] = vector.tobytes()
        return found

    return take
