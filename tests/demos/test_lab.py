"""Tests of the lab's demo: what it renders to files, what it refuses, and that it opens a page."""

import importlib.util
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import minigan.plotting

SMALL = ("--generator-width", 8, "--discriminator-width", 8)


def test_a_quick_run_renders_a_page(run_demo, metrics, tmp_path):
    run_demo("lab", "--quick", "--steps", 2, *SMALL, "--out", tmp_path)
    text = (tmp_path / "session.html").read_text(encoding="utf-8")
    slot = re.search(r'<script type="application/json" id="recording">(.*)</script>', text)
    told = json.loads(slot[1])
    assert [m["kind"] for m in told[:3]] == ["options", "game", "frame"]
    assert sum("stage" in m for m in told) == 11 and told[-1]["step"] == 2
    found = metrics(tmp_path)
    assert found["finished"] and found["steps"] == 2 and found["file"] == "session.html"
    assert found["kl"] > found["jensen_shannon"] > 0
    losses = [row for m in told if m["kind"] == "frame" for row in m["rows"]["losses"]]
    assert [row[0] for row in losses] == [1, 2]


def test_a_recording_loads_nothing_from_elsewhere_and_is_small(run_demo, tmp_path):
    run_demo("lab", "--html", "--steps", 130, *SMALL, "--out", tmp_path)
    text = (tmp_path / "session.html").read_text(encoding="utf-8")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace('"http"', "")
    assert not re.search(r'<(script|img|link)[^>]* (src|href)="(?!data:)', text)
    assert "import " not in text.split('id="recording"')[1].split('<script type="module">')[1]
    assert len(text.encode()) < 3e6


def test_a_gif(run_demo, monkeypatch, tmp_path):
    """What would be drawn; that GIFs are written is tested elsewhere."""
    saved = []

    def save(figure, path, draw, frames, seconds):
        saved.append((path, len(list(frames))))

    monkeypatch.setattr(minigan.plotting, "save_animation", save)
    arguments = ["--quick", "--gif", "--steps", 1, "--data", "moons", "--objective", "hinge"]
    run_demo("lab", *arguments, *SMALL, "--out", tmp_path)
    assert saved == [(tmp_path / "session.gif", 11)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objective", "wasserstein"], "objective: wasserstein needs a regularizer"),
        (["--generator-width", "1000"], "generator_width: expected at most 256, got 1000"),
        (["--scene", "x"], "--scene: invalid choice"),
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
    command = [sys.executable, script, "--quick", "--gif", "--steps", "1", *map(str, SMALL)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "lab" / "session.gif").exists()


def test_without_tornado_it_says_how_to_install_it(run_demo, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as exit:
        run_demo("lab", "--out", tmp_path)
    assert exit.value.code == 2
    assert "the page needs tornado: install it with pip install" in capsys.readouterr().err


def test_it_prints_the_address_of_a_page(tmp_path):
    pytest.importorskip("tornado", reason="the lab's page needs tornado")
    script = Path(__file__).resolve().parents[2] / "demos" / "lab.py"
    command = [sys.executable, script, "--no-browser", *map(str, SMALL), "--out", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as lab:
        address = next(line.strip() for line in lab.stdout if "http://" in line)
        with urllib.request.urlopen(address) as page:
            assert b"<title>minigan lab</title>" in page.read()
        lab.terminate()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{22}/", address)
