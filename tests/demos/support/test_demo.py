"""Tests of what the demos share: options, the folder for the files, messages."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigan import CheckpointError, Dense, Sequential, train
from minigan.backend import BackendUnavailable, get_backend
from minigan.data import Batches, MnistError
from support import demo


@pytest.fixture(autouse=True)
def keep_the_hook(monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


def start(folder, *arguments, name="toy", files=("picture.png",)):
    return demo.start(name, "The lesson.", files, argv=["--out", str(folder), *arguments])


def refused(capsys, folder, *arguments):
    """The message with which the demo refuses to start, with status 2."""
    with pytest.raises(SystemExit) as exit:
        start(folder, *arguments)
    assert exit.value.code == 2
    return capsys.readouterr().err


def read(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"), parse_constant=refuse)


def test_options_and_their_defaults(tmp_path):
    options, out = start(tmp_path / "new" / "folder")
    assert (options.seed, options.steps, options.quick) == (0, None, False)
    assert options.backend is get_backend("auto")
    assert out.path("picture.png") == tmp_path / "new" / "folder" / "picture.png"
    options, _ = start(tmp_path, "--seed", "7", "--steps", "9", "--quick", "--backend", "numpy")
    assert (options.seed, options.steps, options.quick) == (7, 9, True)
    assert options.backend is get_backend("numpy")


def test_own_options_are_added(tmp_path):
    argv = ["--out", str(tmp_path), "--data", "grid"]
    options, out = demo.start("toy", "", [], lambda p: p.add_argument("--data"), argv=argv)
    assert options.data == "grid"
    out.begin()
    assert read(tmp_path)["data"] == "grid"


def test_help_is_the_lesson(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        demo.start("toy", "Line one.\n  - line two", [], argv=["--help"])
    assert exit.value.code == 0
    text = capsys.readouterr().out
    assert "Line one.\n  - line two" in text
    for option in ("--seed", "--steps", "--quick", "--backend", "--out"):
        assert option in text


def test_options_that_do_not_go_together_are_refused_before_anything_is_written(tmp_path, capsys):
    def check(options):
        if options.quick and options.steps:
            raise ValueError("--quick and --steps do not go together")

    _, out = start(tmp_path)
    out.save_metrics(modes=8)
    before = (tmp_path / "metrics.json").read_bytes()
    argv = ["--quick", "--steps", "3", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as exit:
        demo.start("toy", "", ["picture.png"], check=check, argv=argv)
    assert exit.value.code == 2
    assert "toy.py: error: --quick and --steps do not go together\n" in capsys.readouterr().err
    assert (tmp_path / "metrics.json").read_bytes() == before
    demo.start("toy", "", ["picture.png"], check=check, argv=argv[1:])


def test_until_a_file_is_asked_for_all_is_as_it_was(tmp_path):
    """A run may fail before that: its data may be missing, or its networks not fit."""
    _, out = start(tmp_path)
    out.save_metrics(modes=8)
    before = (tmp_path / "metrics.json").read_bytes()
    _, out = start(tmp_path, "--seed", "5")
    assert (tmp_path / "metrics.json").read_bytes() == before
    out.path("picture.png")
    assert (read(tmp_path)["seed"], read(tmp_path)["finished"]) == (5, False)


def test_a_refusal_is_two_lines(tmp_path, capsys):
    for arguments in (["--steps", "x"], ["--nonsense"], ["--backend", "x"], ["stray"]):
        message = refused(capsys, tmp_path, *arguments)
        assert message.count("\n") == 2
        assert message.startswith("All options: toy.py --help\ntoy.py: error: ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--seed", "-1"], "at least 0"),
        (["--seed", "1.5"], "1.5"),
        (["--steps", "0"], "at least 1"),
        (["--backend", "abacus"], "abacus"),
        (["--colour"], "--colour"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path, capsys, arguments, reason):
    assert reason in refused(capsys, tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_a_backend_that_does_not_run_here(tmp_path, capsys, monkeypatch):
    def unavailable(name):
        raise BackendUnavailable(f"{name}: no such machine")

    monkeypatch.setattr(demo, "get_backend", unavailable)
    assert "cupy: no such machine" in refused(capsys, tmp_path / "out", "--backend", "cupy")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("foreign", ["picture.png", "metrics.json"])
def test_foreign_files_are_neither_replaced_nor_touched(tmp_path, capsys, foreign):
    (tmp_path / foreign).write_text("mine", encoding="utf-8")
    message = refused(capsys, tmp_path)
    assert foreign in message and "--out" in message
    assert {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()} == {foreign: "mine"}


@pytest.mark.parametrize("marker", ['{"demo": "mnist"}', '["toy"]', "{}", "\xff"])
def test_files_of_another_demo_are_foreign(tmp_path, capsys, marker):
    (tmp_path / "metrics.json").write_text(marker, encoding="latin-1")
    (tmp_path / "picture.png").write_text("theirs", encoding="utf-8")
    refused(capsys, tmp_path)
    assert (tmp_path / "metrics.json").read_text(encoding="latin-1") == marker


def test_a_link_that_leads_nowhere_is_a_foreign_file(tmp_path, capsys):
    try:
        (tmp_path / "picture.png").symlink_to(tmp_path / "gone")
    except OSError:
        pytest.skip("on Windows, links are for administrators")
    assert "picture.png" in refused(capsys, tmp_path)


def test_own_files_are_replaced_and_others_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    _, out = start(tmp_path)
    out.path("picture.png").write_text("first run, interrupted here", encoding="utf-8")
    _, out = start(tmp_path)
    out.save_metrics(modes=8)
    start(tmp_path)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "metrics.json",
        "notes.txt",
        "picture.png",
    ]


def test_a_folder_that_cannot_be_one(tmp_path, capsys):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    assert "cannot write" in refused(capsys, tmp_path / "file")
    assert "cannot write" in refused(capsys, tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_demo_writes_only_the_files_it_named(tmp_path):
    _, out = start(tmp_path)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        out.path("notes.txt")


@pytest.mark.parametrize("quick", [True, False])
def test_a_quick_run_says_at_its_end_what_it_is(quick, tmp_path, capsys):
    _, out = start(tmp_path, *["--quick"] * quick)
    out.begin()
    assert "--quick" not in capsys.readouterr().out
    out.save_metrics()
    assert ("--quick only shows that a lesson runs" in capsys.readouterr().out) == quick


def test_metrics_hold_the_options_and_figures_as_json(tmp_path):
    _, out = start(tmp_path, "--seed", "3", "--backend", "numpy")
    out.begin()
    assert read(tmp_path)["finished"] is False
    out.save_metrics(steps=5, loss=float("nan"), reverse_kl=float("inf"), modes=None, seconds=0.5)
    assert read(tmp_path) == {
        "demo": "toy",
        "finished": True,
        "seed": 3,
        "steps": 5,
        "quick": False,
        "threads": 1,
        "backend": "numpy",
        "loss": None,
        "reverse_kl": None,
        "modes": None,
        "seconds": 0.5,
    }


def test_expected_errors_show_their_message_and_others_a_traceback(tmp_path, capsys):
    start(tmp_path)
    for error in (MnistError("no digits"), KeyboardInterrupt(), ZeroDivisionError("a bug")):
        try:
            raise error
        except BaseException:
            sys.excepthook(*sys.exc_info())
    messages = capsys.readouterr().err
    digits, bug = messages.split("Interrupted.")
    assert digits.strip() == "no digits"
    assert "Traceback" in bug and "a bug" in bug


# --- Demos that train ----------------------------------------------------------------------------


@pytest.fixture
def game(make_gan):
    def build():
        G, D = (Sequential([Dense(2, n)], (2,), rng=0) for n in (2, 1))
        return make_gan(G, D), Batches(np.ones((9, 2)), 4, np.random.default_rng(0))

    return build


def resumable(folder, *arguments):
    files, argv = ["picture.png", "checkpoint.npz"], ["--out", str(folder), *arguments]
    return demo.start("toy", "", files, lambda p: p.add_argument("--samples", type=int), argv=argv)


def play(out, game, batches, steps):
    history = {"steps": []}
    session = out.session(game, batches, history, steps)
    for record in session.run(train(game, batches, steps - game.steps)):
        history["steps"].append(record.step)
    return history["steps"]


def test_only_demos_with_a_checkpoint_can_be_resumed(tmp_path, capsys):
    assert "--resume" in refused(capsys, tmp_path, "--resume")
    options, out = resumable(tmp_path)
    assert (options.resume, options.restart, options.checkpoint_every) == (False, False, 500)
    out.begin()
    assert not {"resume", "restart", "checkpoint_every"} & set(read(tmp_path))
    with pytest.raises(SystemExit):
        resumable(tmp_path, "--checkpoint-every", "0")
    assert "at least 1" in capsys.readouterr().err


def test_a_demo_goes_on_where_it_was(tmp_path, game, capsys):
    _, out = resumable(tmp_path, "--resume", "--checkpoint-every", "2")
    assert play(out, *game(), 3) == [1, 2, 3]
    assert "Going on from step 0, as there is no checkpoint." in capsys.readouterr().out
    _, out = resumable(tmp_path, "--resume", "--samples", "7")
    assert play(out, *game(), 5) == [1, 2, 3, 4, 5]
    assert "Going on from step 3." in capsys.readouterr().out
    _, out = resumable(tmp_path, "--restart")
    assert play(out, *game(), 2) == [1, 2]  # not asked to


def test_another_run_is_not_resumed(tmp_path, game):
    _, out = resumable(tmp_path)
    play(out, *game(), 1)
    _, out = resumable(tmp_path, "--resume", "--seed", "4")
    told = (
        "seed: 0 in the checkpoint, 4 here: give the same options, or begin again with --restart$"
    )
    with pytest.raises(CheckpointError, match=told):
        play(out, *game(), 2)
    _, out = resumable(tmp_path, "--resume", "--threads", "2")  # other products, other bits
    with pytest.raises(CheckpointError, match="threads: 1 in the checkpoint, 2 here"):
        play(out, *game(), 2)


def test_it_goes_on_for_more_steps_than_first_asked(tmp_path, game, capsys):
    _, out = resumable(tmp_path, "--steps", "3")
    play(out, *game(), 3)
    out.save_metrics(steps=3)
    capsys.readouterr()
    options, out = resumable(tmp_path, "--resume", "--steps", "5")
    assert options.steps == 5
    assert play(out, *game(), 5) == [1, 2, 3, 4, 5]
    told = capsys.readouterr().out
    assert "Going on from step 3." in told and "The end is step 5 now, no longer 3" in told
    options, out = resumable(tmp_path, "--resume")
    assert options.steps == 5  # as it was last
    assert play(out, *game(), 5) == [1, 2, 3, 4, 5]
    assert "The end" not in capsys.readouterr().out
    _, out = resumable(tmp_path, "--resume", "--steps", "4")
    with pytest.raises(CheckpointError, match=r"checkpoint.npz: is of step 5, but --steps is .* 4"):
        play(out, *game(), 4)
    assert read(tmp_path)["steps"] == 5


def test_nothing_is_written_if_the_checkpoint_is_of_another_run(tmp_path, game):
    _, out = resumable(tmp_path)
    play(out, *game(), 1)
    out.save_metrics(steps=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    _, out = resumable(tmp_path, "--resume", "--seed", "4")
    with pytest.raises(CheckpointError):
        play(out, *game(), 2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_checkpoint_is_not_replaced_without_a_word(tmp_path, game, capsys):
    _, out = resumable(tmp_path)
    play(out, *game(), 1)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    del out  # as at the end of its process
    with pytest.raises(SystemExit) as exit:
        resumable(tmp_path)
    assert exit.value.code == 2
    message = capsys.readouterr().err
    assert "not finished" in message and "--resume" in message and "--restart" in message
    assert (tmp_path / "checkpoint.npz").read_bytes() == before
    _, out = resumable(tmp_path, "--restart")
    play(out, *game(), 1)
    out.save_metrics()
    del out
    resumable(tmp_path)
    assert f"The finished run in {tmp_path} will be replaced." in capsys.readouterr().out
    with pytest.raises(SystemExit):
        resumable(tmp_path, "--resume", "--restart")


def test_the_same_process_may_begin_again(tmp_path, game):
    """A cell of a notebook, run twice."""
    _, out = resumable(tmp_path)
    play(out, *game(), 1)
    _, again = resumable(tmp_path)
    assert play(again, *game(), 2) == [1, 2]
    assert out.lock is again.lock


def test_a_checkpoint_alone_says_what_else_is_needed(tmp_path, capsys):
    (tmp_path / "checkpoint.npz").write_bytes(b"copied from elsewhere")
    for arguments in ([], ["--resume"], ["--restart"]):
        with pytest.raises(SystemExit):
            resumable(tmp_path, *arguments)
        assert "but not metrics.json" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


@pytest.fixture
def another_process():
    """with another_process(folder): another process has taken that folder."""
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]; from support.demo import start; "
        "out = start('toy', '', [], argv=['--out', sys.argv[1]]); "
        "print('taken', flush=True); "
        "input()"
    )
    started = []

    def start_one(folder):
        root = Path(__file__).resolve().parents[3]
        command = [sys.executable, "-c", code, str(folder), str(root / "demos"), str(root)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, **pipes))
        _, said = (started[-1].stdout.readline() for _ in range(2))  # first, on what it runs
        assert said == "taken\n"
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def test_two_runs_do_not_share_a_folder(tmp_path, capsys, another_process):
    """The second says so; and nothing is left of one that was killed."""
    other = another_process(tmp_path / "x")
    names = [tmp_path / "x", tmp_path / "x" / ".." / "x"]
    with contextlib.suppress(OSError):  # on Windows, links are for administrators
        (tmp_path / "link").symlink_to(tmp_path / "x")
        names.append(tmp_path / "link")
    for folder in names:
        assert "another run is writing there" in refused(capsys, folder)
    start(tmp_path / "y")
    other.kill()
    other.wait()
    start(tmp_path / "x")
    names = {path.name for path in (tmp_path / "x").iterdir()}
    assert names <= {".running"}  # on Windows; elsewhere the folder itself is locked


@pytest.mark.parametrize("error", [OSError(95, "not supported"), ImportError("no fcntl")])
def test_where_there_are_no_locks_all_else_works(error, tmp_path, monkeypatch):
    def fail(folder):
        raise error

    for name in ("_on_posix", "_on_windows"):
        monkeypatch.setattr(f"support.lock.{name}", fail)
    _, out = start(tmp_path)
    out.save_metrics()


def test_what_a_killed_run_was_writing_is_removed(tmp_path):
    start(tmp_path)[1].begin()
    stale = [".picture.a1b2c3d4.minigan-part.png", ".metrics.x.minigan-part.json"]
    for name in [*stale, ".notes.x.minigan-part.txt"]:
        (tmp_path / name).write_text("half of it", encoding="utf-8")
    start(tmp_path)[1].begin()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"metrics.json", ".notes.x.minigan-part.txt"}
