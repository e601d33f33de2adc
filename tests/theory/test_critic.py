"""`CriticGame` is the discriminator's half of a `GAN`, step for step."""

import numpy as np
import pytest

from minigan import GAN, R1, SGD, Adam, Dense, Flatten, Reshape, Sequential, Tanh, train
from minigan.games.critic import CriticGame, critic_difference


def image_critic(dtype="float64"):
    layers = [Flatten(), Dense(12, 5), Tanh(), Dense(5, 1)]
    return Sequential(layers, (2, 3, 2), rng=3, dtype=dtype)


def images(seed, n=6):
    return np.random.default_rng(seed).normal(size=(n, 2, 3, 2))


def test_steps_are_those_of_a_gan_with_the_same_fakes():
    D, twin = image_critic(), image_critic()
    game = CriticGame(
        D, "minimax", Adam(D), iter([images(1), images(2)]), rng=0, regularizer=R1(0.3)
    )
    records = list(train(game, [images(3), images(4)], 2))

    class Latent:
        dimension = 12

        def sample(self, n, rng):
            return next(queue).reshape(n, 12)

    queue = iter([images(1), images(2)])
    G = Sequential([Reshape(2, 3, 2)], (12,), rng=0, dtype="float64")
    players = {"generator_optimizer": SGD(G), "discriminator_optimizer": Adam(twin)}
    gan = GAN(G, twin, "minimax", latent=Latent(), rng=0, regularizer=R1(0.3), **players)
    expected = [gan.discriminator_step(images(seed)) for seed in (3, 4)]
    assert np.array_equal(D.parameters, twin.parameters)
    assert not np.array_equal(D.parameters, image_critic().parameters)
    assert [r.discriminator_loss for r in records] == [f["discriminator_loss"] for f in expected]
    assert game.steps == 2


def test_refuses_fakes_of_another_length_before_any_update():
    D = image_critic()
    before = D.parameters.copy()
    game = CriticGame(D, "minimax", Adam(D), iter([images(1, n=5)]), rng=0)
    with pytest.raises(ValueError, match="as long as the real ones, 6, got 5"):
        next(train(game, [images(3)], 1))
    assert np.array_equal(D.parameters, before) and game.steps == 0


def test_refuses_what_a_gan_refuses():
    D = image_critic()
    with pytest.raises(ValueError, match="Lipschitz"):
        CriticGame(D, "wasserstein", Adam(D), iter([]), rng=0)
    with pytest.raises(ValueError, match="optimizer has another network"):
        CriticGame(D, "minimax", Adam(image_critic()), iter([]), rng=0)


def test_critic_difference():
    D = Sequential([Dense(2, 1)], (2,), rng=0, dtype="float32")
    D.parameters[...] = [3, -4, 10]
    x, y = np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 2.0]])
    assert critic_difference(D, x, y) == 6 + 8
