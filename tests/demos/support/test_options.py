"""The command line: numbers, a notebook's, and consoles that cannot show everything."""

import ast
import builtins
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import demo
from support.options import above_zero, arguments, count, number, positive, show_what_can_be

ROOT = Path(__file__).resolve().parents[3]
DEMOS = sorted((ROOT / "demos").glob("*.py"))
KINDS = {"count": count, "positive": positive, "number": number, "above_zero": above_zero}


# Numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["abc", "1e4", "1.5", "", "-1", "nan", "inf", "0x10", "9" * 5000])
@pytest.mark.parametrize("name", KINDS)
def test_a_wrong_number_says_what_is_expected(name, text, capsys):
    if KINDS[name] in (number, above_zero) and text in ("1e4", "1.5"):
        assert KINDS[name](text) == float(text)
        return
    argv = ["--x", text] if text != "-1" else ["--x=-1"]
    with pytest.raises(SystemExit):
        demo.start("toy", "", [], lambda p: p.add_argument("--x", type=KINDS[name]), argv=argv)
    message = capsys.readouterr().err
    assert "argument --x: expected a " in message and message.rstrip().endswith(
        f"got {text}".strip()
    )


def test_right_numbers():
    assert [count("0"), positive("1"), number("0"), above_zero("1e-3")] == [0, 1, 0.0, 0.001]
    for kind, text in ((positive, "0"), (above_zero, "0"), (count, "-1"), (number, "-0.1")):
        with pytest.raises(Exception, match="expected"):
            kind(text)


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_all_demos_use_these_kinds(path):
    """argparse itself says "invalid int value", not what is expected."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "parser.add_argument":
            kinds = [ast.unparse(k.value) for k in call.keywords if k.arg == "type"]
            assert set(kinds) <= {*KINDS, "kind", "str", "Path"}


# Notebooks ---------------------------------------------------------------------------------------

KERNEL = "/lib/python3/site-packages/ipykernel_launcher.py"
FILE = ["-f", "/run/user/kernel-1.json"]


@pytest.fixture
def started(monkeypatch):
    """started(ipython, original, argv, file): how Python and what runs now were started."""

    def set_up(ipython, original, argv, file):
        if ipython:
            monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
        main = sys.modules["__main__"]
        monkeypatch.setattr(sys, "orig_argv", original)
        monkeypatch.setattr(sys, "argv", argv)
        monkeypatch.delattr(main, "__file__", raising=False)
        if file:
            monkeypatch.setattr(main, "__file__", file, raising=False)

    return set_up


CELLS = ["python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", *FILE]
TOY, QUICK = "demos/toy.py", ["--quick", "--out", "x"]
STARTS = {  # ipython, the command, sys.argv, the file that runs -> the demo's arguments
    "cells": (True, CELLS, [KERNEL, *FILE], None, []),
    "cells of a file": (True, CELLS, [KERNEL, *FILE], TOY, []),
    "%run in a notebook": (True, CELLS, [TOY, *QUICK], TOY, QUICK),
    "%run without options": (True, CELLS, [TOY], TOY, []),
    "%run of a copy": (True, CELLS, ["my.py", *QUICK], "my.py", QUICK),
    "sys.argv in a cell": (True, CELLS, ["toy", *QUICK], None, QUICK),
    "IPython's prompt": (True, ["python", "ipython", "--pylab"], ["ipython", "--pylab"], None, []),
    "ipython toy.py": (True, ["python", "ipython", TOY, "--", *QUICK], [TOY, *QUICK], TOY, QUICK),
    "a shell": (False, ["python", TOY, *QUICK], [TOY, *QUICK], TOY, QUICK),
    "python -c": (False, ["python", "-c", "...", *QUICK], ["-c", *QUICK], None, QUICK),
}


@pytest.mark.parametrize("name", STARTS)
def test_only_the_kernels_own_arguments_are_dropped(name, started):
    *how, expected = STARTS[name]
    started(*how)
    assert arguments() == expected


def test_a_notebook_resumes(started, tmp_path):
    started(True, CELLS, ["toy", "--resume", "--out", str(tmp_path)], None)
    options, _ = demo.start("toy", "", ["checkpoint.npz"])
    assert options.resume and options.out == tmp_path


# Consoles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_what_cannot_be_shown_is_replaced(encoding, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", out)
    show_what_can_be()
    print("σ ≤ 1 → ∂")
    out.flush()
    assert out.buffer.getvalue().split() == [b"?", b"?", b"1", b"?", b"?"]


def test_utf8_is_left_alone(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    monkeypatch.setattr(sys, "stdout", out)
    show_what_can_be()
    print("σ ≤ 1")
    out.flush()
    assert out.buffer.getvalue().decode() == "σ ≤ 1\n"


def test_no_console(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    show_what_can_be()
    with sys.stdout, sys.stderr:
        print("nothing", file=sys.stderr)
        print("nothing")


@pytest.mark.parametrize("path", DEMOS, ids=lambda path: path.stem)
def test_help_on_an_ascii_pipe(path, run_demo, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit) as exit:
        run_demo(path.stem, "--help")
    assert exit.value.code == 0


PROGRAM = """
import sys

if sys.argv[1] == "no console":
    sys.stdout = sys.stderr = None
from tqdm import tqdm

from support.demo import start

options, out = start("toy", "", [], argv=["--out", sys.argv[2]])
for _ in tqdm(range(3)):
    print(chr(0x3c3))
out.save_metrics(seen=3)
"""


#: In an ascii container, in the locale "C", and as pythonw starts programs.
CONSOLES = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    "no console": {"PYTHONIOENCODING": "ascii"},
}


@pytest.mark.parametrize("console", CONSOLES)
def test_a_program_without_utf8_and_without_a_console(console, tmp_path):
    environment = {**os.environ, "PYTHONUTF8": "0", **CONSOLES[console]}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "demos")])
    command = [sys.executable, "-c", PROGRAM, console, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.splitlines()
    assert shown[1:] == ([] if console == "no console" else [b"?"] * 3)
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["seen"] == 3
