"""`MinibatchStd`: NumPy's std, its gradient, and what it sees of a collapse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import (
    R1,
    SGD,
    Conv2d,
    Dense,
    Flatten,
    MinibatchStd,
    Sequential,
    Tanh,
    gradcheck,
)
from minigan.layers import NoDoubleBackward
from minigan.parallel import ShardedGAN

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def network(shape, dtype="float64"):
    return Sequential([MinibatchStd()], shape, rng=0, dtype=dtype)


@given(shape=SHAPES, n=st.integers(1, 6), seed=st.integers(0, 99))
def test_value(shape, n, seed):
    x = np.random.default_rng(seed).normal(2, 3, size=(n, *shape))
    for train in (True, False):
        y, _ = network(shape).forward(x, train)
        assert y.shape[1:] == network(shape).output_shape
        np.testing.assert_array_equal(y[..., :-1], x)
        np.testing.assert_allclose(y[..., -1], x.std(axis=0).mean(), rtol=1e-6, atol=2e-4)


@given(shape=SHAPES, n=st.integers(2, 6), seed=st.integers(0, 99))
def test_gradient(shape, n, seed):
    x = np.random.default_rng(seed).normal(2, 3, size=(n, *shape))
    report = gradcheck(MinibatchStd(eps=0.01), x, rng=seed)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_gradient_in_a_network():
    layers = [Conv2d(2, 3, 2), Tanh(), MinibatchStd(), Conv2d(4, 2, 2), Flatten(), Dense(8, 1)]
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 2))
    assert gradcheck(Sequential(layers, (4, 4, 2), rng=0), x).passed


def test_samples_that_are_alike():
    """A collapsed batch: s = √eps, and a finite gradient, which is zero between them."""
    net, x = network((3,)), np.ones((4, 3))
    y, caches = net.forward(x)
    np.testing.assert_allclose(y[:, -1], 1e-4)
    dy = np.random.default_rng(0).normal(size=y.shape)
    np.testing.assert_array_equal(net.backward(dy, caches), dy[:, :-1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(dtype):
    net = network((2, 3), dtype)
    y, caches = net.forward(np.ones((4, 2, 3), dtype))
    assert y.dtype == net.backward(y, caches).dtype == dtype


def test_survives_a_mean_far_from_zero():
    x = np.random.default_rng(0).normal(1e4, 1, size=(256, 2)).astype("float32")
    y, _ = network((2,), "float32").forward(x)
    assert y[0, -1] == pytest.approx(x.astype("float64").std(axis=0).mean(), rel=1e-4)


def test_refuses_a_penalty(make_gan):
    G = Sequential([Dense(2, 3)], (2,), rng=0)
    D = Sequential([MinibatchStd(), Dense(4, 1)], (3,), rng=0)
    with pytest.raises(NoDoubleBackward, match=r"layer 0: MinibatchStd\(\).*penalty.*all the oth"):
        make_gan(G, D, regularizer=R1())


def test_shards_see_the_whole_batch(make_gan):
    """As in one piece, though each shard's own samples are alike."""
    games = []
    for sharded in (False, True):
        G = Sequential([Dense(2, 3)], (2,), rng=0, dtype="float64")
        D = [Dense(3, 4), Tanh(), MinibatchStd(), Dense(5, 1)]
        D = Sequential(D, (3,), rng=1, dtype="float64")
        game = make_gan(G, D, optimizer=SGD)
        if sharded:
            options = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)}
            options |= {"latent": game.latent, "rng": 0, "shards": 3}
            game = ShardedGAN(G, D, "non-saturating", **options)
        games.append(game)
    x, z = np.repeat([[1.0], [2.0], [4.0]], 4, axis=0) * np.ones(3), np.ones((12, 2))
    z *= np.random.default_rng(0).normal(size=(12, 1))
    for player in ("discriminator", "generator"):
        for game in games:
            getattr(game, f"{player}_gradients")(x, z)
        expected, found = (getattr(game, player).gradients for game in games)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("eps", [0, -1, "1e-8", float("nan")])
def test_bad_eps(eps):
    with pytest.raises((ValueError, TypeError), match="eps"):
        MinibatchStd(eps=eps)


def test_no_channels():
    with pytest.raises(ValueError, match=r"layer 0 .* at least one axis"):
        network(())
