"""Sessions: what is saved when, what a signal does, and what a disk that fails."""

import contextlib
import os
import signal
import threading

import numpy as np
import pytest

from minigan import TrainingDiverged, train
from minigan.runs.session import Session

STEPS = 7


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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_round_saves_and_exits(number, status, session_of, numbers, capsys):
    whole = session_of()
    play(whole)
    whole.path.unlink()

    session = session_of()
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as exit:
        play(session, do=lambda step: step == 5 and signal.raise_signal(number))
    assert exit.value.code == status
    assert signal.getsignal(number) is before
    assert f"Stopped after step 5. Saved: step 5, {session.path}." in capsys.readouterr().err

    session = session_of(seed=4)
    session.resume()
    play(session)
    assert session.history == {"steps": [*range(1, 8)]}
    assert numbers(session.game) == numbers(whole.game)


def test_a_second_signal_acts_at_once(session_of):
    session = session_of()
    with pytest.raises(KeyboardInterrupt):
        play(session, do=lambda step: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
    assert session.saved is None


def test_a_signal_while_the_last_checkpoint_is_written(session_of, monkeypatch):
    session = session_of()
    save = session.save

    def interrupted():
        signal.raise_signal(signal.SIGTERM)
        save()

    monkeypatch.setattr(session, "save", interrupted)
    with pytest.raises(SystemExit) as exit:
        play(session, steps=2)
    assert exit.value.code == 143 and session.saved == 2


def test_an_ignored_signal_stays_ignored(session_of):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        play(session_of(), do=lambda step: signal.raise_signal(signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_are_set_back_when_the_loop_is_left(session_of):
    before = signal.getsignal(signal.SIGINT)
    session = session_of()
    records = session.run(train(session.game, session.batches, STEPS))
    next(records)
    assert signal.getsignal(signal.SIGINT) is not before
    records.close()
    assert signal.getsignal(signal.SIGINT) is before
    assert session.saved is None


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
    (tmp_path / "file").write_text("in the way of a folder")
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
