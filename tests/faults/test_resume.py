"""From a checkpoint, every game goes on bit for bit; into other dtypes, as well as they fit."""

import pytest

from minigan import load_checkpoint, save_checkpoint, train

BEFORE, AFTER = 4, 5


def run(game, batches, steps):
    return [record.figures() and repr(record) for record in train(game, batches, steps)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_game_goes_on_bit_for_bit(kind, dtype, build_game, numbers, tmp_path):
    path = tmp_path / "run.npz"
    game, batches = build_game(kind, dtype=dtype)
    run(game, batches, BEFORE)
    save_checkpoint(path, game, batches)
    records = run(game, batches, AFTER)

    other, other_batches = build_game(kind, seed=5, dtype=dtype)
    run(other, other_batches, 1)
    assert load_checkpoint(path, other, other_batches) == {}
    assert other.steps == BEFORE
    assert run(other, other_batches, AFTER) == records
    assert numbers(other) == numbers(game)


def test_same_seed_same_bits_for_every_game(kind, build_game, numbers):
    found = []
    for seed in (0, 0, 1):
        game, batches = build_game(kind, seed)
        found.append((run(game, batches, 5), numbers(game)))
    assert found[0] == found[1] != found[2]
