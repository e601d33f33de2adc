"""One small game for each kind of game, objective, regularizer, layer, noise and optimizer."""

import numpy as np

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
    Reshape,
    RMSProp,
    Sequential,
    SpectralNorm,
    Tanh,
    UniformLatent,
    WeightClipping,
)
from minigan.data import Batches, toy
from minigan.games.critic import CriticGame
from minigan.latent import MixtureLatent, PhiloxLatent
from minigan.layers import FourierFeatures, MinibatchStd

__all__ = ["GAMES", "LOSSES", "build"]

BATCH, ROWS = 24, 60  # what 1, 2, 3 and 4 ranks can divide, also in pairs

PLAIN = [lambda: Dense(2, 5), Tanh]
WITH_BATCH_NORM = [LeakyReLU, lambda: Dense(6, 5), lambda: BatchNorm(5), Tanh]
WITH_LAYER_NORM = [lambda: Dense(2, 6), lambda: LayerNorm(6), Tanh, lambda: Dense(6, 5)]


def network(layers, shape, rng, backend):
    return Sequential([make() for make in layers], shape, rng=rng, dtype="float64", backend=backend)


def points(width=2):
    return np.random.default_rng(width).normal(size=(ROWS, width))


def gan(objective="non-saturating", D=(), kind=GAN, *, labels=0, optimizer=Adam, up=(), **options):
    """A function of a backend and a seed: a game, with batch norm but for D and up; its batches.

    D: the first layers of the discriminator, to five features. up: what follows G's first layer.
    """

    def build(backend, seed):
        rng = np.random.default_rng(seed)
        make = options.get("latent")
        latent = make(backend) if make else NormalLatent(3)
        inputs = latent.dimension + labels
        first = D or [lambda: Dense(2 + labels, 6), *WITH_BATCH_NORM]
        rise = [
            lambda: Dense(inputs, 2 if up else 6),
            *(up or WITH_BATCH_NORM),
            lambda: Dense(5, 2),
        ]
        G = network(rise, (inputs,), rng, backend)
        D_ = network([*first, lambda: Dense(5, 1)], (2 + labels,), rng, backend)
        optimizers = {"generator_optimizer": optimizer(G), "discriminator_optimizer": optimizer(D_)}
        parts = {**options, **optimizers, "latent": latent, "rng": rng.spawn(1)[0]}
        data = (points(), np.arange(ROWS) % 4) if labels else points()
        return kind(G, D_, objective, **parts), Batches(data, BATCH, rng.spawn(1)[0], "float64")

    return build


def images(backend, seed):
    rng = np.random.default_rng(seed)
    up = [lambda: Dense(3, 12, bias=False), lambda: Reshape(2, 2, 3), lambda: BatchNorm(3), Tanh]
    up += [lambda: ConvTranspose2d(3, 1, 4, stride=2, padding=1), Tanh]
    down = [lambda: Conv2d(1, 3, 3, stride=2, padding=1), lambda: BatchNorm(3), LeakyReLU]
    down += [lambda: Dropout(0.3), Flatten, lambda: SpectralNorm(Dense(12, 1))]
    G, D = network(up, (3,), rng, backend), network(down, (4, 4, 1), rng, backend)
    game = GAN(
        *(G, D, "hinge"),
        generator_optimizer=Adam(G),
        discriminator_optimizer=Adam(D),
        latent=UniformLatent(3),
        rng=rng.spawn(1)[0],
        average_decay=0.9,
    )
    return game, Batches(points(16).reshape(-1, 4, 4, 1), BATCH, rng.spawn(1)[0], "float64")


def moment_matching(unbiased):
    def build(backend, seed):
        rng = np.random.default_rng(seed)
        up = [lambda: Dense(3, 6), lambda: BatchNorm(6), Tanh, lambda: Dense(6, 2)]
        G = network(up, (3,), rng, backend)
        options = {"latent": NormalLatent(3), "rng": rng.spawn(1)[0], "unbiased": unbiased}
        game = MomentMatching(G, Adam(G), bandwidths=[0.5, 2.0], **options)
        return game, Batches(points(), BATCH, rng.spawn(1)[0], "float64")

    return build


def cycle(backend, seed):
    rng = np.random.default_rng(seed)

    def dense(inputs, outputs, norm):
        layers = [lambda: Dense(inputs, 5), lambda: norm(5), Tanh, lambda: Dense(5, outputs)]
        return network(layers, (inputs,), rng, backend)

    players = [dense(2, 3, BatchNorm), dense(3, 2, BatchNorm)]
    players += [dense(2, 1, LayerNorm), dense(3, 1, LayerNorm)]
    optimizers = [Adam(player) for player in players]
    game = CycleGAN(*players, optimizers=optimizers, rng=rng.spawn(1)[0], regularizer=WGANGP(1.0))
    return game, Batches((points(), points(3)), BATCH, rng.spawn(1)[0], "float64")


def critic(backend, seed):
    rng = np.random.default_rng(seed)
    D = network([*WITH_LAYER_NORM, lambda: Dense(5, 1)], (2,), rng, backend)
    fakes = Batches(toy("moons"), BATCH, rng.spawn(1)[0], "float64")
    options = {"rng": rng.spawn(1)[0], "regularizer": OneSidedPenalty()}
    game = CriticGame(D, "wasserstein", Adam(D), fakes, **options)
    return game, Batches(toy("ring"), BATCH, rng.spawn(1)[0], "float64")


def after(*makes):
    """The layers of a discriminator that ends in five features."""
    return [*makes, LeakyReLU, lambda: Dense(6, 5)]


CLIPPED = {"regularizer": WeightClipping(0.3), "optimizer": RMSProp}
PENALTIES = [R1(2.0, every=2), R2(2.0), WGANGP(2.0), OneSidedPenalty(2.0), DRAGAN(2.0)]

#: Without batch norm: few sums per step.
LOSSES = {
    **{name: gan(name, PLAIN, up=PLAIN) for name in OBJECTIVES if name != "wasserstein"},
    "wasserstein": gan("wasserstein", PLAIN, up=PLAIN, **CLIPPED),
    **{
        type(penalty).__name__: gan("minimax", WITH_LAYER_NORM, up=PLAIN, regularizer=penalty)
        for penalty in PENALTIES
    },
}
GAMES = {
    "average": gan("least-squares", average_decay=0.5, discriminator_steps=2),
    "images": images,
    "dropout, Fourier features, mixture": gan(
        D=after(lambda: FourierFeatures(2, 4), lambda: Dense(10, 6), lambda: Dropout(0.4)),
        latent=lambda backend: MixtureLatent(5, 2),
    ),
    "minibatch std, Philox": gan(
        D=after(MinibatchStd, lambda: Dense(3, 6)),
        latent=lambda backend: PhiloxLatent(3, backend=backend, dtype="float64"),
    ),
    "pack, momentum": gan(
        D=after(lambda: Pack(2), lambda: Dense(4, 6)),
        optimizer=lambda net: SGD(net, 0.05, momentum=0.9),
        schedule=LinearDecay(20),
    ),
    "conditional": gan("minimax", kind=ConditionalGAN, labels=4, classes=4),
    "feature matching": gan(kind=FeatureMatchingGAN, layer=2),
    "moment matching": moment_matching(False),
    "moment matching, unbiased": moment_matching(True),
    "cycle": cycle,
    "critic": critic,
}


def build(kind, backend, seed=0):
    """The game of that kind, in float64, and its batches."""
    return (GAMES | LOSSES)[kind](backend, seed)
