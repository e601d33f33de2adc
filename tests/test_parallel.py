"""`ShardedGAN`: the gradients of `GAN`, the same bits every time, and errors that come through.

Threads that wait for each other can wait for ever, so every call that might is given a deadline.
"""

import threading

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    GAN,
    R1,
    R2,
    SGD,
    WGANGP,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    NormalLatent,
    Pack,
    Reshape,
    Sequential,
    SpectralNorm,
    Tanh,
    TrainingDiverged,
    WeightClipping,
    gradcheck,
    train,
)
from minigan.objectives import get_objective
from minigan.parallel import ShardedGAN

KINDS = {
    "dense": (
        lambda: [Dense(2, 6), BatchNorm(6), Tanh(), Dense(6, 3)],
        lambda: [Dense(3, 6), LeakyReLU(), Dense(6, 5), BatchNorm(5), Tanh(), Dense(5, 1)],
        (3,),
    ),
    "images": (
        lambda: [
            *[Dense(2, 12), Reshape(2, 2, 3), BatchNorm(3), LeakyReLU()],
            *[ConvTranspose2d(3, 2, 4, 2, 1), BatchNorm(2), Tanh()],
        ],
        lambda: [Conv2d(2, 3, 3, 2, 1), BatchNorm(3), LeakyReLU(), Flatten(), Dense(12, 1)],
        (4, 4, 2),
    ),
    "layer norm": (
        lambda: [Dense(2, 6), Tanh(), Dense(6, 3)],
        lambda: [Dense(3, 6), LayerNorm(6), Tanh(), Dense(6, 1)],
        (3,),
    ),
    "packed": (
        lambda: [Dense(2, 6), Tanh(), Dense(6, 3)],
        lambda: [Pack(2), Dense(6, 6), Tanh(), Dense(6, 1)],
        (3,),
    ),
    "spectral norm": (
        lambda: [Dense(2, 6), Tanh(), Dense(6, 3)],
        lambda: [SpectralNorm(Dense(3, 32)), LeakyReLU(), SpectralNorm(Dense(32, 1))],
        (3,),
    ),
    "dropout": (
        lambda: [Dense(2, 6), Tanh(), Dense(6, 3)],
        lambda: [Dense(3, 6), Dropout(0.3), LeakyReLU(), Dense(6, 1)],
        (3,),
    ),
}
PLAYERS = ("discriminator", "generator")


def build(kind, shards=None, *, objective="non-saturating", dtype="float64", **options):
    """A `GAN`, or with `shards` a `ShardedGAN`, of the same numbers."""
    generator, discriminator, shape = KINDS[kind]
    G = Sequential(generator(), (2,), rng=1, dtype=dtype)
    D = Sequential(discriminator(), shape, rng=2, dtype=dtype)
    optimizer = options.pop("optimizer", SGD)
    cls, options = (GAN, options) if shards is None else (ShardedGAN, options | {"shards": shards})
    optimizers = {"generator_optimizer": optimizer(G), "discriminator_optimizer": optimizer(D)}
    return cls(G, D, objective, **({"latent": NormalLatent(2), "rng": 0} | optimizers | options))


def numbers(kind, n=12):
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, *KINDS[kind][2])), rng.normal(size=(n, 2))


def in_time(game, action, seconds=10):
    """The action's result or error; a failure, not a hang, if the game's shards wait for ever."""
    outcome = []

    def run():
        try:
            outcome.append(("result", action()))
        except BaseException as error:
            outcome.append(("error", error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    hangs = thread.is_alive()
    if hangs and isinstance(game, ShardedGAN):
        game._team.barrier.abort()  # or the interpreter would wait for them when it ends
        thread.join(seconds)
    assert not hangs, "the shards wait for each other for ever"
    ((kind, value),) = outcome
    if kind == "error":
        raise value
    return value


def assert_close(a, b):
    assert a.shape == b.shape
    assert abs(a - b).max(initial=0) <= 1e-12 * abs(b).max(initial=1)


@pytest.mark.parametrize("shards", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["dense", "images", "layer norm", "packed"])
def test_gradients_are_those_of_the_whole_batch(kind, shards):
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


def test_batch_norm_counts_the_whole_batch():
    """Shards of one sample each: with statistics of a shard alone, batch norm would refuse."""
    x, z = numbers("dense", 4)
    plain, sharded = build("dense"), build("dense", 4)
    plain.discriminator_gradients(x, z)
    in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    assert_close(sharded.discriminator.gradients, plain.discriminator.gradients)


@pytest.mark.parametrize(
    "objective",
    ["wasserstein", "hinge", "least-squares", "absolute-error", "maximum-likelihood", "minimax"],
)
def test_every_objective(objective):
    x, z = numbers("dense")
    clip = {"regularizer": WeightClipping(0.5)}
    plain, sharded = (build("dense", s, objective=objective, **clip) for s in (None, 2))
    for player in PLAYERS:
        expected = getattr(plain, f"{player}_gradients")(x, z)[f"{player}_loss"]
        found = in_time(sharded, lambda p=player: getattr(sharded, f"{p}_gradients")(x, z))
        assert found[f"{player}_loss"] == pytest.approx(expected, 1e-12)
        assert_close(getattr(sharded, player).gradients, getattr(plain, player).gradients)


@pytest.mark.parametrize("penalty", [R1(2.0), R2(2.0)], ids=repr)
def test_penalties_without_chance_are_the_same(penalty):
    x, z = numbers("layer norm")
    plain, sharded = (build("layer norm", s, regularizer=penalty) for s in (None, 3))
    expected = plain.discriminator_gradients(x, z)
    found = in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    assert found["discriminator_loss"] == pytest.approx(expected["discriminator_loss"], 1e-12)
    assert_close(sharded.discriminator.gradients, plain.discriminator.gradients)


def test_each_shard_draws_points_of_its_own():
    """The same samples in both shards: with one stream for both, their penalties were equal."""
    x, z = (np.tile(a[:4], (2, *[1] * (a.ndim - 1))) for a in numbers("layer norm"))
    sharded = build("layer norm", 2, regularizer=WGANGP(5.0))
    in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    first, second = (replica["discriminator"].gradients for replica in sharded._replicas)
    assert abs(first - second).max() > 1e-6


class AllOnes:
    """Random numbers that are all alike, so that the same are drawn for any shard."""

    def random(self, shape):
        return np.ones(shape)


def test_dragan_takes_the_deviation_of_the_whole_batch():
    """In these shards it is three times as large, and a third, around means far apart."""
    x, z = numbers("layer norm")
    x[:6], x[6:] = 3 * x[:6] + 20, x[6:] / 3
    plain, sharded = (build("layer norm", s, regularizer=DRAGAN(5.0)) for s in (None, 2))
    plain.rng = AllOnes()
    for replica in sharded._replicas:
        replica["rng"] = AllOnes()
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
def test_settings_may_change_after_the_game_is_built(setting, value, player):
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


def run(kind, shards, steps=5, **options):
    """The parameters, statistics and losses of a short training."""
    game, (x, _) = build(kind, shards, optimizer=Adam, **options), numbers(kind)
    records = in_time(game, lambda: list(train(game, iter([x] * steps), steps)))
    vectors = [getattr(game, p) for p in PLAYERS]
    losses = [(r.discriminator_loss, r.generator_loss) for r in records]
    return [v.parameters.copy() for v in vectors], [v.buffers.copy() for v in vectors], losses


@pytest.mark.parametrize(
    "kind, penalty",
    [
        *[(kind, None) for kind in ("dense", "images", "dropout", "packed")],
        *[("layer norm", penalty) for penalty in (WGANGP(), DRAGAN(), R1())],
    ],
    ids=repr,
)
def test_same_seed_same_bits(kind, penalty):
    one, other = (run(kind, 3, dtype="float32", regularizer=penalty) for _ in range(2))
    for a, b in zip(one[0] + one[1], other[0] + other[1], strict=True):
        assert a.tobytes() == b.tobytes()
    assert one[2] == other[2]


@pytest.mark.parametrize("kind", ["dense", "images"])
def test_training_is_that_of_gan(kind):
    """The same noise, the same steps: parameters agree after five steps, statistics too."""
    for a, b in zip(run(kind, 2)[:2], run(kind, None)[:2], strict=True):
        for mine, theirs in zip(a, b, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-10)


def test_spectral_norm_trains_as_in_gan():
    """Every shard iterates its own vectors and writes to its own layer."""
    (expected, *_), (found, *_) = run("spectral norm", None, 30), run("spectral norm", 2, 30)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-10)


def test_shards_follow_the_parameters():
    """Replicas hold views: what an optimizer, or anyone, writes is what all shards use."""
    sharded, plain = build("dense", 2), build("dense")
    x, z = numbers("dense")
    for game in (sharded, plain):
        game.discriminator.parameters[...] += 0.1
        game.generator.parameters[...] *= 1.5
    plain.discriminator_gradients(x, z)
    in_time(sharded, lambda: sharded.discriminator_gradients(x, z))
    assert_close(sharded.discriminator.gradients, plain.discriminator.gradients)


def test_samples_and_averages_are_those_of_gan():
    games = [build("dense", shards, average_decay=0.5) for shards in (None, 2)]
    for game in games:
        in_time(game, lambda g=game: g.step(iter([numbers("dense")[0]])))
    a, b = (game.sample(7, 5) for game in games)
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_who_moves():
    game, (x, _) = build("dense", 2), numbers("dense")
    G, D = game.generator, game.discriminator
    before = G.parameters.copy(), G.gradients.copy(), D.parameters.copy()
    in_time(game, lambda: game.discriminator_step(x))
    np.testing.assert_array_equal(G.parameters, before[0])
    np.testing.assert_array_equal(G.gradients, before[1])
    assert (D.parameters != before[2]).mean() > 0.8
    before = D.parameters.copy(), D.gradients.copy(), G.parameters.copy()
    in_time(game, lambda: game.generator_step(x))
    np.testing.assert_array_equal(D.parameters, before[0])
    np.testing.assert_array_equal(D.gradients, before[1])
    assert (G.parameters != before[2]).mean() > 0.8


def test_lazy_penalty_follows_the_steps_of_training():
    """The shards' games know at which step of training they are."""
    game, (x, z) = build("layer norm", 2, regularizer=R1(50.0, every=3)), numbers("layer norm")
    losses = []
    for game.steps in range(7):
        losses.append(
            float(in_time(game, lambda: game.discriminator_gradients(x, z))["discriminator_loss"])
        )
    with_penalty = [step for step in range(7) if losses[step] > losses[1] + 0.01]
    assert with_penalty == [0, 3, 6]


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [7, 11, 1])
def test_a_batch_that_cannot_be_split(n):
    game, (x, _) = build("dense", 2), numbers("dense", n)
    before = game.discriminator.parameters.copy()
    with pytest.raises(ValueError, match=f"a batch of {n} cannot be cut into 2 equal shards"):
        game.step(iter([x]))
    np.testing.assert_array_equal(game.discriminator.parameters, before)


@pytest.mark.parametrize("player", PLAYERS)
def test_noise_that_cannot_be_split(player):
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
def test_an_error_in_a_shard_comes_through_as_itself(rank, player, monkeypatch):
    """Before a batch norm, where the other shards wait for the one that will never come."""
    game, (x, z) = build("dense", 3), numbers("dense")

    def fail(*args):
        raise Boom(f"in shard {rank}")

    with monkeypatch.context() as patched:
        patched.setattr(game._replicas[rank]["generator"].layers[0], "forward", fail)
        for _ in range(3):  # and again: the barrier is whole after each
            with pytest.raises(Boom, match=f"in shard {rank}"):
                in_time(game, lambda: getattr(game, f"{player}_gradients")(x, z))
    plain = build("dense")
    for p in PLAYERS:  # and the game works once the cause is gone
        expected = getattr(plain, f"{p}_gradients")(x, z)[f"{p}_loss"]
        found = in_time(game, lambda p=p: getattr(game, f"{p}_gradients")(x, z)[f"{p}_loss"])
        assert found == pytest.approx(expected, 1e-12)


def test_an_error_in_the_backward_pass(monkeypatch):
    """Half way through: the shards have met before, and wait at the next batch norm."""
    game, (x, z) = build("dense", 2), numbers("dense")

    def fail(*args, **kwargs):
        raise Boom

    monkeypatch.setattr(game._replicas[1]["discriminator"].layers[-1], "backward", fail)
    with pytest.raises(Boom):
        in_time(game, lambda: game.discriminator_gradients(x, z))


def test_errors_in_all_shards(monkeypatch):
    game, (x, z) = build("dense", 3), numbers("dense")

    def fail(*args):
        raise Boom

    with monkeypatch.context() as patched:
        for replica in game._replicas:
            patched.setattr(replica["generator"].layers[0], "forward", fail)
        with pytest.raises(Boom):
            in_time(game, lambda: game.generator_gradients(x, z))
    in_time(game, lambda: game.generator_gradients(x, z))


def test_a_wrong_shape_comes_through():
    game, (x, z) = build("dense", 2), numbers("dense")
    with pytest.raises(ValueError, match=r"input: expected shape \(N, 3\), got \(6, 2\)"):
        in_time(game, lambda: game.discriminator_gradients(x[:, :2], z))


@pytest.mark.parametrize("row", [0, 11])
def test_divergence_in_one_shard(row):
    """A NaN in one shard's samples: named as in `GAN`, and nothing is updated."""
    game, (x, _) = build("dense", 2, objective="least-squares"), numbers("dense")
    x[row] = np.nan
    before = game.discriminator.parameters.copy()
    with pytest.raises(TrainingDiverged, match=r"step 1.*discriminator's step.*real samples"):
        in_time(game, lambda: game.step(iter([x])))
    np.testing.assert_array_equal(game.discriminator.parameters, before)


# --- Building ------------------------------------------------------------------------------------


def test_a_clone_is_a_plain_game():
    game, (x, z) = build("dense", 2, dtype="float32"), numbers("dense")
    twin = game.clone("float64")
    assert type(twin) is GAN and twin.discriminator.dtype == "float64"
    before = game.discriminator.gradients.copy()
    expected = twin.discriminator_gradients(x[:7], z[:7])  # no shards: any size of a batch
    assert np.isfinite(expected["discriminator_loss"])
    np.testing.assert_array_equal(game.discriminator.gradients, before)
    assert gradcheck(game, x[:5], max_entries=2).passed


@pytest.mark.parametrize("shards, error", [(0, ValueError), (-2, ValueError), (1.5, TypeError)])
def test_bad_number_of_shards(shards, error):
    with pytest.raises(error, match=r"shards"):
        build("dense", shards)


def test_parts_are_checked_as_in_gan():
    with pytest.raises(ValueError, match=r"Lipschitz"):
        build("dense", 2, objective="wasserstein")
    with pytest.raises(ValueError, match=r"layer 3: BatchNorm.*gradient penalty"):
        build("dense", 2, regularizer=R1())
