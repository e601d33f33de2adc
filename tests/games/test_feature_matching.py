"""`FeatureMatchingGAN`: its loss by the definition, its gradient, and who moves."""

import numpy as np
import pytest

from minigan import (
    R1,
    SGD,
    BatchNorm,
    Conv2d,
    Dense,
    FeatureMatchingGAN,
    Flatten,
    LeakyReLU,
    NormalLatent,
    Pack,
    Reshape,
    Sequential,
    Tanh,
    gradcheck,
)

DENSE = (
    lambda: [Dense(2, 5), Tanh(), Dense(5, 3)],
    lambda: [Dense(3, 6), Tanh(), Dense(6, 4), LeakyReLU(), Dense(4, 1)],
    (3,),
)
IMAGES = (
    lambda: [Dense(2, 12), Reshape(3, 2, 2), Tanh()],
    lambda: [Conv2d(2, 3, 2), Tanh(), Flatten(), Dense(6, 4), Tanh(), Dense(4, 1)],
    (3, 2, 2),
)
NORMALIZED = (
    lambda: [Dense(2, 5), BatchNorm(5), Tanh(), Dense(5, 3)],
    lambda: [Dense(3, 6), BatchNorm(6), Tanh(), Dense(6, 1)],
    (3,),
)
PACKED = (lambda: [Dense(2, 3)], lambda: [Pack(2), Dense(6, 4), Tanh(), Dense(4, 1)], (3,))


def build(kind, layer, **options):
    generator, discriminator, shape = kind
    G = Sequential(generator(), (2,), rng=1, dtype="float64")
    D = Sequential(discriminator(), shape, rng=2, dtype="float64")
    optimizers = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)}
    options = {"latent": NormalLatent(2), "rng": 0, "layer": layer} | optimizers | options
    return FeatureMatchingGAN(G, D, "non-saturating", **options)


def numbers(kind, n=6):
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, *kind[2])), rng.normal(size=(n, 2))


@pytest.mark.parametrize(
    "kind, layer",
    [(DENSE, 1), (DENSE, 2), (DENSE, 4), (IMAGES, 1), (IMAGES, 4), (NORMALIZED, 3), (PACKED, 2)],
    ids=["first", "hidden", "last", "image", "above images", "batch norm", "packed"],
)
def test_gradient(kind, layer):
    report = gradcheck(build(kind, layer), numbers(kind)[0], max_entries=5)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_gradient_beside_a_penalty():
    report = gradcheck(build(DENSE, 2, regularizer=R1(2.0)), numbers(DENSE)[0], max_entries=6)
    assert report.passed and report.relative_error < 1e-6, str(report)


def features(network, x, layer):
    """The output of the first `layer` layers, one after another."""
    for _, step in zip(range(layer), network.layers, strict=False):
        x, _ = step.forward(x, True)
    return x


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_loss_by_definition(layer):
    game = build(DENSE, layer)
    x, z = numbers(DENSE)
    found = game.generator_gradients(x, z)["generator_loss"]
    phi, psi = (
        features(game.discriminator, x, layer),
        features(game.discriminator, game.generator.forward(z)[0], layer),
    )
    assert found == pytest.approx(sum((psi.mean(axis=0) - phi.mean(axis=0)) ** 2), 1e-12)


def test_loss_is_zero_for_equal_batches():
    game = build(DENSE, 2)
    _, z = numbers(DENSE)
    figures = game.generator_gradients(game.generator.forward(z)[0], z)
    assert figures["generator_loss"] == 0 and figures["generator_gradient_norm"] == 0


def test_means_of_batches_of_different_sizes():
    """A mean over 6 fakes against one over 3 real samples; twice the same real ones: no change."""
    game = build(DENSE, 2)
    x, z = numbers(DENSE)
    once = game.generator_gradients(x[:3], z)
    gradient = game.generator.gradients.copy()
    twice = game.generator_gradients(np.tile(x[:3], (2, 1)), z)
    assert once["generator_loss"] == pytest.approx(twice["generator_loss"], 1e-12)
    np.testing.assert_allclose(game.generator.gradients, gradient, rtol=1e-12)


def test_the_discriminator_is_only_a_road():
    """G's step leaves D's parameters, gradients and optimizer as they are; D's step leaves G's."""
    game = build(DENSE, 2)
    x, _ = numbers(DENSE)
    G, D = game.generator, game.discriminator
    D.gradients[...] = 7
    before = D.parameters.copy(), G.parameters.copy()
    game.generator_step(x)
    assert (D.gradients == 7).all() and game.discriminator_optimizer.steps == 0
    np.testing.assert_array_equal(D.parameters, before[0])
    assert (G.parameters != before[1]).all()
    before = D.parameters.copy(), G.parameters.copy()
    game.discriminator_step(x)
    np.testing.assert_array_equal(G.parameters, before[1])
    assert (D.parameters != before[0]).any()


def test_the_discriminator_trains_as_in_its_objective():
    game, (x, z) = build(DENSE, 2), numbers(DENSE)
    figures = game.discriminator_gradients(x, z)
    loss, *_ = game.objective.discriminator(
        game.discriminator(x), game.discriminator(game.generator(z))
    )
    assert figures["discriminator_loss"] == pytest.approx(loss, 1e-12)


def test_descends():
    """G alone, for fixed noise and samples: the distance of the means goes to zero."""
    game, losses = build(DENSE, 2), []
    x, z = numbers(DENSE, 32)
    for _ in range(60):
        losses.append(game.generator_gradients(x, z)["generator_loss"])
        game.generator_optimizer.step(10.0)
    assert losses[-1] < 0.05 * losses[0] and np.all(np.diff(losses) < 0)


@pytest.mark.parametrize("layer", [0, -1, 5, 6])
def test_layer_out_of_range(layer):
    with pytest.raises(ValueError, match="layer: expected"):
        build(DENSE, layer)


@pytest.mark.parametrize("layer", [1.5, "2", None, True])
def test_layer_is_an_integer(layer):
    with pytest.raises(TypeError, match="layer"):
        build(DENSE, layer)
