"""The exercises as a student meets them: untouched, solved, with typical slips."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from checker.exercise import answers, unsolved
from checker.program import results

FOLDER = Path(__file__).parents[3] / "demos" / "exercises"
STEMS = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))
MINUTES = re.compile(r"^Exercise (\d+): .+\. (\d+) minutes\.$")


def run(path, monkeypatch, capsys, *arguments):
    """The exit status of an exercise's file as a program, and what it prints."""
    monkeypatch.setattr(sys, "argv", [path.name, *arguments])
    try:
        runpy.run_path(str(path), run_name="__main__")
        status = 0
    except SystemExit as exit:
        status = exit.code
    return status, capsys.readouterr().out


@pytest.mark.parametrize("stem", STEMS)
def test_the_file(stem):
    """Short, with a time to expect, a blank for each piece, and three hints."""
    text = (FOLDER / f"{stem}.py").read_text(encoding="utf-8")
    number, minutes = MINUTES.match(text.split("\n")[0].strip('"')).groups()
    assert len(text.splitlines()) < 80 and int(number) == int(stem[:2])
    assert 10 <= int(minutes) <= 30
    exercise = answers(stem)
    assert unsolved(text) == {part.piece for part in exercise.parts}
    assert len(exercise.hints) == 3


@pytest.mark.parametrize("stem", STEMS)
def test_untouched(stem, monkeypatch, capsys):
    status, said = run(FOLDER / f"{stem}.py", monkeypatch, capsys)
    assert status == 1 and "Not solved yet" in said and "Traceback" not in said
    assert said.count("not solved yet") == len(answers(stem).parts)


@pytest.mark.parametrize("stem", STEMS)
def test_solved(stem, monkeypatch, capsys, tmp_path, hand_in, solutions):
    status, said = run(hand_in(stem, tmp_path, solutions[stem]), monkeypatch, capsys)
    assert status == 0 and said.endswith("Solved: every number agrees.\n") and "WRONG" not in said


@pytest.mark.parametrize("stem", STEMS)
def test_hints_and_solution(stem, monkeypatch, capsys):
    path = FOLDER / f"{stem}.py"
    hints = [run(path, monkeypatch, capsys, "--hint", str(level))[1] for level in (1, 2, 3)]
    assert len(set(hints)) == 3 and run(path, monkeypatch, capsys, "--hint")[1] == hints[0]
    _, said = run(path, monkeypatch, capsys, "--solution")
    places = re.findall(r"^([\w/]+\.py), line (\d+):\n\n(.+)", said, re.MULTILINE)
    assert places
    for file, line, text in places:
        there = (FOLDER.parents[1] / file).read_text(encoding="utf-8").splitlines()
        assert there[int(line) - 1] == text
    assert stem == "02_bias" or all(p[0].startswith("minigan/") for p in places)


def test_as_a_program():
    """From a shell, in the folder above."""
    path = FOLDER / STEMS[0]
    command = [sys.executable, f"{path.parent.name}/{path.name}.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parent)
    assert done.returncode == 1 and "Not solved yet" in done.stdout and not done.stderr


def test_half_solved(tmp_path, hand_in, solutions):
    """Gradients are looked at once the values are right."""
    solution = solutions["01_dense"]
    some = {piece: solution[piece] for piece in ("Dense.backward", "Dense.add_gradients")}
    verdicts = [result.verdict for result in results(hand_in("01_dense", tmp_path, some))]
    assert verdicts == ["not solved yet", "first Dense.forward", "first Dense.forward"]
    some = {piece: solution[piece] for piece in ("Dense.forward", "Dense.add_gradients")}
    verdicts = [result.verdict for result in results(hand_in("01_dense", tmp_path, some))]
    assert verdicts == ["ok", "not solved yet", "ok"]
