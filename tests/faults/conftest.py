"""One small game of every kind: what holds of checkpoints and of seeds must hold of each."""

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    GAN,
    OBJECTIVES,
    R1,
    R2,
    SGD,
    WGANGP,
    Adam,
    BatchNorm,
    ConditionalGAN,
    Conv2d,
    ConvTranspose2d,
    CycleGAN,
    Dense,
    Dropout,
    FeatureMatchingGAN,
    Flatten,
    LayerNorm,
    LeakyReLU,
    LinearDecay,
    MomentMatching,
    NormalLatent,
    OneSidedPenalty,
    Pack,
    ReLU,
    Reshape,
    RMSProp,
    Sequential,
    SpectralNorm,
    Tanh,
    UniformLatent,
    WeightAverage,
    WeightClipping,
)
from minigan.data import Batches, toy
from minigan.games.critic import CriticGame
from minigan.optimizers import Optimizer

BATCH, ROWS = 6, 20  # three batches an epoch, two rows left over


def _points(width=2):
    return np.random.default_rng(width).normal(size=(ROWS, width))


def _dense(inputs, outputs, rng, options, *, norm=BatchNorm, activation=LeakyReLU):
    layers = [Dense(inputs, 7), norm(7), activation(), Dense(7, outputs)]
    return Sequential(layers, (inputs,), rng=rng, **options)


def _players(rng, options, make=_dense, labels=0):
    """A generator 3 -> 2 and a discriminator 2 -> 1."""
    G = make(3 + labels, 2, rng, options)
    return G, _dense(2 + labels, 1, rng, options, norm=LayerNorm)


def _gan(kind, G, D, objective, rng, *, optimizer=Adam, **options):
    return kind(
        G,
        D,
        objective,
        generator_optimizer=optimizer(G),
        discriminator_optimizer=optimizer(D),
        latent=NormalLatent(3),
        rng=rng,
        **options,
    )


def _plain(objective, **options):
    def build(data_rng, rng, networks):
        G, D = _players(rng, networks)
        game = _gan(GAN, G, D, objective, rng.spawn(1)[0], **options)
        return game, Batches(_points(), BATCH, data_rng)

    return build


def _convolutional(data_rng, rng, networks):
    up = ConvTranspose2d(3, 1, 4, stride=2, padding=1)
    G = [Dense(3, 12, bias=False), Reshape(2, 2, 3), BatchNorm(3), ReLU(), up, Tanh()]
    D = [Conv2d(1, 3, 3, stride=2, padding=1), BatchNorm(3), LeakyReLU(), Dropout(0.3)]
    D += [Flatten(), SpectralNorm(Dense(12, 1))]
    G = Sequential(G, (3,), rng=rng, **networks)
    D = Sequential(D, (4, 4, 1), rng=rng, **networks)
    images = _points(16).reshape(-1, 4, 4, 1)
    game = _gan(GAN, G, D, "hinge", rng.spawn(1)[0], average_decay=0.9, discriminator_steps=2)
    return game, Batches(images, BATCH, data_rng)


def _conditional(data_rng, rng, networks):
    G, D = _players(rng, networks, labels=4)
    labels = np.arange(ROWS) % 4
    options = {"classes": 4, "average_decay": 0.5}
    game = _gan(ConditionalGAN, G, D, "minimax", rng.spawn(1)[0], **options)
    return game, Batches((_points(), labels), BATCH, data_rng)


def _feature_matching(data_rng, rng, networks):
    G, D = _players(rng, networks)
    game = _gan(FeatureMatchingGAN, G, D, "non-saturating", rng.spawn(1)[0], layer=2)
    return game, Batches(toy("ring"), BATCH, data_rng)


def _moment_matching(data_rng, rng, networks):
    G, _ = _players(rng, networks)
    options = {"bandwidths": [0.5, 2.0], "latent": UniformLatent(3), "rng": rng.spawn(1)[0]}
    return MomentMatching(G, RMSProp(G), **options), Batches(_points(), BATCH, data_rng)


def _cycle(data_rng, rng, networks):
    F, G = (_dense(*shape, rng, networks, activation=Tanh) for shape in ((2, 3), (3, 2)))
    A, B = (_dense(width, 1, rng, networks, norm=LayerNorm) for width in (2, 3))
    optimizers = [Adam(network) for network in (F, G, A, B)]
    game = CycleGAN(F, G, A, B, optimizers=optimizers, rng=rng.spawn(1)[0])
    return game, Batches((_points(), _points(3)), BATCH, data_rng)


def _noisy(data_rng, rng, networks):
    def noisy(inputs, outputs, rng, options):
        layers = [SpectralNorm(Dense(inputs, 7)), BatchNorm(7), ReLU(), Dropout(0.2)]
        return Sequential([*layers, Dense(7, outputs)], (inputs,), rng=rng, **options)

    G, D = _players(rng, networks, noisy)
    game = _gan(GAN, G, D, "least-squares", rng.spawn(1)[0], regularizer=DRAGAN())
    return game, Batches(_points(), BATCH, data_rng)


def _critic(data_rng, rng, networks):
    D = _dense(2, 1, rng, networks, norm=LayerNorm)
    fakes = Batches(toy("moons"), BATCH, rng.spawn(1)[0])
    options = {"rng": rng.spawn(1)[0], "regularizer": WGANGP()}
    return CriticGame(D, "wasserstein", Adam(D), fakes, **options), Batches(
        toy("ring"), BATCH, data_rng
    )


def _packed(data_rng, rng, networks):
    G, _ = _players(rng, networks)
    D = Sequential([Pack(2), Dense(4, 5), Tanh(), Dense(5, 1)], (2,), rng=rng, **networks)
    game = _gan(GAN, G, D, "minimax", rng.spawn(1)[0], regularizer=R1(every=2))
    return game, Batches(toy("ring"), BATCH, data_rng)


GAMES = {name: _plain(name) for name in OBJECTIVES if name != "wasserstein"} | {
    "wasserstein": _plain("wasserstein", regularizer=WeightClipping(), optimizer=RMSProp),
    "penalty": _plain("wasserstein", regularizer=WGANGP(), discriminator_steps=2),
    "one-sided penalty": _plain("wasserstein", regularizer=OneSidedPenalty(), optimizer=SGD),
    "dragan": _plain("minimax", regularizer=DRAGAN(), schedule=LinearDecay(12)),
    "r2": _plain("hinge", regularizer=R2(), average_decay=0.9),
    "convolutional": _convolutional,
    "conditional": _conditional,
    "feature matching": _feature_matching,
    "moment matching": _moment_matching,
    "cycle": _cycle,
    "noisy": _noisy,
    "critic": _critic,
    "packed": _packed,
}


@pytest.fixture(scope="session")
def build_game():
    """build_game(name, seed=0, dtype="float32"): a game of that kind and its batches."""

    def build(name, seed=0, **networks):
        data_rng, rng = np.random.default_rng(seed).spawn(2)
        return GAMES[name](data_rng, rng, networks)

    return build


@pytest.fixture(params=GAMES)
def kind(request):
    return request.param


@pytest.fixture(scope="session")
def numbers():
    """numbers(game): the bytes of everything that a game has learnt, whatever its parts() say."""

    def collect(game):
        found = {"steps": game.steps}
        held = {name: {name: part} for name, part in vars(game).items() if name[0] != "_"}
        held |= {name: part for name, part in vars(game).items() if isinstance(part, dict)}
        for parts in held.values():
            for name, part in parts.items():
                if isinstance(part, np.random.Generator):
                    found[name] = str(part.bit_generator.state)
                network = part.network if isinstance(part, WeightAverage) else part
                if isinstance(network, Sequential):
                    found[name] = network.parameters.tobytes(), network.buffers.tobytes()
                if isinstance(part, Optimizer):
                    found[name] = part.steps, [v.tobytes() for v in part.state.values()]
        return found

    return collect
