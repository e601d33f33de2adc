"""Games that cannot learn are refused, where the layers prove it; those that can are not."""

import numpy as np
import pytest

from minigan import (
    GAN,
    SGD,
    WGANGP,
    BatchNorm,
    Conv2d,
    Dense,
    Flatten,
    LayerNorm,
    LeakyReLU,
    NormalLatent,
    Reshape,
    Sequential,
    SpectralNorm,
    Tanh,
    WeightClipping,
)
from minigan.games import CriticGame, CycleGAN, FeatureMatchingGAN

X = np.random.default_rng(1).normal(size=(6, 4))
IMAGE = [Reshape(2, 2, 1), Conv2d(1, 2, 1), BatchNorm(2), Flatten()]

# layers on (4,), and whether their mean over a batch is the same for every batch
CENTRED = {
    "batch norm": (lambda: [Dense(4, 3), BatchNorm(3)], True),
    "a dense layer after it": (lambda: [BatchNorm(4), Dense(4, 3)], True),
    "two of them": (lambda: [BatchNorm(4), Dense(4, 5), Dense(5, 3)], True),
    "a spectral norm after it": (lambda: [BatchNorm(4), SpectralNorm(Dense(4, 3))], True),
    "two norms": (lambda: [BatchNorm(4), Tanh(), Dense(4, 3), BatchNorm(3)], True),
    "shapes between": (lambda: [BatchNorm(4), Reshape(2, 2), Flatten(), Dense(4, 3)], True),
    "an activation after it": (lambda: [BatchNorm(4), LeakyReLU()], False),
    "an activation between": (lambda: [BatchNorm(4), Tanh(), Dense(4, 3)], False),
    "no norm": (lambda: [Dense(4, 3)], False),
    "layer norm": (lambda: [LayerNorm(4), Dense(4, 3)], False),
}
centred = pytest.mark.parametrize("name", CENTRED)


def network(layers, *more, shape=(4,)):
    return Sequential([*layers, *more], shape, rng=0, dtype="float64")


@centred
def test_what_the_layers_are_said_to_do(name):
    """The means over two batches that differ, by the forward pass itself."""
    make, same = CENTRED[name]
    chain = network(make())
    means = [chain.forward(x)[0].mean(axis=0) for x in (X, X**2 + 3)]
    assert np.allclose(*means, atol=1e-9) == same


def features(name):
    layers = CENTRED[name][0]()
    width = network([layer.unbound() for layer in layers]).output_shape[0]
    D = network(layers, Tanh(), Dense(width, 1))
    return len(layers), D


@centred
def test_feature_matching_on_a_mean_that_is_always_the_same(name):
    (layer, D), G = features(name), network([Dense(2, 4)], shape=(2,))
    options = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)}
    options |= {"latent": NormalLatent(2), "rng": 0}
    if CENTRED[name][1]:
        with pytest.raises(ValueError, match=r"the features come from BatchNorm\(\d\) through lin"):
            FeatureMatchingGAN(G, D, "minimax", layer=layer, **options)
        GAN(G, D, "minimax", **options)  # the logits themselves are fine
    else:
        game = FeatureMatchingGAN(G, D, "minimax", layer=layer, **options)
        assert np.linalg.norm(game.feedback(X, X**2 + 3)[1]) > 1e-3


def critic_of(name):
    layers = CENTRED[name][0]()
    width = network([layer.unbound() for layer in layers]).output_shape[0]
    return network(layers, Dense(width, 1))


def gan(D):
    G = network([Dense(2, 4)], shape=(2,))
    options = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)}
    options |= {"latent": NormalLatent(2), "rng": 0, "regularizer": WeightClipping(1.0)}
    return GAN(G, D, "wasserstein", **options)


def alone(D):
    return CriticGame(D, "wasserstein", SGD(D), [], rng=0, regularizer=WeightClipping(1.0))


def cycle(D):
    networks = [network([Dense(4, 4)]), network([Dense(4, 4)]), network([Dense(4, 1)]), D]
    optimizers = map(SGD, networks)
    options = {"optimizers": optimizers, "regularizer": WeightClipping(1.0)}
    return CycleGAN(*networks, "wasserstein", **options)


@pytest.mark.parametrize("game", [gan, alone, cycle])
@centred
def test_a_wasserstein_critic_whose_mean_is_always_the_same(game, name):
    D = critic_of(name)
    if not CENTRED[name][1]:
        game(D)
        return
    with pytest.raises(ValueError, match=r"logits come from BatchNorm\(\d\) through linear layers"):
        game(D)
    logits = D.forward(X)[0].mean(), D.forward(X**2 + 3)[0].mean()
    np.testing.assert_allclose(*logits, atol=1e-9)  # and so it was right to


def test_a_critic_that_ends_in_batch_norm():
    D = network([Dense(4, 1), BatchNorm(1)])
    for game in (gan, alone, cycle):
        with pytest.raises(ValueError, match=r"logits come from BatchNorm\(1\)"):
            game(D)


def test_batch_norm_of_images_is_another_thing():
    """Its mean runs over the places, too, so that the mean at each place is free."""
    D = network(IMAGE, Dense(8, 1))
    gan(D)
    means = [D.forward(x)[0].mean(axis=0) for x in (X, X**2 + 3)]
    assert not np.allclose(*means, atol=1e-3)


def test_layer_norm_of_one_number():
    with pytest.raises(ValueError, match=r"LayerNorm\(1\).* more than one value per sample"):
        network([Dense(4, 1), LayerNorm(1)])
    with pytest.raises(ValueError, match="BatchNorm needs more than one value per feature"):
        network([Dense(4, 1), BatchNorm(1)]).forward(X[:1])


def test_under_a_penalty_batch_norm_is_refused_for_what_it_does_there():
    D = network([BatchNorm(4), Dense(4, 1)])
    with pytest.raises(ValueError, match="cannot stand under a gradient penalty"):
        CriticGame(D, "wasserstein", SGD(D), [], rng=0, regularizer=WGANGP())
