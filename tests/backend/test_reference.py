"""A whole game on "reference" and on "numpy": the forms change rounding, and nothing else."""

import numpy as np
import pytest

from minigan import (
    GAN,
    WGANGP,
    Adam,
    BatchNorm,
    Dense,
    LeakyReLU,
    NormalLatent,
    Sequential,
    Tanh,
    train,
)
from minigan.data import Batches, toy

STEPS = 50


def ring_game(backend):
    options = {"dtype": "float64", "backend": backend}
    G = [Dense(2, 32, bias=False), BatchNorm(32), LeakyReLU(), Dense(32, 32), Tanh(), Dense(32, 2)]
    D = [Dense(2, 32), LeakyReLU(), Dense(32, 32), LeakyReLU(), Dense(32, 1)]
    G, D = Sequential(G, (2,), rng=1, **options), Sequential(D, (2,), rng=2, **options)
    optimizers = {
        "generator_optimizer": Adam(G, 1e-3),
        "discriminator_optimizer": Adam(D, 1e-3, betas=(0, 0.9)),
    }
    latent = NormalLatent(2)
    return GAN(G, D, "non-saturating", latent=latent, rng=3, average_decay=0.9, **optimizers)


def losses(gan, batches):
    records = train(gan, batches, STEPS)
    return np.array([(record.discriminator_loss, record.generator_loss) for record in records])


def test_the_toy_game_is_the_same_game():
    games = [ring_game(backend) for backend in ("reference", "numpy")]
    found = [losses(game, Batches(toy("ring"), 64, np.random.default_rng(4))) for game in games]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-9)
    assert np.ptp(found[0], axis=0).min() > 0.01  # the players have moved
    assert games[0].generator.forms() == {} and len(games[1].generator.forms()) == 10
    samples = [game.sample(100, 5) for game in games]
    np.testing.assert_allclose(*samples, rtol=0, atol=1e-7)


@pytest.mark.parametrize("objective, regularizer", [("minimax", None), ("wasserstein", WGANGP())])
def test_a_game_with_images_is_the_same_game(objective, regularizer, make_gan, conv_gan):
    """Convolutions both ways; with a penalty, their second derivatives, too."""
    found = []
    for backend in ("reference", "numpy"):
        gan = conv_gan(backend=backend)
        D = gan.discriminator
        if regularizer is not None:  # under which batch norm has no place
            layers = [layer.unbound() for layer in D.layers if not isinstance(layer, BatchNorm)]
            D = Sequential(layers, D.input_shape, rng=0, dtype="float64", backend=backend)
        gan = make_gan(gan.generator, D, objective, regularizer=regularizer)
        rng = np.random.default_rng(1)
        batches = (rng.normal(size=(6, 4, 4, 1)) for _ in range(STEPS))
        found.append(losses(gan, batches))
        assert (gan.generator.forms() == {}) == (backend == "reference")
    np.testing.assert_allclose(*found, rtol=0, atol=1e-9)
    assert np.ptp(found[0], axis=0).min() > 0.01
