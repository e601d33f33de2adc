"""`ShardedGAN` computes the gradients of `GAN`: for all objectives, penalties and settings."""

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    WeightClipping,
)
from minigan.objectives import get_objective

PLAYERS = ("discriminator", "generator")


def assert_close(a, b):
    assert a.shape == b.shape
    assert abs(a - b).max(initial=0) <= 1e-12 * abs(b).max(initial=1)


@pytest.mark.parametrize("shards", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["dense", "images", "layer norm", "packed"])
def test_gradients_are_those_of_the_whole_batch(kind, shards, build, numbers, in_time):
    n = 24 if kind == "packed" else 12
    x, z = numbers(kind, n)
    plain, sharded = build(kind), build(kind, shards)
    for player in PLAYERS:
        expected = getattr(plain, f"{player}_gradients")(x, z)
        found = in_time(sharded, lambda p=player: getattr(sharded, f"{p}_gradients")(x, z))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-12, abs=1e-14), name
        mine, theirs = getattr(sharded, player), getattr(plain, player)
        assert_close(mine.gradients, theirs.gradients)
    for player in PLAYERS:  # running statistics of batch norm: of the whole batch, and once
        assert_close(getattr(sharded, player).buffers, getattr(plain, player).buffers)


def test_batch_norm_counts_the_whole_batch(build, numbers, in_time):
    """Shards of one sample each: with statistics of a shard alone, batch norm would refuse."""
    x, z = numbers("dense", 4)
    plain, sharded = build("dense"), build("dense", 4)
    plain.discriminator_gradients(x, z)
    in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    assert_close(sharded.discriminator.gradients, plain.discriminator.gradients)


@pytest.mark.parametrize(
    "objective",
    ["wasserstein", "hinge", "least-squares", "absolute-error", "maximum-likelihood", "minimax",
     "relativistic", "relativistic-average"],
)  # fmt: skip
def test_every_objective(objective, build, numbers, in_time):
    x, z = numbers("dense")
    clip = {"regularizer": WeightClipping(0.5)}
    plain, sharded = (build("dense", s, objective=objective, **clip) for s in (None, 2))
    for player in PLAYERS:
        expected = getattr(plain, f"{player}_gradients")(x, z)[f"{player}_loss"]
        found = in_time(sharded, lambda p=player: getattr(sharded, f"{p}_gradients")(x, z))
        assert found[f"{player}_loss"] == pytest.approx(expected, 1e-12)
        assert_close(getattr(sharded, player).gradients, getattr(plain, player).gradients)


@pytest.mark.parametrize("penalty", [R1(2.0), R2(2.0)], ids=repr)
def test_penalties_without_chance_are_the_same(penalty, build, numbers, in_time):
    x, z = numbers("layer norm")
    plain, sharded = (build("layer norm", s, regularizer=penalty) for s in (None, 3))
    expected = plain.discriminator_gradients(x, z)
    found = in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    assert found["discriminator_loss"] == pytest.approx(expected["discriminator_loss"], 1e-12)
    assert_close(sharded.discriminator.gradients, plain.discriminator.gradients)


def test_each_shard_draws_points_of_its_own(build, numbers, in_time):
    """The same samples in both shards: with one stream for both, their penalties were equal."""
    x, z = (np.tile(a[:4], (2, *[1] * (a.ndim - 1))) for a in numbers("layer norm"))
    sharded = build("layer norm", 2, regularizer=WGANGP(5.0))
    in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    first, second = (shard.discriminator.gradients for shard in sharded._games)
    assert abs(first - second).max() > 1e-6


class AllOnes:
    """Random numbers that are all alike, so that the same are drawn for any shard."""

    def random(self, shape):
        return np.ones(shape)


def test_dragan_takes_the_deviation_of_the_whole_batch(build, numbers, in_time):
    """In these shards it is three times as large, and a third, around means far apart."""
    x, z = numbers("layer norm")
    x[:6], x[6:] = 3 * x[:6] + 20, x[6:] / 3
    plain, sharded = (build("layer norm", s, regularizer=DRAGAN(5.0)) for s in (None, 2))
    plain.rng = AllOnes()
    for shard in sharded._games:
        shard.rng = AllOnes()
    expected = plain.discriminator_gradients(x, z)
    found = in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    assert found["discriminator_loss"] == pytest.approx(expected["discriminator_loss"], 1e-12)
    assert_close(sharded.discriminator.gradients, plain.discriminator.gradients)


@pytest.mark.parametrize(
    "setting, value, player",
    [
        ("regularizer", R1(50.0), "discriminator"),
        ("objective", get_objective("least-squares"), "discriminator"),
        ("objective", get_objective("least-squares"), "generator"),
    ],
)
def test_settings_may_change_after_the_game_is_built(
    setting, value, player, build, numbers, in_time
):
    """All shards play by what the game says now, as `GAN` does."""
    x, z = numbers("layer norm")
    plain, sharded = build("layer norm"), build("layer norm", 2)
    losses = []
    for _ in range(2):
        expected = getattr(plain, f"{player}_gradients")(x, z)[f"{player}_loss"]
        found = in_time(sharded, lambda: getattr(sharded, f"{player}_gradients")(x, z))
        assert found[f"{player}_loss"] == pytest.approx(expected, 1e-12)
        assert_close(getattr(sharded, player).gradients, getattr(plain, player).gradients)
        losses.append(expected)
        setattr(plain, setting, value)
        setattr(sharded, setting, value)
    assert abs(losses[0] - losses[1]) > 1e-3


def test_shards_follow_the_parameters(build, numbers, in_time):
    """What an optimizer, or anyone, writes is what all shards use."""
    sharded, plain = build("dense", 2), build("dense")
    x, z = numbers("dense")
    for game in (sharded, plain):
        game.discriminator.parameters[...] += 0.1
        game.generator.parameters[...] *= 1.5
    plain.discriminator_gradients(x, z)
    in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    assert_close(sharded.discriminator.gradients, plain.discriminator.gradients)
