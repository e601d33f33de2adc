"""What all demos share: their command line, the folder they write to, messages without tracebacks.

Nothing here belongs to a lesson. A demo calls `start` once, at the top:

    options, out = start("toy", __doc__, files=["picture.png"], add_options=...)

and then writes to `out.path("picture.png")` and, at the end, `out.save_metrics(...)`. A demo that
trains for long names "checkpoint.npz" among its files: then it has the options --resume, --restart
and --checkpoint-every, and takes its `Session` from `out.session(...)`.
"""

import json
import math
import os
import sys
import tempfile
from pathlib import Path

from minigan.backend import BACKENDS, BackendUnavailable, get_backend
from minigan.data import MnistError
from minigan.files import expanded, remove_stale, replacing
from minigan.finite import TrainingDiverged
from minigan.ranks import RanksError, on_ranks
from minigan.runs.archive import CheckpointError
from minigan.runs.session import Session
from support.lock import FolderTaken, lock
from support.options import Parser, arguments, count, positive, show_what_can_be
from support.processes import start_again
from support.threads import limit_threads

__all__ = ["RESUMED", "Output", "OutputRefused", "start"]

METRICS, CHECKPOINT = "metrics.json", "checkpoint.npz"

QUICK = "--quick only shows that a lesson runs: too short to learn much, or to bear out its claims."

#: Errors whose message says all that a user needs to know: they end a demo without a traceback.
EXPECTED = (BackendUnavailable, CheckpointError, MnistError, RanksError, TrainingDiverged)

#: Options that only say how a run is saved; and options that may differ when the run is resumed:
#: they do not influence what was learned so far.
SAVING = ("resume", "restart", "checkpoint_every")
FREE = ("backend", "data_dir", "no_pictures", "samples", "steps")


class OutputRefused(RuntimeError):
    """The folder for a demo's files cannot be used; the message says why."""


#: Demos that other demos start, and that take --resume.
RESUMED = "toy", "mnist"


def start(name, lesson, files, add_options=None, check=None, argv=None):
    """Read the command line and take the folder for the demo's files.

    name: of the demo. lesson: the text of --help. files: the names of the files it writes, besides
    metrics.json. add_options: a function that adds the demo's own options to the parser. check: a
    function of the options that raises ValueError, in the words of the command line, if they do
    not go together. argv: the arguments (None: those of the command line).

    Returns options, with `seed`, `steps` (None if not given), `quick`, `threads`, `out` and
    `backend` (the backend itself), and an `Output`. Exits with status 2 and a message if an option
    is wrong, the backend does not run here or the folder cannot be used; then nothing was written.
    From then on, errors that a user can correct end the demo with their message instead of a
    traceback (status 1), and matrix products run on as many threads as was asked for.
    """
    show_what_can_be()
    parser = Parser(name, lesson)
    if add_options is not None:
        add_options(parser)
    if CHECKPOINT in files:
        _add_checkpoint_options(parser)
    _add_shared_options(parser, name)
    options = parser.parse_args(arguments() if argv is None else argv)
    settings = dict(vars(options))
    processes = settings.pop("processes", None)
    del settings["out"]
    saving = {key: settings.pop(key) for key in SAVING if key in settings}
    try:
        if check is not None:
            check(options)
        options.backend = get_backend(options.backend)
        if processes is not None:
            start_again(processes)
            options.backend = on_ranks(options.backend)
        settings["backend"] = options.backend.name
        out = Output(options.out, name, files, settings, options.backend.ranks, **saving)
    except (BackendUnavailable, OutputRefused, RanksError, ValueError) as error:
        parser.error(str(error))
    options.steps = out.settings["steps"]  # with --resume, perhaps those of before
    blas = limit_threads(options.threads)
    if options.backend.name != "cupy":
        print(blas)
    sys.excepthook = _message_for_expected
    return options, out


def _add_shared_options(parser, name):
    group = parser.add_argument_group("options of all demos")
    group.add_argument("--seed", type=count, default=0, help="of all randomness (default: 0)")
    group.add_argument("--steps", type=positive, help="of training (default: see above)")
    group.add_argument("--quick", action="store_true", help="a run of a few seconds, to try it out")
    group.add_argument("--backend", choices=BACKENDS, default="auto", help="(default: auto)")
    group.add_argument(
        "--threads", type=positive, default=1, help="of matrix products (default: 1)"
    )
    group.add_argument(
        "--out", type=Path, default=Path("out", name), help=f"folder to write to (out/{name})"
    )


def _add_checkpoint_options(parser):
    group = parser.add_argument_group("options of demos that train")
    kinds = group.add_mutually_exclusive_group()
    kinds.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoint in the folder, if there is one; use the same options (but "
        "--steps may be more)",
    )
    group.add_argument(
        "--processes",
        type=positive,
        default=1,
        help="that share each batch (default: 1; needs mpi4py and an MPI)",
    )
    kinds.add_argument(
        "--restart",
        action="store_true",
        help="begin again, although the folder holds a run that is not finished",
    )
    group.add_argument(
        "--checkpoint-every",
        type=positive,
        default=500,
        metavar="STEPS",
        help="how often to save one (default: 500); Ctrl-C, SIGTERM and a lost terminal save one, "
        "too",
    )


class Output:
    """The folder that a demo writes to. It replaces its own files there, and no others.

    Files with the demo's names are replaced if metrics.json in the folder says that the same demo
    wrote them. All other files in the folder stay as they are. OutputRefused is raised, and nothing
    is changed, if somebody else wrote them, if the folder cannot be written to, if another run is
    writing to it, or if it holds the checkpoint of a run that is not finished and neither `resume`
    nor `restart` is said. Nothing is written before the first file is asked for: until then, all
    that was there is as it was. Of several ranks, the first writes here; what others write goes.
    """

    def __init__(
        self,
        folder,
        demo,
        files,
        settings,
        ranks=None,
        *,
        resume=False,
        restart=False,
        checkpoint_every=500,
    ):
        try:
            self.folder = expanded(folder)
        except OSError as error:
            raise OutputRefused(str(error)) from None
        self.demo, self.files = demo, (*files, METRICS)
        self.settings, self.resume, self.every = dict(settings), resume, checkpoint_every
        self._begun, self._elsewhere = False, None
        if ranks is not None and ranks.rank > 0:
            self._begun, self._elsewhere = True, tempfile.TemporaryDirectory()
            sys.stdout = open(os.devnull, "w", encoding="utf-8")
        before = self._check_files()
        self.lock, again = (None, False) if self._elsewhere else self._take_folder()
        if CHECKPOINT in files and os.path.lexists(self.path_of(CHECKPOINT)):
            self._check_earlier_run(before, restart or again)
        if ranks is not None:
            ranks.agree("what was found in the folder", [before, self.settings])

    # Is the folder ours? -----------------------------------------------------------------------

    def _check_files(self):
        """What metrics.json holds, {} without one; whatever lies there must be this demo's."""
        existing = [name for name in self.files if os.path.lexists(self.path_of(name))]
        found = self._metrics()
        if existing == [CHECKPOINT]:
            raise OutputRefused(
                f"{self.folder} holds {CHECKPOINT} but not {METRICS}, which says whose it is: copy "
                f"that file, too, to go on from there, or choose another folder with --out"
            )
        if existing and found.get("demo") != self.demo:
            raise OutputRefused(
                f"{self.folder} holds {', '.join(existing)}, not written by this demo "
                f"({self.demo}): choose another folder with --out, or remove what you do not need"
            )
        return found

    def _metrics(self):
        try:
            found = json.loads(self.path_of(METRICS).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _take_folder(self):
        """The lock of the folder, which is made if need be, and whether it was ours before."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()  # can it be written to?
            return lock(self.folder)
        except FolderTaken:
            raise OutputRefused(
                f"{self.folder}: another run is writing there: wait until it is done, or choose "
                f"another folder with --out"
            ) from None
        except OSError as error:
            raise OutputRefused(
                f"cannot write to {self.folder}: {error.strerror}: choose another folder with --out"
            ) from None

    def _check_earlier_run(self, before, restart):
        if self.resume:
            if self.settings.get("steps") is None and isinstance(before.get("steps"), int):
                self.settings["steps"] = before["steps"]  # as many as were first asked for
        elif before.get("finished"):
            print(f"The finished run in {self.folder} will be replaced.")
        elif not restart:
            raise OutputRefused(
                f"{self.folder} holds the checkpoint of a run that is not finished: go on with "
                f"--resume, begin again with --restart, or choose another folder with --out"
            )

    # Writing -----------------------------------------------------------------------------------

    def path_of(self, name):
        return self.folder / name

    def path(self, name):
        """Where the file of that name goes; ValueError if the demo did not name it."""
        if name not in self.files:
            raise ValueError(f"{name!r} is not one of this demo's files: {', '.join(self.files)}")
        self.begin()
        return Path(self._elsewhere.name, name) if self._elsewhere else self.path_of(name)

    def begin(self):
        """Say in metrics.json that a run is on its way: its files may be replaced by the next."""
        if not self._begun:
            self._begun = True
            for name in self.files:  # the unfinished file of a run that was killed
                remove_stale(self.path_of(name))
            self.save_metrics(finished=False)

    def save_metrics(self, finished=True, **metrics):
        """Write metrics.json: the name of the demo, the options of the run, and `metrics`.

        At the end of a quick run, say what that is.

        NaN and infinity, which JSON lacks, become null.
        """
        if finished and self.settings.get("quick"):
            print(QUICK)
        values = {"demo": self.demo, "finished": finished, **self.settings, **metrics}
        text = json.dumps({key: _plain(value) for key, value in values.items()}, indent=2)
        with replacing(self.path(METRICS)) as temporary:
            Path(temporary).write_text(text + "\n", encoding="utf-8")

    # Training that can be interrupted ----------------------------------------------------------

    def session(self, game, batches, history, steps):
        """The run's `Session`, up to so many steps; with --resume, from its last checkpoint.

        Raises CheckpointError if the checkpoint is damaged, of another run, or of a later step.
        """
        configuration = {k: v for k, v in self.settings.items() if k not in FREE}
        history["planned"] = steps  # the learning rate falls towards this step
        session = Session(
            self.path_of(CHECKPOINT),
            game,
            batches,
            every=self.every,
            configuration=configuration,
            history=history,
            changed=("schedule", "regularizer"),  # follow the number of steps; that is told below
        )
        if self.resume:
            missing = "" if _resumed(session) else ", as there is no checkpoint"
            if game.steps > steps:
                raise CheckpointError(
                    session.path, f"is of step {game.steps}, but --steps is only {steps}"
                )
            print(f"Going on from step {game.steps}{missing}.")
            if history.get("planned", steps) != steps:
                print(
                    f"The end is step {steps} now, no longer {history['planned']}: the learning "
                    f"rate goes on as in a run of {steps} steps."
                )
            history["planned"] = steps
        self.begin()
        return session


def _resumed(session):
    """Whether there was a checkpoint; what it says to programmers is said as an option."""
    try:
        return session.resume()
    except CheckpointError as error:
        reason, way, _ = error.reason.partition(" (to load it all the same")
        advice = ": give the same options, or begin again with --restart" if way else ""
        raise CheckpointError(error.path, reason + advice) from None


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
