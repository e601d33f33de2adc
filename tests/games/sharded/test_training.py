"""Training with `ShardedGAN`: that of `GAN`, and the same bits every time."""

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    R1,
    WGANGP,
    Adam,
    gradcheck,
    train,
)

PLAYERS = ("discriminator", "generator")


@pytest.fixture(scope="module")
def run(build, numbers, in_time):
    """run(kind, shards, steps=5, ...): parameters, statistics and losses of a short training."""

    def training(kind, shards, steps=5, **options):
        game, (x, _) = build(kind, shards, optimizer=Adam, **options), numbers(kind)
        records = in_time(game, lambda: list(train(game, iter([x] * steps), steps)))
        vectors = [getattr(game, p) for p in PLAYERS]
        losses = [(r.discriminator_loss, r.generator_loss) for r in records]
        return [v.parameters.copy() for v in vectors], [v.buffers.copy() for v in vectors], losses

    return training


@pytest.mark.parametrize(
    "kind, penalty",
    [
        *[(kind, None) for kind in ("dense", "images", "dropout", "packed")],
        *[("layer norm", penalty) for penalty in (WGANGP(), DRAGAN(), R1())],
    ],
    ids=repr,
)
def test_same_seed_same_bits(kind, penalty, run):
    one, other = (run(kind, 3, dtype="float32", regularizer=penalty) for _ in range(2))
    for a, b in zip(one[0] + one[1], other[0] + other[1], strict=True):
        assert a.tobytes() == b.tobytes()
    assert one[2] == other[2]


@pytest.mark.parametrize("kind", ["dense", "images"])
def test_training_is_that_of_gan(kind, run):
    """The same noise, the same steps: parameters agree after five steps, statistics too."""
    for a, b in zip(run(kind, 2)[:2], run(kind, None)[:2], strict=True):
        for mine, theirs in zip(a, b, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-10)


def test_spectral_norm_trains_as_in_gan(run):
    """Every shard iterates its own vectors and writes to its own layer."""
    (expected, *_), (found, *_) = run("spectral norm", None, 30), run("spectral norm", 2, 30)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-10)


def test_samples_and_averages_are_those_of_gan(build, numbers, in_time):
    games = [build("dense", shards, average_decay=0.5) for shards in (None, 2)]
    for game in games:
        in_time(game, lambda g=game: g.step(iter([numbers("dense")[0]])))
    a, b = (game.sample(7, 5) for game in games)
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_who_moves(build, numbers, in_time):
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


def test_lazy_penalty_follows_the_steps_of_training(build, numbers, in_time):
    """The shards' games know at which step of training they are."""
    game, (x, z) = build("layer norm", 2, regularizer=R1(50.0, every=3)), numbers("layer norm")
    losses = []
    for game.steps in range(7):
        losses.append(
            float(in_time(game, lambda: game.discriminator_gradients(x, z))["discriminator_loss"])
        )
    with_penalty = [step for step in range(7) if losses[step] > losses[1] + 0.01]
    assert with_penalty == [0, 3, 6]


def test_a_clone_is_a_plain_game(build, numbers):
    game, (x, z) = build("dense", 2, dtype="float32"), numbers("dense")
    twin = game.clone("float64")
    assert twin.discriminator.dtype == "float64"
    before = game.discriminator.gradients.copy()
    expected = twin.discriminator_gradients(x[:7], z[:7])  # no shards: any size of a batch
    assert np.isfinite(expected["discriminator_loss"])
    np.testing.assert_array_equal(game.discriminator.gradients, before)
    assert gradcheck(game, x[:5], max_entries=2).passed
