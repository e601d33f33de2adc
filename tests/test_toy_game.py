"""The README's toy game, played to its end by the pages alone and by the faster forms: 8 modes."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minigan import (
    GAN,
    Adam,
    Dense,
    LeakyReLU,
    LinearDecay,
    ReLU,
    Sequential,
    UniformLatent,
    train,
)
from minigan.data import Batches, toy
from minigan.metrics import mode_coverage

RING, WIDTH, BATCH, STEPS, RATE = toy("ring"), 64, 128, 2000, 2e-3


def ring_game(backend, rng):
    layers_of_G = [Dense(2, WIDTH), ReLU(), Dense(WIDTH, WIDTH), ReLU(), Dense(WIDTH, 2)]
    layers_of_D = [Dense(2, WIDTH), LeakyReLU(), Dense(WIDTH, WIDTH), LeakyReLU(), Dense(WIDTH, 1)]
    G, D = (Sequential(x, (2,), rng=rng, backend=backend) for x in (layers_of_G, layers_of_D))
    return GAN(
        G,
        D,
        "non-saturating",
        generator_optimizer=Adam(G, RATE),
        discriminator_optimizer=Adam(D, RATE),
        latent=UniformLatent(2),
        rng=rng,
        schedule=LinearDecay(STEPS),
    )


def coverage(game):
    return mode_coverage(game.sample(2500, 9), RING.means, RING.sigma)


@pytest.mark.parametrize("backend", ["reference", "numpy"])
def test_all_eight_modes_are_reached(backend):
    rng = np.random.default_rng(1)
    game = ring_game(backend, rng)
    assert bool(game.generator.forms()) == (backend == "numpy")
    assert coverage(game).modes < 8
    with threadpool_limits(1):  # products as small as these are slower on two cores
        for _ in train(game, Batches(RING, BATCH, rng), STEPS):
            pass
    found = coverage(game)
    assert found.modes == 8 and found.high_quality > 0.4, found
