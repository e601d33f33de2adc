"""Played by two ranks: `mpiexec -n 2 python faults.py FAULT FOLDER`: what can happen in step 5."""

import errno
import os
import signal
import sys
from pathlib import Path

from games import build

from minigan import Session, train
from minigan.ranks import on_ranks
from minigan.runs import checkpoint

STEPS, STEP, EVERY = 8, 5, 2


def fail(fault, rank):
    if fault == "killed" and rank == 1:
        signal.raise_signal(signal.SIGKILL)
    if fault == "raises" and rank == 1:
        raise ArithmeticError("this was rank 1's own error")
    if fault == "exits" and rank == 0:
        sys.exit(3)
    if fault == "signal" and rank == 1:
        signal.raise_signal(signal.SIGTERM)


def no_space(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def main(fault, folder):
    backend = on_ranks("numpy")
    rank = backend.ranks.rank
    game, batches = build("images", backend)
    session = Session(Path(folder, fault + ".npz"), game, batches, every=EVERY)
    layer = game.discriminator.steps[3]
    forward = layer.forward

    def failing(x, train):
        if game.steps == STEP - 1:  # in the middle of the step: the other one is waiting
            layer.forward = forward
            fail(fault, rank)
        return forward(x, train)

    layer.forward = failing
    written = checkpoint.write_archive
    for record in session.run(train(game, batches, STEPS)):
        full = fault == "disk" and rank == 0 and record.step == 2 * EVERY
        checkpoint.write_archive = no_space if full else written
    print(f"rank {rank} is at step {game.steps}")


if __name__ == "__main__":
    main(*sys.argv[1:])
