"""Sessions: what is saved when, what a signal does, and what a disk that fails."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from tqdm import tqdm

from minigan import TrainingDiverged, train
from minigan.runs.session import Session

STEPS = 7
STATUS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}

pytestmark = pytest.mark.usefixtures("signals")


@pytest.fixture
def session_of(build_game, tmp_path):
    """session_of(seed=0, path=..., **options): a session, with a history of steps."""

    def build(seed=0, path=tmp_path / "run.npz", **options):
        game, batches = build_game("dragan", seed)
        options = {"every": 3, "configuration": {"seed": 1}, "history": {"steps": []}} | options
        return Session(path, game, batches, **options)

    return build


def play(session, steps=STEPS, do=lambda step: None):
    """Train up to `steps`, noting each in the history, and calling do(step) in each round."""
    left = steps - session.game.steps
    for record in session.run(train(session.game, session.batches, left)):
        session.history["steps"].append(record.step)
        do(record.step)


def names(session):
    return sorted(path.name for path in session.path.parent.iterdir())


def test_saves_at_intervals_and_at_the_end(session_of):
    session, saved = session_of(), []
    assert not session.resume() and session.saved is None
    play(session, do=lambda step: saved.append(session.saved))
    assert saved == [None, None, None, 3, 3, 3, 6] and session.saved == 7
    assert names(session) == ["run.npz"]
    other = session_of()
    assert other.resume()
    assert other.game.steps == other.saved == 7 and other.history == {"steps": [*range(1, 8)]}


@pytest.mark.parametrize("name", STATUS)
def test_a_signal_finishes_the_round_saves_and_exits(name, session_of, numbers, signals, capsys):
    if name not in signals:
        pytest.skip(f"this system has no {name}")
    whole = session_of()
    play(whole)
    whole.path.unlink()

    session, number = session_of(), signals[name]
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as exit:
        play(session, do=lambda step: step == 5 and signal.raise_signal(number))
    assert exit.value.code == STATUS[name]
    assert signal.getsignal(number) is before
    assert f"Stopped after step 5. Saved: step 5, {session.path}." in capsys.readouterr().err

    session = session_of(seed=4)
    session.resume()
    play(session)
    assert session.history == {"steps": [*range(1, 8)]}
    assert numbers(session.game) == numbers(whole.game)


def test_a_second_signal_acts_at_once(session_of):
    """In the loop's round; in the middle of a step nothing is saved."""
    session = session_of()
    with pytest.raises(KeyboardInterrupt):
        play(session, do=lambda step: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
    assert session.saved == 1
    session, step = session_of(), session.game.generator_step

    def interrupted(x):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        return step(x)

    session.game.generator_step = interrupted
    with pytest.raises(KeyboardInterrupt):
        play(session)
    assert session.saved is None


@pytest.mark.parametrize(("every", "last"), [(3, 3), (100, 4)])
def test_a_signal_while_a_checkpoint_is_written(every, last, session_of, monkeypatch):
    """One of those in between, or the last one."""
    session = session_of(every=every)
    save = session.save

    def interrupted():
        if session.saved is None:
            signal.raise_signal(signal.SIGTERM)
        save()

    monkeypatch.setattr(session, "save", interrupted)
    with pytest.raises(SystemExit) as exit:
        play(session, steps=4)
    assert exit.value.code == 143 and session.saved == session.game.steps == last


def test_an_ignored_signal_stays_ignored(session_of):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        play(session_of(), do=lambda step: signal.raise_signal(signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# Leaving the loop --------------------------------------------------------------------------------


class Left(Exception):
    pass


def by_break(records):
    for record in records:
        if record.step == 4:
            break


def by_an_exception(records):
    with contextlib.suppress(Left):
        for record in records:
            if record.step == 4:
                raise Left


def by_return(records):
    def first():
        for record in records:
            if record.step == 4:
                return record

    first()


def by_next(records):
    iterator = iter(records)
    for _ in range(4):
        next(iterator)


WAYS = {f.__name__: f for f in (by_break, by_an_exception, by_return, by_next)}
FORMS = {
    "as it is": lambda records: records,
    "a progress bar": lambda records: tqdm(records, file=io.StringIO()),
    "a generator": lambda records: (record for record in records),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS)
def test_whoever_leaves_the_loop_finds_it_saved(way, form, session_of, signals):
    """Also while the records have a name; and all signals act as before."""
    session = session_of(every=100)
    before = {number: signal.getsignal(number) for number in signals.values()}
    records = session.run(train(session.game, session.batches, STEPS))
    wrapped = FORMS[form](records)
    WAYS[way](wrapped)
    if form == "a generator":
        wrapped.close()  # it has a name, so that leaving the loop does not end it
    assert session.saved == session.game.steps == 4
    assert {number: signal.getsignal(number) for number in before} == before
    session.game.steps = 5
    del records, wrapped
    assert session.saved == 4  # nothing happens any more


def test_signals_wait_only_within_the_loop(session_of):
    session = session_of()
    before = signal.getsignal(signal.SIGINT)
    records = iter(session.run(train(session.game, session.batches, STEPS)))
    assert signal.getsignal(signal.SIGINT) is before
    next(records)
    assert signal.getsignal(signal.SIGINT) is not before
    records.close()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_in_the_round_in_which_the_loop_is_left(session_of, capsys):
    """No exception can come out of a `break`: Ctrl-C is told, other signals act."""
    seen = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
        session = session_of()
        for _ in session.run(train(session.game, session.batches, STEPS)):
            signal.raise_signal(number)
            break
        assert session.saved == 1
        assert f"{number.name} came as the loop was left." in capsys.readouterr().err
    assert seen == [signal.SIGTERM]


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt])
def test_an_error_in_a_step_leaves_the_last_checkpoint(error, session_of, capsys):
    session = session_of()
    step = session.game.generator_step

    def fail(x):
        if session.game.steps == 4:
            raise error
        return step(x)

    session.game.generator_step = fail
    with pytest.raises(error):
        play(session)
    assert session.saved == 3
    if error is not KeyboardInterrupt:
        assert f"The last good checkpoint: step 3, {session.path}." in capsys.readouterr().err


# At a prompt, and without one --------------------------------------------------------------------

GAME = """
import signal, sys
import numpy as np
from minigan import GAN, SGD, Dense, NormalLatent, Sequential, train
from minigan.data import Batches
from minigan.runs.session import Session

for name in {"SIGINT", "SIGTERM", "SIGHUP"} & set(dir(signal)):
    handler = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
    signal.signal(getattr(signal, name), handler)

G, D = (Sequential([Dense(2, n)], (2,), rng=0) for n in (2, 1))
gan = GAN(G, D, "minimax", latent=NormalLatent(2), rng=0,
          generator_optimizer=SGD(G), discriminator_optimizer=SGD(D))
batches = Batches(np.ones((9, 2)), 4, np.random.default_rng(0))
session = Session("run.npz", gan, batches)
"""


def python(*options, folder, code, **more):
    """What Python says to this code, at its standard input."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run(
        [sys.executable, *options], input=GAME + textwrap.dedent(code), text=True,
        capture_output=True, cwd=folder, env=environment, timeout=100, **more,
    )  # fmt: skip


def test_at_a_prompt_the_variables_live_on(tmp_path):
    code = """
    for record in session.run(train(gan, batches, 9)):
        if record.step == 2: signal.raise_signal(signal.SIGINT)

    print("alive at step", gan.steps)
    for record in session.run(train(gan, batches, 9 - gan.steps)): pass

    print("done at step", gan.steps)
    """
    done = python("-i", "-q", folder=tmp_path, code=code)
    assert "alive at step 2" in done.stdout and "done at step 9" in done.stdout
    assert "KeyboardInterrupt" in done.stderr and done.returncode == 0


def test_leaving_a_prompt_in_the_loop_saves(tmp_path):
    code = """
    records = iter(session.run(train(gan, batches, 9)))
    _ = next(records), next(records)
    """
    assert python("-i", "-q", folder=tmp_path, code=code).returncode == 0
    assert (tmp_path / "run.npz").exists()


def test_without_a_console_nothing_is_said(tmp_path):
    """As pythonw starts programs on Windows."""
    code = """
    sys.stderr = sys.stdout = None
    for record in session.run(train(gan, batches, 9)):
        if record.step == 2: signal.raise_signal(signal.SIGTERM)
    """
    done = python("-", folder=tmp_path, code=code)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
    assert (tmp_path / "run.npz").exists()


def test_a_lost_terminal_saves(tmp_path):
    """Whatever was to be written to it then fails."""
    pty = pytest.importorskip("pty", reason="terminals of this kind are POSIX's")
    ours, theirs = pty.openpty()
    code = """
    for record in session.run(train(gan, batches, 10**5)):
        print("step", record.step, flush=True)
    """
    (tmp_path / "run.py").write_text(GAME + textwrap.dedent(code), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", TERMINAL, "run.py"], cwd=tmp_path, env=environment,
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    ) as program:  # fmt: skip
        os.close(theirs)
        seen = b""
        while b"step 2" not in seen:
            seen += os.read(ours, 1000)
        os.close(ours)
        status = program.wait(60)
    assert status in (129, -1)  # a shell calls both 129
    assert (tmp_path / "run.npz").exists()


#: Makes the terminal the program's own, so that its loss is a SIGHUP.
TERMINAL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


# The configuration is looked at before the first step --------------------------------------------


@pytest.mark.parametrize(
    ("configuration", "error", "message"),
    [
        ({"out": Path("x")}, TypeError, "configuration/out: a .*Path cannot"),
        ({1: "one"}, ValueError, "configuration: a key must be text"),
        ({"a": {"b": {2: 3}}}, ValueError, "configuration/a/b: a key must be text"),
        ({"lr": float("nan")}, ValueError, "configuration/lr: expected a finite number, got nan"),
        ({"a": [1, {"b": float("inf")}]}, ValueError, "configuration/a/1/b: expected a finite"),
        ({"x": np.ones(2)}, TypeError, "configuration/x: an array cannot"),
        ({"f": print}, TypeError, "configuration/f: a builtin_function"),
        ({"s": {1, 2}}, TypeError, "configuration/s: a set cannot"),
    ],
)
def test_a_configuration_that_cannot_be_saved_is_refused_at_once(
    configuration, error, message, session_of, tmp_path
):
    with pytest.raises(error, match=message):
        session_of(configuration=configuration)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "configuration", [{}, None, {"a": (1, 2.5, "x", None, True, np.float32(3))}]
)
def test_a_configuration_that_was_saved_is_the_same(configuration, session_of):
    play(session_of(configuration=configuration), steps=1)
    assert session_of(configuration=configuration).resume()


def test_other_threads_leave_the_handlers_alone(session_of):
    before, session = signal.getsignal(signal.SIGINT), session_of()
    handlers = []
    thread = threading.Thread(
        target=play, args=(session, 3, lambda step: handlers.append(signal.getsignal(2)))
    )
    thread.start()
    thread.join()
    assert handlers == [before] * 3 and session.saved == 3


# Faults: what each gives -----------------------------------------------------------------------


@contextlib.contextmanager
def full_disk():
    """No file can grow beyond 1000 bytes: what a disk without space does to a checkpoint."""
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX's")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def permission_denied(folder):
    """The folder cannot be written to. Root may write everywhere, so root becomes nobody."""
    if os.name != "posix":
        pytest.skip("users and modes of folders are POSIX's")
    if os.geteuid() == 0:
        os.seteuid(65534)
    else:
        folder.chmod(0o500)
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        else:
            folder.chmod(0o700)


FAULTS = {
    "disk full": (lambda folder: full_disk(), "File too large|No space left"),
    "permission denied": (permission_denied, "Permission denied"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_save_that_fails_loses_nothing_and_says_so_in_one_line(name, session_of, capfd):
    make, reason = FAULTS[name]
    session = session_of()
    play(session, steps=3)
    before = session.path.read_bytes()
    capfd.readouterr()
    with make(session.path.parent):
        session.game.steps = 4
        session.save()
    message = capfd.readouterr().err
    assert message.count("\n") == 1 and message.endswith(f"Kept: step 3, {session.path}.\n")
    assert "No checkpoint of step 4: " in message
    assert any(part in message for part in reason.split("|")), message
    assert session.path.read_bytes() == before and names(session) == ["run.npz"]
    session.save()
    assert session.saved == 4


def test_training_goes_on_where_no_checkpoint_can_be_written(session_of, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way of a folder", encoding="utf-8")
    session = session_of(path=tmp_path / "file" / "run.npz")
    play(session)
    lines = capsys.readouterr().err.splitlines()
    assert [line[:24] for line in lines] == [f"No checkpoint of step {k}:" for k in (3, 6, 7)]
    assert all(line.endswith("Kept: none.") for line in lines)
    with pytest.raises(SystemExit) as exit:
        play(session, 9, do=lambda step: signal.raise_signal(signal.SIGINT))
    assert exit.value.code == 130
    assert "Stopped after step 8. Saved: none." in capsys.readouterr().err


def test_divergence_keeps_the_last_good_checkpoint(session_of, capsys):
    session = session_of()

    def sabotage(step):
        if step == 4:
            session.game.generator.parameters[3] = np.nan

    named = r"step 5, in the discriminator's step: the generator's parameter 0\.weight"
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=named):
        play(session, do=sabotage)
    assert f"The last good checkpoint: step 3, {session.path}." in capsys.readouterr().err
    session = session_of()
    session.resume()
    assert session.game.steps == 3 and np.isfinite(session.game.generator.parameters).all()


def test_nan_in_the_step_of_a_checkpoint_is_not_saved(session_of, capsys):
    session = session_of()
    play(session, steps=3)
    session.game.generator.parameters[3] = np.nan
    session.save()
    assert "is not finite. Kept: step 3" in capsys.readouterr().err


def test_only_our_own_temporary_files_are_removed_at_the_next_start(session_of, tmp_path):
    ours = [".run.abcd1234.minigan-part.npz", ".run.x.minigan-part.npz"]
    others = [
        ".run.npz",
        ".run.abcd1234.npz",
        ".walk.abcd1234.minigan-part.npz",
        "run.minigan-part",
    ]
    for name in ours + others:
        (tmp_path / name).write_bytes(b"half")
    session = session_of()
    assert names(session) == sorted(others)
    play(session, steps=1)
    assert names(session) == sorted([*others, "run.npz"])


def test_a_temporary_file_that_cannot_be_removed_is_in_nobodys_way(session_of, tmp_path):
    (tmp_path / ".run.abcd1234.minigan-part.npz").mkdir()
    play(session_of(), steps=1)
