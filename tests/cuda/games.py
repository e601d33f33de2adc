"""Small games of every kind, on any backend, each with its batches."""

import numpy as np

from minigan import (
    GAN,
    R1,
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
    MinibatchStd,
    MomentMatching,
    NormalLatent,
    PhiloxLatent,
    ReLU,
    Reshape,
    RMSProp,
    Sequential,
    SpectralNorm,
    Tanh,
    WeightClipping,
)

__all__ = ["GAMES", "batches", "networks"]

N = 6  # samples per batch


def dense():
    """Latent (3,) to samples (2,)."""
    G = [Dense(3, 5, bias=False), BatchNorm(5), LeakyReLU(), Dense(5, 2)]
    return G, [Dense(2, 6), LeakyReLU(), Dense(6, 5), Dropout(0.2), Tanh(), Dense(5, 1)], (2,)


def dcgan():
    """Latent (3,) to images (4, 4, 1)."""
    up = ConvTranspose2d(3, 1, 4, stride=2, padding=1)
    G = [Dense(3, 12, bias=False), Reshape(2, 2, 3), BatchNorm(3), ReLU(), up, Tanh()]
    down = Conv2d(1, 3, 4, stride=2, padding=1, bias=False)
    return G, [down, BatchNorm(3), LeakyReLU(), Flatten(), MinibatchStd(), Dense(13, 1)], (4, 4, 1)


def critic():
    """Images and a smooth critic with layer norm: what a gradient penalty can be taken of."""
    G = [Dense(3, 12), Reshape(2, 2, 3), ConvTranspose2d(3, 1, 2, stride=2), Tanh()]
    down = Conv2d(1, 3, 3, stride=2, padding=1)
    return G, [down, LayerNorm(3), Tanh(), Flatten(), Dense(12, 4), Tanh(), Dense(4, 1)], (4, 4, 1)


def lipschitz():
    G = [Dense(3, 5), Tanh(), Dense(5, 2)]
    return G, [SpectralNorm(Dense(2, 6)), LeakyReLU(), SpectralNorm(Dense(6, 1))], (2,)


def networks(kind, backend, dtype, labels=0):
    """G and D with random numbers; `labels` inputs more for each."""
    generator, discriminator, shape = kind()
    if labels:
        generator[0], discriminator[0] = Dense(3 + labels, 5), Dense(2 + labels, 6)
    options = {"backend": backend, "dtype": dtype}
    G = Sequential(generator, (3 + labels,), rng=1, **options)
    return G, Sequential(discriminator, (*shape[:-1], shape[-1] + labels), rng=2, **options)


def gan(kind, objective, optimizer=Adam, cls=GAN, latent=None, labels=0, **options):
    def build(backend, dtype):
        G, D = networks(kind, backend, dtype, labels)
        return cls(
            *(G, D, objective if isinstance(objective, str) else objective(backend)),
            generator_optimizer=optimizer(G),
            discriminator_optimizer=optimizer(D),
            latent=latent(backend, dtype) if latent else NormalLatent(3),
            rng=7,
            **options,
        )

    return build


def moment_matching(backend, dtype):
    G, _ = networks(dense, backend, dtype)
    return MomentMatching(G, Adam(G), bandwidths=[0.5, 2], latent=NormalLatent(3), rng=7)


def cycle(backend, dtype):
    def network(inputs, outputs, seed):
        layers = [Dense(inputs, 6), Tanh(), Dense(6, outputs)]
        return Sequential(layers, (inputs,), rng=seed, dtype=dtype, backend=backend)

    four = [network(2, 3, 1), network(3, 2, 2), network(2, 1, 3), network(3, 1, 4)]
    return CycleGAN(*four, optimizers=[Adam(w) for w in four])


def philox(backend, dtype):
    return PhiloxLatent(3, backend=backend, dtype=dtype)


#: name -> build(backend, dtype); together every layer, optimizer, latent and game.
GAMES = {
    "dense": gan(dense, "non-saturating", average_decay=0.9),
    "DCGAN": gan(dcgan, "minimax", discriminator_steps=2),
    "SGD": gan(dcgan, "least-squares", lambda w: SGD(w, 0.01, momentum=0.5)),
    "WGAN": gan(dense, "wasserstein", RMSProp, regularizer=WeightClipping(0.05)),
    "WGAN-GP": gan(critic, "wasserstein", regularizer=WGANGP(3.0)),
    "R1": gan(critic, "non-saturating", regularizer=R1(1.0, every=2)),
    "hinge": gan(lipschitz, "hinge", latent=philox),
    "maximum likelihood": gan(dense, "maximum-likelihood"),
    "absolute error": gan(dense, "absolute-error"),
    "conditional": gan(dense, "non-saturating", cls=ConditionalGAN, labels=3, classes=3),
    "feature matching": gan(dense, "non-saturating", cls=FeatureMatchingGAN, layer=3),
    "moment matching": moment_matching,
    "CycleGAN": cycle,
}


def batches(name, game, seed=3):
    """Host batches for a game of that name, without end."""
    rng = np.random.default_rng(seed)
    while True:
        if name == "CycleGAN":
            yield rng.normal(size=(N, 2)), rng.normal(size=(N, 3))
        elif name == "conditional":
            yield rng.normal(size=(N, 2)), rng.integers(0, 3, N)
        else:
            yield rng.normal(size=(N, *game.generator.output_shape))
