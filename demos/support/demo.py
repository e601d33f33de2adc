"""What all demos share: their command line, the folder they write to, messages without tracebacks.

Nothing here belongs to a lesson. A demo calls `start` once, at the top:

    options, out = start("toy", __doc__, files=["picture.png"], more_options=...)

and then writes to `out.path("picture.png")` and, at the end, `out.save_metrics(...)`. A demo that
trains for long names "checkpoint.npz" among its files: then it has the options --resume and
--checkpoint-every, and takes its `Session` from `out.session(...)`.
"""

import argparse
import json
import math
import os
import sys
from pathlib import Path

from minigan.backend import BACKENDS, BackendUnavailable, get_backend
from minigan.data import MnistError
from minigan.files import expanded, remove_stale, replacing
from minigan.finite import TrainingDiverged
from minigan.runs.archive import CheckpointError
from minigan.runs.session import Session

__all__ = ["Output", "OutputRefused", "count", "start"]

METRICS, CHECKPOINT = "metrics.json", "checkpoint.npz"

#: Errors whose message says all that a user needs to know: they end a demo without a traceback.
EXPECTED = (BackendUnavailable, CheckpointError, MnistError, TrainingDiverged)

#: Options that only say how a run is saved; and options that do not influence what is learned, so
#: that they may differ when the run is resumed.
SAVING, FREE = ("resume", "checkpoint_every"), ("backend", "data_dir", "samples")


class OutputRefused(RuntimeError):
    """The folder for a demo's files cannot be used; the message says why."""


def start(name, lesson, files, add_options=None, argv=None):
    """Read the command line and take the folder for the demo's files.

    name: of the demo. lesson: the text of --help. files: the names of the files it writes, besides
    metrics.json. add_options: a function that adds the demo's own options to the parser. argv: the
    arguments (None: those of the command line).

    Returns options, with `seed`, `steps` (None if not given), `quick`, `out` and `backend` (the
    backend itself), and an `Output`. Exits with status 2 and a message if an option is wrong, the
    backend does not run here or the folder cannot be used. From then on, errors that a user can
    correct end the demo with their message instead of a traceback (status 1).
    """
    parser = argparse.ArgumentParser(
        name, description=lesson, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if add_options is not None:
        add_options(parser)
    if CHECKPOINT in files:
        _add_checkpoint_options(parser)
    shared = parser.add_argument_group("options of all demos")
    shared.add_argument("--seed", type=count, default=0, help="of all randomness (default: 0)")
    shared.add_argument("--steps", type=positive, help="of training (default: see above)")
    shared.add_argument(
        "--quick", action="store_true", help="a run of a few seconds, to try it out"
    )
    shared.add_argument("--backend", choices=BACKENDS, default="auto", help="(default: auto)")
    shared.add_argument(
        "--out", type=Path, default=Path("out", name), help=f"folder to write to (out/{name})"
    )
    if argv is None and "ipykernel" in sys.modules:
        argv = []  # run cell by cell in a notebook: the command line is the notebook's
    options = parser.parse_args(argv)
    try:
        options.backend = get_backend(options.backend)
        settings = {**vars(options), "backend": options.backend.name}
        del settings["out"]
        saving = {key: settings.pop(key) for key in SAVING if key in settings}
        out = Output(options.out, name, files, settings, **saving)
    except (BackendUnavailable, OutputRefused) as error:
        parser.error(str(error))
    sys.excepthook = _message_for_expected
    return options, out


def _add_checkpoint_options(parser):
    group = parser.add_argument_group("options of demos that train")
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoint in the folder, if there is one; use the same options",
    )
    group.add_argument(
        "--checkpoint-every",
        type=positive,
        default=500,
        metavar="STEPS",
        help="how often to save one (default: 500); Ctrl-C and SIGTERM save one, too",
    )


def count(text):
    """A whole number of at least 0, for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected at least 0, got {value}")
    return value


def positive(text):
    """A whole number of at least 1, for argparse."""
    if count(text) == 0:
        raise argparse.ArgumentTypeError("expected at least 1, got 0")
    return int(text)


class Output:
    """The folder that a demo writes to. It replaces its own files there, and no others.

    Files with the demo's names are replaced if metrics.json in the folder says that the same demo
    wrote them; otherwise OutputRefused is raised, and nothing is changed. All other files in the
    folder stay as they are.
    """

    def __init__(self, folder, demo, files, settings, *, resume=False, checkpoint_every=500):
        try:
            self.folder = expanded(folder)
        except OSError as error:
            raise OutputRefused(str(error)) from None
        self.demo, self.files = demo, (*files, METRICS)
        self.settings, self.resume, self.every = settings, resume, checkpoint_every
        existing = [name for name in self.files if os.path.lexists(self.path(name))]
        if existing and self._owner() != demo:
            raise OutputRefused(
                f"{self.folder} holds {', '.join(existing)}, not written by this demo ({demo}): "
                f"choose another folder with --out, or remove what you do not need"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # At once: an interrupted run can then be started again in the same folder.
            self.save_metrics(finished=False)
        except OSError as error:
            raise OutputRefused(f"cannot write to {self.folder}: {error}") from None
        for name in self.files:  # the unfinished file of a run that was killed
            remove_stale(self.path(name))

    def path(self, name):
        """Where the file of that name goes; ValueError if the demo did not name it."""
        if name not in self.files:
            raise ValueError(f"{name!r} is not one of this demo's files: {', '.join(self.files)}")
        return self.folder / name

    def save_metrics(self, finished=True, **metrics):
        """Write metrics.json: the name of the demo, the options of the run, and `metrics`.

        NaN and infinity, which JSON lacks, become null.
        """
        values = {"demo": self.demo, "finished": finished, **self.settings, **metrics}
        text = json.dumps({key: _plain(value) for key, value in values.items()}, indent=2)
        with replacing(self.path(METRICS)) as temporary:
            Path(temporary).write_text(text + "\n", encoding="utf-8")

    def session(self, game, batches, history):
        """The run's `Session`; with --resume, all three go on from its last checkpoint.

        Raises CheckpointError if the checkpoint is damaged or belongs to another run.
        """
        configuration = {k: v for k, v in self.settings.items() if k not in FREE}
        session = Session(
            self.path(CHECKPOINT),
            game,
            batches,
            every=self.every,
            configuration=configuration,
            history=history,
        )
        if self.resume:
            missing = "" if session.resume() else ", as there is no checkpoint"
            print(f"Going on from step {game.steps}{missing}.")
        return session

    def _owner(self):
        """The demo that wrote the files, according to metrics.json; None if it does not say."""
        try:
            metrics = json.loads(self.path(METRICS).read_text(encoding="utf-8"))
            return metrics.get("demo")
        except (OSError, ValueError, AttributeError):
            return None


def _plain(value):
    """NaN and infinity as None: JSON has no such numbers."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _message_for_expected(kind, error, traceback):
    if issubclass(kind, EXPECTED):
        print(f"\n{error}", file=sys.stderr)
    elif issubclass(kind, KeyboardInterrupt):
        print("\nInterrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)
