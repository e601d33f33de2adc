"""What the tests of `ShardedGAN` share: games with and without shards, and a deadline.

Threads that wait for each other can wait for ever, so every call that might is given a deadline.
"""

import threading

import numpy as np
import pytest

from minigan import (
    GAN,
    SGD,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    NormalLatent,
    Pack,
    Reshape,
    Sequential,
    SpectralNorm,
    Tanh,
)
from minigan.games.sharded import ShardedGAN

KINDS = {
    "dense": (
        lambda: [Dense(2, 6), BatchNorm(6), Tanh(), Dense(6, 3)],
        lambda: [Dense(3, 6), LeakyReLU(), Dense(6, 5), BatchNorm(5), Tanh(), Dense(5, 1)],
        (3,),
    ),
    "images": (
        lambda: [
            *[Dense(2, 12), Reshape(2, 2, 3), BatchNorm(3), LeakyReLU()],
            *[ConvTranspose2d(3, 2, 4, 2, 1), BatchNorm(2), Tanh()],
        ],
        lambda: [Conv2d(2, 3, 3, 2, 1), BatchNorm(3), LeakyReLU(), Flatten(), Dense(12, 1)],
        (4, 4, 2),
    ),
    "layer norm": (
        lambda: [Dense(2, 6), Tanh(), Dense(6, 3)],
        lambda: [Dense(3, 6), LayerNorm(6), Tanh(), Dense(6, 1)],
        (3,),
    ),
    "packed": (
        lambda: [Dense(2, 6), Tanh(), Dense(6, 3)],
        lambda: [Pack(2), Dense(6, 6), Tanh(), Dense(6, 1)],
        (3,),
    ),
    "spectral norm": (
        lambda: [Dense(2, 6), Tanh(), Dense(6, 3)],
        lambda: [SpectralNorm(Dense(3, 32)), LeakyReLU(), SpectralNorm(Dense(32, 1))],
        (3,),
    ),
    "dropout": (
        lambda: [Dense(2, 6), Tanh(), Dense(6, 3)],
        lambda: [Dense(3, 6), Dropout(0.3), LeakyReLU(), Dense(6, 1)],
        (3,),
    ),
}


@pytest.fixture(scope="session")
def build():
    """build(kind, shards=None, ...): a `GAN`, or a `ShardedGAN`, of the same numbers."""
    return _build


@pytest.fixture(scope="session")
def numbers():
    """numbers(kind, n=12): samples and noise."""

    def draw(kind, n=12):
        rng = np.random.default_rng(3)
        return rng.normal(size=(n, *KINDS[kind][2])), rng.normal(size=(n, 2))

    return draw


@pytest.fixture(scope="session")
def in_time():
    """in_time(game, action): the action's result or error; a failure, not a hang, of its shards."""
    return _in_time


def _build(kind, shards=None, *, objective="non-saturating", dtype="float64", **options):
    """A `GAN`, or with `shards` a `ShardedGAN`, of the same numbers."""
    generator, discriminator, shape = KINDS[kind]
    G = Sequential(generator(), (2,), rng=1, dtype=dtype)
    D = Sequential(discriminator(), shape, rng=2, dtype=dtype)
    optimizer = options.pop("optimizer", SGD)
    cls, options = (GAN, options) if shards is None else (ShardedGAN, options | {"shards": shards})
    optimizers = {"generator_optimizer": optimizer(G), "discriminator_optimizer": optimizer(D)}
    return cls(G, D, objective, **({"latent": NormalLatent(2), "rng": 0} | optimizers | options))


def _in_time(game, action, seconds=10):
    """The action's result or error; a failure, not a hang, if the game's shards wait for ever."""
    outcome = []

    def run():
        try:
            outcome.append(("result", action()))
        except BaseException as error:
            outcome.append(("error", error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    hangs = thread.is_alive()
    if hangs and isinstance(game, ShardedGAN):
        game._team.barrier.abort()  # or the interpreter would wait for them when it ends
        thread.join(seconds)
    assert not hangs, "the shards wait for each other for ever"
    ((kind, value),) = outcome
    if kind == "error":
        raise value
    return value
