"""A check changes nothing: training goes on after it, to the last bit, as if nobody had looked.

Every game, with parts that have a state of their own: latent, schedule, regularizer, batches.
"""

import pickle

import numpy as np
import pytest

from minigan import (
    GAN,
    R1,
    Adam,
    BatchNorm,
    Dense,
    Dropout,
    LeakyReLU,
    Sequential,
    SpectralNorm,
    gradcheck,
    train,
    xray,
)
from minigan.data import Batches
from minigan.games import (
    ConditionalGAN,
    CriticGame,
    CycleGAN,
    FeatureMatchingGAN,
    MomentMatching,
)

RNG = np.random.default_rng


class OwnNoise:
    """A latent that draws from a generator of its own, and counts."""

    dimension = 3

    def __init__(self):
        self.rng, self.drawn = np.random.default_rng(5), 0

    def sample(self, n, rng):
        self.drawn += n
        return self.rng.normal(size=(n, 3)) + self.drawn


class Restless:
    """A schedule whose factor depends on how often it was asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self, step):
        self.asked += 1
        return 1 / self.asked


class Growing(R1):
    """A penalty that grows with every call, and remembers what it has seen."""

    def penalize(self, D, real, fake, rng, step=0):
        self.weight += 0.01
        self.seen = [*getattr(self, "seen", []), real]
        return super().penalize(D, real, fake, rng, step)


def network(inputs, outputs, critic=False):
    if critic:
        layers = [SpectralNorm(Dense(inputs, 6)), LeakyReLU(), Dense(6, 5), LeakyReLU()]
    else:
        layers = [Dense(inputs, 6), BatchNorm(6), LeakyReLU(), Dropout(0.2), Dense(6, 5)]
    return Sequential([*layers, Dense(5, outputs)], (inputs,), rng=4)


def samples(rng):
    return rng.normal(size=(40, 2)).astype("float32")


def parts(G, D):
    optimizers = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
    stateful = {"latent": OwnNoise(), "schedule": Restless(), "regularizer": Growing(0.1)}
    return (G, D, "minimax"), {"rng": 8, "average_decay": 0.9, **optimizers, **stateful}


def gan():
    arguments, options = parts(network(3, 2), network(2, 1, True))
    return GAN(*arguments, **options), Batches(samples(np.random.default_rng(0)), 8, RNG(1))


def feature_matching():
    arguments, options = parts(network(3, 2), network(2, 1, True))
    batches = Batches(samples(np.random.default_rng(0)), 8, RNG(1))
    return FeatureMatchingGAN(*arguments, layer=2, **options), batches


def conditional():
    arguments, options = parts(network(6, 2), network(5, 1, True))
    data = samples(np.random.default_rng(0)), np.arange(40) % 3
    return ConditionalGAN(*arguments, classes=3, **options), Batches(data, 8, RNG(1))


def moment_matching():
    G = network(3, 2)
    options = {"bandwidths": [0.5, 1], "latent": OwnNoise(), "schedule": Restless(), "rng": 8}
    return MomentMatching(G, Adam(G), **options), Batches(
        samples(np.random.default_rng(0)), 8, RNG(1)
    )


def cycle():
    networks = [network(2, 2), network(2, 2), network(2, 1, True), network(2, 1, True)]
    options = {"schedule": Restless(), "regularizer": Growing(0.1)}
    game = CycleGAN(*networks, optimizers=map(Adam, networks), **options)
    rng = np.random.default_rng(0)
    return game, Batches((samples(rng), samples(rng)), 8, RNG(1))


def critic():
    D, rng = network(2, 1, True), np.random.default_rng(0)
    fakes = Batches(samples(rng), 8, RNG(2))
    options = {"rng": 8, "schedule": Restless(), "regularizer": Growing(0.1)}
    game = CriticGame(D, "minimax", Adam(D), fakes, **options)
    return game, Batches(samples(rng), 8, RNG(1))


GAMES = {
    f.__name__: f for f in (gan, feature_matching, conditional, moment_matching, cycle, critic)
}


def played(game, batches):
    """Everything after three steps, as bytes."""
    figures = [record.as_dict()["figures"] for record in train(game, batches, 3)]
    return figures, everything(game)


def everything(game):
    networks = [(w.parameters, w.gradients, w.buffers) for w in game.networks]
    rngs = [layer.rng for w in game.networks for layer in w.layers]
    optimizers = [getattr(game, f"{player}_optimizer").snapshot() for player in game.players]
    rest = [getattr(game, name) for name in ("latent", "schedule", "regularizer", "rng", "steps")]
    average = game.average and game.average.state()
    fakes = getattr(game, "fakes", None)
    return [pickle.dumps(part) for part in (*networks, *rngs, *optimizers, *rest, average, fakes)]


@pytest.mark.parametrize("name", GAMES)
def test_training_goes_on_as_if_nobody_had_looked(name):
    (looked_at, batches), (alone, same_batches) = GAMES[name](), GAMES[name]()
    for _ in train(looked_at, batches, 2), train(alone, same_batches, 2):
        list(_)  # somewhere in the middle, where every state has moved
    before = everything(looked_at)
    batch = next(iter(GAMES[name]()[1]))
    given = batch if isinstance(batch, tuple) else (batch,)
    given = (*given, given[0] + 1) if name == "critic" else given
    kept = [np.array(x) for x in given]
    for x in given:
        x.flags.writeable = False
    gradcheck(looked_at, *given, max_entries=2, directions=1)
    for network in looked_at.networks:
        x = np.random.default_rng(3).normal(size=(8, *network.input_shape))
        gradcheck(network, x, max_entries=2, directions=1)
        xray(network, x, max_entries=1)
    assert everything(looked_at) == before
    for x, now in zip(kept, given, strict=True):
        np.testing.assert_array_equal(now, x)
    assert played(looked_at, batches) == played(alone, same_batches)


def test_a_regularizer_and_a_layer_with_a_state_of_their_own():
    """Checked by themselves, it is a copy that is asked."""
    penalty, D = Growing(0.1), network(2, 1, True)
    before = pickle.dumps((penalty, D))
    gradcheck(penalty, D, *np.random.default_rng(0).normal(size=(2, 5, 2)), max_entries=2)
    assert pickle.dumps((penalty, D)) == before

    class Counting(Dense):
        def forward(self, x, train):
            self.seen.append(len(x))
            return super().forward(x, train)

    layer = Counting(2, 3)
    layer.seen = []
    assert gradcheck(layer, np.ones((4, 2))).passed and layer.seen == []
