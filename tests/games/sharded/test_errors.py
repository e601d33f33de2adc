"""What `ShardedGAN` refuses, and errors in a shard: they come through as themselves."""

import numpy as np
import pytest

from minigan import (
    R1,
    TrainingDiverged,
)

PLAYERS = ("discriminator", "generator")


def assert_close(a, b):
    assert a.shape == b.shape
    assert abs(a - b).max(initial=0) <= 1e-12 * abs(b).max(initial=1)


@pytest.mark.parametrize("n", [7, 11, 1])
def test_a_batch_that_cannot_be_split(n, build, numbers):
    game, (x, _) = build("dense", 2), numbers("dense", n)
    before = game.discriminator.parameters.copy()
    with pytest.raises(ValueError, match=f"a batch of {n} cannot be cut into 2 equal shards"):
        game.step(iter([x]))
    np.testing.assert_array_equal(game.discriminator.parameters, before)


@pytest.mark.parametrize("player", PLAYERS)
def test_noise_that_cannot_be_split(player, build, numbers, in_time):
    """As many fakes as there is noise for, in `GAN`: none of them is dropped here."""
    game, (x, z) = build("dense", 2), numbers("dense", 12)
    with pytest.raises(ValueError, match="noise: a batch of 11 cannot be cut into 2 equal"):
        getattr(game, f"{player}_gradients")(x, z[:11])
    plain = build("dense")
    for one in (plain, game):  # fewer fakes than samples, in equal shares
        in_time(one, lambda g=one: getattr(g, f"{player}_gradients")(x, z[:8]))
    assert_close(getattr(game, player).gradients, getattr(plain, player).gradients)


class Boom(RuntimeError):
    pass


@pytest.mark.parametrize("player", PLAYERS)
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_an_error_in_a_shard_comes_through_as_itself(
    rank, player, monkeypatch, build, numbers, in_time
):
    """Before a batch norm, where the other shards wait for the one that will never come."""
    game, (x, z) = build("dense", 3), numbers("dense")

    def fail(*args):
        raise Boom(f"in shard {rank}")

    with monkeypatch.context() as patched:
        patched.setattr(game._games[rank].generator.steps[0], "forward", fail)
        for _ in range(3):  # and again: the barrier is whole after each
            with pytest.raises(Boom, match=f"in shard {rank}"):
                in_time(game, lambda: getattr(game, f"{player}_gradients")(x, z))
    plain = build("dense")
    for p in PLAYERS:  # and the game works once the cause is gone
        expected = getattr(plain, f"{p}_gradients")(x, z)[f"{p}_loss"]
        found = in_time(game, lambda p=p: getattr(game, f"{p}_gradients")(x, z)[f"{p}_loss"])
        assert found == pytest.approx(expected, 1e-12)


def test_an_error_in_the_backward_pass(monkeypatch, build, numbers, in_time):
    """Half way through: the shards have met before, and wait at the next batch norm."""
    game, (x, z) = build("dense", 2), numbers("dense")

    def fail(*args, **kwargs):
        raise Boom

    monkeypatch.setattr(game._games[1].discriminator.steps[-1], "backpropagate", fail)
    with pytest.raises(Boom):
        in_time(game, lambda: game.discriminator_gradients(x, z))


def test_errors_in_all_shards(monkeypatch, build, numbers, in_time):
    game, (x, z) = build("dense", 3), numbers("dense")

    def fail(*args):
        raise Boom

    with monkeypatch.context() as patched:
        for shard in game._games:
            patched.setattr(shard.generator.steps[0], "forward", fail)
        with pytest.raises(Boom):
            in_time(game, lambda: game.generator_gradients(x, z))
    in_time(game, lambda: game.generator_gradients(x, z))


def test_a_wrong_shape_comes_through(build, numbers, in_time):
    game, (x, z) = build("dense", 2), numbers("dense")
    with pytest.raises(ValueError, match=r"x: expected shape \(N, 3\), got \(6, 2\)"):
        in_time(game, lambda: game.discriminator_gradients(x[:, :2], z))


@pytest.mark.parametrize("row", [0, 11])
def test_divergence_in_one_shard(row, build, numbers, in_time):
    """A NaN in one shard's samples: named as in `GAN`, and nothing is updated."""
    game, (x, _) = build("dense", 2, objective="least-squares"), numbers("dense")
    x[row] = np.nan
    before = game.discriminator.parameters.copy()
    with pytest.raises(TrainingDiverged, match=r"step 1.*discriminator's step.*real samples"):
        in_time(game, lambda: game.step(iter([x])))
    np.testing.assert_array_equal(game.discriminator.parameters, before)


@pytest.mark.parametrize("shards, error", [(0, ValueError), (-2, ValueError), (1.5, TypeError)])
def test_bad_number_of_shards(shards, error, build):
    with pytest.raises(error, match=r"shards"):
        build("dense", shards)


def test_parts_are_checked_as_in_gan(build):
    with pytest.raises(ValueError, match=r"Lipschitz"):
        build("dense", 2, objective="wasserstein")
    with pytest.raises(ValueError, match=r"layer 3: BatchNorm.*gradient penalty"):
        build("dense", 2, regularizer=R1())
