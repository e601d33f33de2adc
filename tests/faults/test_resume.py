"""From a checkpoint, every game goes on bit for bit; and every game's seed decides every bit."""

import hashlib
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from minigan import load_checkpoint, save_checkpoint, train

BEFORE, AFTER = 4, 5
CONFTEST = Path(__file__).with_name("conftest.py")


def run(game, batches, steps):
    return [repr(record) for record in train(game, batches, steps)]


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


def digests(games):
    """name -> SHA-256 of what a game of that name has learnt after three steps."""
    found = {}
    for name, build in games["GAMES"].items():
        data_rng, rng = games["np"].random.default_rng(0).spawn(2)
        game, batches = build(data_rng, rng, {})
        list(train(game, batches, 3))
        digest = hashlib.sha256()
        for part in game.parts().values():
            for vector in ("parameters", "gradients", "buffers"):
                digest.update(bytes(getattr(part, vector, b"")))
        found[name] = digest.hexdigest()
    return found


def test_another_process_finds_the_same_bits_for_every_game():
    path = os.pathsep.join([str(CONFTEST.parents[2]), *sys.path])
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": path}
    command = [sys.executable, "-W", "error", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = digests(runpy.run_path(str(CONFTEST)))
    assert done.stdout.strip() == str(found)
    assert len(set(found.values())) == len(found) > 15


if __name__ == "__main__":
    print(digests(runpy.run_path(str(CONFTEST))))
