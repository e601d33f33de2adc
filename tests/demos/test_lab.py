"""Tests of the lab's demo where there is no display."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigan.plotting


def test_a_quick_run_renders_a_player(run_demo, metrics, tmp_path):
    run_demo("lab", "--quick", "--steps", 2, "--width", 8, "--out", tmp_path)
    text = (tmp_path / "session.html").read_text()
    assert text.count("data:image/png;base64") == 1 + 7 + 1  # start, stages, the second step
    found = metrics(tmp_path)
    assert found["finished"] and found["steps"] == 2 and found["file"] == "session.html"
    assert found["kl"] > found["jensen_shannon"] > 0


def test_a_gif(run_demo, monkeypatch, tmp_path):
    """What would be drawn; that GIFs are written is tested elsewhere."""
    saved = []

    def save(figure, path, draw, frames, seconds):
        saved.append((path, len(list(frames))))

    monkeypatch.setattr(minigan.plotting, "save_animation", save)
    arguments = ["--quick", "--gif", "--steps", 1, "--data", "moons", "--objective", "hinge"]
    run_demo("lab", *arguments, "--width", 8, "--out", tmp_path)
    assert saved == [(tmp_path / "session.gif", 1 + 7)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objective", "wasserstein"], "--objective wasserstein needs .* --regularizer"),
        (["--batch", "abc"], "argument --batch: expected a whole number of at least 1"),
        (["--batch", "0"], "argument --batch: expected a whole number of at least 1"),
        (["--generator-lr", "0"], "argument --generator-lr: expected a number above 0"),
        (["--html", "--gif"], "--gif"),
    ],
)
def test_settings_that_do_not_fit_are_a_message(arguments, message, run_demo, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        run_demo("lab", "--quick", *arguments, "--out", tmp_path)
    assert exit.value.code == 2 and re.search(message, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_as_a_program_it_imports_the_package_of_its_own_name(tmp_path):
    """Beside demos/lab.py stands the folder demos/lab/: the program must not import itself."""
    script = Path(__file__).resolve().parents[2] / "demos" / "lab.py"
    command = [sys.executable, script, "--quick", "--gif", "--steps", "1", "--width", "8"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "lab" / "session.gif").exists()
