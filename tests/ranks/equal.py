"""Played by four ranks, started once: `mpiexec -n 4 python equal.py RESULTS FOLDER`.

All four are a team first, then the first three, the first two, and the first alone; whoever is out
waits at the door. What the first rank finds is written as JSON: for each name a value, or the list
of all ranks' values.
"""

import json
import sys
from pathlib import Path

import numpy as np
from games import GAMES, LOSSES, build
from mpi4py import MPI

from minigan import TrainingDiverged, load_checkpoint, save_checkpoint, train
from minigan.backend import get_backend
from minigan.ranks import Ranks, RanksError

STEPS = 10
WORLD = MPI.COMM_WORLD
FOLDER = Path(sys.argv[2])
found, alone = {}, {}
LEARNT = 200  # numbers at the end of what `play` gives: weights, not losses


def make_teams():
    """(size, whether the update is shared) -> `Ranks` 0 to size - 1; only those that this is in."""
    teams = {}
    for size in (4, 3, 2, 1):
        comm = WORLD.Split(int(WORLD.rank < size), WORLD.rank)
        if WORLD.rank < size:
            for share in (True, False):
                teams[size, share] = Ranks(comm, share_from=1 if share else 1 << 16)
    return teams


def on(ranks):
    return get_backend("numpy").with_ranks(ranks)


def play(game, batches, steps=STEPS):
    """All that a game has learnt and told in so many steps, as one vector."""
    told = [list(record.as_dict()["figures"].values()) for record in train(game, batches, steps)]
    told += [vector for net in game.networks for vector in (net.parameters, net.buffers)]
    if game.average is not None:
        told += [game.average.network.parameters, game.average.network.buffers]
    return np.concatenate([np.ravel(part) for part in told])


def everybody(ranks, action):
    """What the action gives on each rank, or the error that it raises, as text."""
    try:
        outcome = action()
    except (RanksError, TrainingDiverged, ValueError) as error:
        outcome = f"{type(error).__name__}: {error}"
    return ranks.comm.gather(outcome)


def equality(ranks, share, size):
    """For each kind, the largest difference from one process that n ranks make in ten steps."""
    kinds = GAMES if share == (size == 4) else ["cycle"]
    for kind in [*kinds, *LOSSES] if (size, share) == (3, True) else kinds:
        game, batches = build(kind, on(ranks))
        learnt = play(game, batches)
        ranks.compare(game)
        if WORLD.rank == 0:
            if kind not in alone:
                alone[kind] = play(*build(kind, "numpy"))
            scale = np.maximum(abs(alone[kind]), 1)
            found[f"{kind}, {size}, {share}"] = float((abs(learnt - alone[kind]) / scale).max())


def bits(ranks, share, size):
    learnt = [play(*build("images", on(ranks))).tobytes() for _ in range(2)]
    found[f"same bits, {size}, {share}"] = learnt[0] == learnt[1]


def checkpoints(ranks, share, size):
    """Each team goes on for two steps from where a larger one stopped."""
    path = FOLDER / "run.npz"
    game, batches = build("images", on(ranks), seed=size)
    if size < 4 or not share:
        load_checkpoint(path, game, batches)
    learnt = play(game, batches, 2)
    save_checkpoint(path, game, batches)
    if size == 1 and not share:
        whole = play(*build("images", "numpy", seed=4), 2 * 8)
        found["resumed"] = float(abs(learnt[-LEARNT:] - whole[-LEARNT:]).max())


def refusals(ranks, share, size):
    odd = ranks.rank == 1

    def game(kind="average", seed=0, change=None):
        made, batches = build(kind, on(ranks), seed)
        if change is not None:
            change(made, batches)
        return lambda: list(train(made, batches, 2))

    def spoil(made, batches):
        batches._arrays[0][:] += 1.0

    def slower(made, batches):
        made.generator_optimizer.lr /= 2

    refused = {
        "seed": everybody(ranks, game(seed=int(odd))),
        "game": everybody(ranks, game("critic" if odd else "average")),
        "rate": everybody(ranks, game(change=slower if odd else None)),
        "data": everybody(ranks, game(change=spoil if odd else None)),
    }
    made, batches = build("average", on(ranks))
    before = made.discriminator.parameters.copy()
    batch = next(batches)
    refused["23"] = everybody(ranks, lambda: list(train(made, [batch[:23]], 1)))
    batch[2, 0] = np.nan  # on the first rank
    refused["NaN"] = everybody(ranks, lambda: list(train(made, [batch, batch], 1)))
    batch[2, 0] = 1e200
    refused["1e200"] = everybody(ranks, lambda: list(train(made, [batch, batch], 1)))
    batch[2, 0], made.schedule = 1.0, lambda step: -1.0
    refused["schedule"] = everybody(ranks, lambda: list(train(made, [batch, batch], 1)))
    found["unchanged"] = ranks.comm.gather(bool((made.discriminator.parameters == before).all()))
    found["refused"] = refused
    ranks.agree("what comes after", 1)  # they go on together


def unwritable(ranks, share, size):
    """The first rank's error is everybody's."""
    game, batches = build("average", on(ranks))
    path = FOLDER / "whole.npz"
    save_checkpoint(path, game, batches)
    before = path.read_bytes()
    try:
        save_checkpoint(FOLDER / "nothing" / "run.npz", game, batches)
        outcome = "saved"
    except OSError as error:
        outcome = type(error).__name__
    found["unwritable"] = ranks.comm.gather(outcome)
    found["kept"] = path.read_bytes() == before


def outside(ranks, share, size):
    """A clone adds nothing up: one rank can look at it by itself."""
    if ranks.rank == 0:
        game, batches = build("images", on(ranks))
        x, z = next(batches)[:7], np.ones((7, 3))
        found["clone"] = float(game.clone().discriminator_gradients(x, z)["discriminator_loss"])


def main():
    for (size, share), ranks in make_teams().items():
        equality(ranks, share, size)
        checkpoints(ranks, share, size)
        if size == 3:
            bits(ranks, share, size)
        if (size, share) == (3, False):
            refusals(ranks, share, size)
            unwritable(ranks, share, size)
            outside(ranks, share, size)
    if WORLD.rank == 0:
        Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
