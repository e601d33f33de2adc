"""Tests of what the demos share: options, the folder for the files, messages."""

import json
import sys

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

    return json.loads((folder / "metrics.json").read_text(), parse_constant=refuse)


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
    options, _ = demo.start("toy", "", [], lambda p: p.add_argument("--data"), argv)
    assert options.data == "grid"
    assert read(tmp_path)["data"] == "grid"


def test_help_is_the_lesson(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        demo.start("toy", "Line one.\n  - line two", [], argv=["--help"])
    assert exit.value.code == 0
    text = capsys.readouterr().out
    assert "Line one.\n  - line two" in text
    for option in ("--seed", "--steps", "--quick", "--backend", "--out"):
        assert option in text


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
    (tmp_path / foreign).write_text("mine")
    message = refused(capsys, tmp_path)
    assert foreign in message and "--out" in message
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {foreign: "mine"}


@pytest.mark.parametrize("marker", ['{"demo": "mnist"}', '["toy"]', "{}", "\xff"])
def test_files_of_another_demo_are_foreign(tmp_path, capsys, marker):
    (tmp_path / "metrics.json").write_text(marker, encoding="latin-1")
    (tmp_path / "picture.png").write_text("theirs")
    refused(capsys, tmp_path)
    assert (tmp_path / "metrics.json").read_text(encoding="latin-1") == marker


def test_a_link_that_leads_nowhere_is_a_foreign_file(tmp_path, capsys):
    try:
        (tmp_path / "picture.png").symlink_to(tmp_path / "gone")
    except OSError:
        pytest.skip("on Windows, links are for administrators")
    assert "picture.png" in refused(capsys, tmp_path)


def test_own_files_are_replaced_and_others_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    _, out = start(tmp_path)
    out.path("picture.png").write_text("first run, interrupted here")
    _, out = start(tmp_path)
    out.save_metrics(modes=8)
    start(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "metrics.json",
        "notes.txt",
        "picture.png",
    ]


def test_a_folder_that_cannot_be_one(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert "cannot write" in refused(capsys, tmp_path / "file")
    assert "cannot write" in refused(capsys, tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_demo_writes_only_the_files_it_named(tmp_path):
    _, out = start(tmp_path)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        out.path("notes.txt")


def test_metrics_hold_the_options_and_figures_as_json(tmp_path):
    _, out = start(tmp_path, "--seed", "3", "--backend", "numpy")
    assert read(tmp_path)["finished"] is False
    out.save_metrics(steps=5, loss=float("nan"), reverse_kl=float("inf"), modes=None, seconds=0.5)
    assert read(tmp_path) == {
        "demo": "toy",
        "finished": True,
        "seed": 3,
        "steps": 5,
        "quick": False,
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
    return demo.start("toy", "", files, lambda p: p.add_argument("--samples", type=int), argv)


def play(out, game, batches, steps):
    history = {"steps": []}
    session = out.session(game, batches, history)
    for record in session.run(train(game, batches, steps - game.steps)):
        history["steps"].append(record.step)
    return history["steps"]


def test_only_demos_with_a_checkpoint_can_be_resumed(tmp_path, capsys):
    assert "--resume" in refused(capsys, tmp_path, "--resume")
    options, _ = resumable(tmp_path)
    assert (options.resume, options.checkpoint_every) == (False, 500)
    assert not {"resume", "checkpoint_every"} & set(read(tmp_path))
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
    _, out = resumable(tmp_path)
    assert play(out, *game(), 2) == [1, 2]  # not asked to


def test_another_run_is_not_resumed(tmp_path, game):
    _, out = resumable(tmp_path)
    play(out, *game(), 1)
    _, out = resumable(tmp_path, "--resume", "--seed", "4")
    with pytest.raises(CheckpointError, match="seed: 0 in the checkpoint, 4 here"):
        play(out, *game(), 2)


def test_what_a_killed_run_was_writing_is_removed(tmp_path):
    start(tmp_path)
    stale = [".picture.a1b2c3d4.minigan-part.png", ".metrics.x.minigan-part.json"]
    for name in [*stale, ".notes.x.minigan-part.txt"]:
        (tmp_path / name).write_text("half of it")
    start(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"metrics.json", ".notes.x.minigan-part.txt"}
