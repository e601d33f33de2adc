"""`Session`: a run of training that can be killed at any moment and goes on where it was.

    history = {"losses": []}                              # whatever the loop collects
    session = Session("run.npz", gan, batches, every=500, history=history)
    session.resume()                                      # if there is a checkpoint
    for record in session.run(train(gan, batches, steps - gan.steps)):
        history["losses"].append(record.generator_loss)

A round of the loop is done when the next record is asked for; only then is anything saved, so
that game and history are those of the same step. (Only where the loop is left in the middle of a
round, the history may lack what this round had not yet added.)
"""

import atexit
import contextlib
import os
import signal
import sys

from tqdm import tqdm

from minigan.checks import check_integer
from minigan.diagnosis.health import watched
from minigan.files import expanded, remove_stale
from minigan.runs.checkpoint import (
    CheckpointError,
    check_configuration,
    load_checkpoint,
    save_checkpoint,
)
from minigan.runs.interrupts import noted

__all__ = ["Session"]


class Session:
    """Saves a game every so many steps, at the end, and when it is told to stop.

    path, game, batches, configuration, history: as in `save_checkpoint`; changed: as in
    `load_checkpoint`. Nobody else may write to `path` meanwhile. every: steps from one checkpoint
    to the next. `saved` is the step of the last one, None before the first. Messages go to stderr,
    one line each. Of several ranks, the first writes and speaks for all.

    Raises TypeError or ValueError for a configuration that cannot be saved.
    """

    def __init__(
        self, path, game, batches=None, *, every=500, configuration=None, history=None, changed=()
    ):
        self.path, self.game, self.batches = expanded(path), game, batches
        self.every = check_integer("every", every, 1)
        self.configuration, self.changed = configuration or {}, changed
        check_configuration(self.configuration)
        self.history = {} if history is None else history
        self.saved, self.ranks = None, game.backend.ranks
        self.first = self.ranks is None or self.ranks.rank == 0
        if self.first:
            remove_stale(self.path)

    def resume(self):
        """Go back to the checkpoint; whether there was one.

        Raises CheckpointError if it is damaged or of another game or configuration.
        """
        found = os.path.lexists(self.path)
        if self.ranks is not None:
            self.ranks.agree(f"{self.path} is there:", found)
        if not found:
            return False
        history = load_checkpoint(
            self.path,
            self.game,
            self.batches,
            configuration=self.configuration,
            changed=self.changed,
        )
        self.history.clear()
        self.history.update(history)
        self.saved = self.game.steps
        return True

    def run(self, records):
        """An iterable over the `records` of `train`, that saves in between.

        SIGINT (Ctrl-C), SIGTERM and SIGHUP (a lost terminal) finish the step and the loop's round,
        save, and raise SystemExit with the usual status, 130, 143 or 129. At a Python prompt and
        in a notebook they then act as ever: Ctrl-C is a KeyboardInterrupt, and all variables live
        on. A second signal acts at once. Where the loop is left, by `break` or by an error in it,
        the game is saved as it is (not on several ranks: others may not have left it). An error
        in a step leaves the last checkpoint as it was. A checkpoint that cannot be written is
        reported and training goes on: the next one may succeed. A signal to one rank stops all.
        """
        return _Run(self, records)

    def finish(self):
        """Save, if that has not been done at this step."""
        if self.saved != self.game.steps:
            self.save()

    def left(self):
        """The loop was left: save, if one process is all there is."""
        if self.ranks is None:
            self.finish()

    def rounds(self, records):
        """The rounds of one loop over `run`."""
        atexit.register(self.left)  # should the program end inside the loop
        try:
            with noted("SIGINT", "SIGTERM", "SIGHUP") as received:
                try:
                    for record in watched(self.game, records) if self.first else records:
                        yield record
                        if self.game.steps % self.every == 0:
                            self.save()
                        if self._stopped(received):
                            break
                except GeneratorExit:
                    self.left()
                    raise
                self.finish()
        except GeneratorExit:
            if received:  # in the last round; nothing can be raised where a loop is left by `break`
                self._say(f"{signal.Signals(received[0]).name} came as the loop was left.")
                if received[0] != signal.SIGINT:
                    signal.raise_signal(received[0])
            raise
        except Exception:
            self._say(f"The last good checkpoint: {self._kept()}.")
            raise
        finally:
            atexit.unregister(self.left)
        if received:
            self._say(f"Stopped after step {self.game.steps}. Saved: {self._kept()}.")
            if hasattr(sys, "ps1") or sys.flags.interactive:
                signal.raise_signal(received[0])
            raise SystemExit(128 + received[0])

    def _stopped(self, received):
        """Whether a signal has come; on several ranks, to any, and then to this one, too."""
        if self.ranks is None:
            return bool(received)
        number = self.ranks.largest(received[0] if received else 0)
        if number and not received:
            received.append(number)
        return number > 0

    def save(self):
        """Write a checkpoint now; on failure say why, in one line."""
        try:
            save_checkpoint(
                self.path,
                self.game,
                self.batches,
                configuration=self.configuration,
                history=self.history,
            )
            self.saved = self.game.steps
        except (OSError, CheckpointError) as error:
            self._say(f"No checkpoint of step {self.game.steps}: {error}. Kept: {self._kept()}.")

    def _kept(self):
        return "none" if self.saved is None else f"step {self.saved}, {self.path}"

    def _say(self, text):
        with contextlib.suppress(OSError):  # a terminal that was lost
            if sys.stderr is not None and self.first:  # None where there is no console
                tqdm.write(text, file=sys.stderr)  # above a progress bar, if there is one


class _Run:
    """What `Session.run` returns: the loop alone holds its iterator, so that leaving ends it."""

    def __init__(self, session, records):
        self.session, self.records = session, records

    def __iter__(self):
        return self.session.rounds(self.records)
