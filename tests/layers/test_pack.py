"""`Pack`: m samples side by side, and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import (
    GAN,
    R1,
    SGD,
    WGANGP,
    Conv2d,
    Dense,
    Flatten,
    NormalLatent,
    Pack,
    Reshape,
    Sequential,
    Tanh,
    gradcheck,
)

SHAPES = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)


@given(shape=SHAPES, size=st.integers(1, 4), packs=st.integers(1, 3))
def test_definition(shape, size, packs):
    """Pack i holds the samples i·m ... i·m + m − 1 next to each other along the last axis."""
    network = Sequential([Pack(size)], shape, rng=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(packs * size, *shape))
    y, caches = network.forward(x)
    assert y.shape == (packs, *network.output_shape) == (packs, *shape[:-1], size * shape[-1])
    for i in range(packs):
        np.testing.assert_array_equal(
            y[i], np.concatenate(list(x[i * size : (i + 1) * size]), axis=-1)
        )
    np.testing.assert_array_equal(network.backward(y, caches), x)


@given(shape=SHAPES, size=st.integers(1, 4))
def test_gradient(shape, size):
    x = np.random.default_rng(0).normal(size=(2 * size, *shape))
    report = gradcheck(Pack(size), x)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_a_batch_that_cannot_be_packed():
    network = Sequential([Pack(3)], (2,), rng=0)
    with pytest.raises(ValueError, match="a batch of 4 cannot be packed by 3"):
        network.forward(np.ones((4, 2), "float32"))


@pytest.mark.parametrize("size, error", [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_bad_size(size, error):
    with pytest.raises(error, match="size"):
        Pack(size)


def test_a_sample_needs_an_axis():
    with pytest.raises(ValueError, match="at least one axis"):
        Sequential([Pack(2)], (), rng=0)


GAMES = {  # the shape of a sample, G's layers, D's layers above Pack(2)
    "dense": ((2,), lambda: [Dense(3, 2)], lambda: [Dense(4, 5), Tanh(), Dense(5, 1)]),
    "image": (
        (3, 3, 1),
        lambda: [Dense(3, 9), Reshape(3, 3, 1)],
        lambda: [Conv2d(2, 3, 2), Tanh(), Flatten(), Dense(12, 1)],
    ),
}


@pytest.mark.parametrize("regularizer", [None, WGANGP(3.0), R1(2.0)], ids=repr)
@pytest.mark.parametrize("kind", GAMES)
def test_in_a_game(kind, regularizer):
    """Logits are per pack, gradients reach every sample of it, a penalty counts packs."""
    shape, generator, above = GAMES[kind]
    rng = np.random.default_rng(0)
    G = Sequential(generator(), (3,), rng=rng)
    D = Sequential([Pack(2), *above()], shape, rng=rng)
    game = GAN(
        G,
        D,
        "non-saturating",
        generator_optimizer=SGD(G),
        discriminator_optimizer=SGD(D),
        latent=NormalLatent(3),
        rng=0,
        regularizer=regularizer,
    )
    report = gradcheck(game, rng.normal(size=(6, *shape)), max_entries=5)
    assert report.passed and report.relative_error < 1e-6, str(report)
    assert D.forward(np.ones((6, *shape), "float32"))[0].shape == (3, 1)
