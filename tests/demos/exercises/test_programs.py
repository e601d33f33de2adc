"""train.py, which plays with the student's pieces, and check.py, which makes a class's table."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[3] / "demos" / "exercises"


def load(name):
    spec = importlib.util.spec_from_file_location(f"exercises_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def solved(tmp_path_factory, hand_in, solutions):
    """A folder in which every exercise is solved."""
    folder = tmp_path_factory.mktemp("solved")
    for stem, bodies in solutions.items():
        hand_in(stem, folder, bodies)
    return folder


# --- train.py ------------------------------------------------------------------------------------


def steps(train, folder, count):
    """Both networks' parameters after so many steps with the pieces in this folder."""
    gan = train.build(train.collect(folder)[0], 100, seed=0)
    train.play(gan, count, seed=0)
    return gan


def test_untouched_and_solved_play_the_same_game(solved, capsys):
    train = load("train")
    library, own = steps(train, FOLDER, 3), steps(train, solved, 3)
    assert {why for _, why in train.collect(solved)[1]} == {"yours"}
    assert all(why.startswith("the library's: ") for _, why in train.collect(FOLDER)[1])
    for one, other in zip(library.networks, own.networks, strict=True):
        np.testing.assert_allclose(other.parameters, one.parameters, rtol=1e-9, atol=1e-12)


def test_nothing_but_the_students_code_is_in_networks_and_steps(solved, capsys):
    """Every forward, backward, update and step that runs is a line of the student's files."""
    train = load("train")
    gan = train.build(train.collect(solved)[0], 100, seed=0)
    methods = [getattr(gan, name) for name in
               ("discriminator_gradients", "feedback", "generator_gradients")]  # fmt: skip
    methods += [gan.objective.discriminator, gan.objective.generator]
    for network in gan.networks:
        methods += [network.forward, network.backward, network.add_gradients]
        for layer in network.layers:
            methods += [layer.forward, layer.backward]
            methods += [layer.add_gradients] if layer.parameters() else []
        assert not network.forms()
    methods += [gan.generator_optimizer.update, gan.discriminator_optimizer.update]
    files = {Path(method.__code__.co_filename).parent for method in methods}
    assert files == {solved}


def test_a_wrong_piece_stays_out(tmp_path, hand_in, solutions, solved):
    train = load("train")
    for stem in train.USED:
        (tmp_path / f"{stem}.py").write_bytes((solved / f"{stem}.py").read_bytes())
    hand_in("01_dense", tmp_path, solutions["01_dense"] | {"Dense.backward": "return -dy"})
    pieces, rows = train.collect(tmp_path)
    assert rows[0] == ("01_dense", "the library's: Dense.backward WRONG")
    assert rows[1] == ("02_bias", "yours") and pieces["02_bias"].__file__ == str(
        tmp_path / "02_bias.py"
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_students_pieces_reach_all_modes(solved, seed, capsys):
    train = load("train")
    gan = train.build(train.collect(solved)[0], 4000, seed)
    _, found = train.play(gan, 4000, seed)
    assert found.modes == 8 and found.high_quality > 0.5


def test_the_program_draws_what_it_has_made(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train.py", "--steps", "2", "--out", str(tmp_path / "new")])
    load("train").main()
    assert "of 8 clouds" in capsys.readouterr().out
    assert (tmp_path / "new" / "picture.png").stat().st_size > 1000


# --- check.py ------------------------------------------------------------------------------------


def test_a_class(tmp_path, hand_in, solutions, solved):
    """One has solved two, one has made a mistake and a file that is no Python, one has nothing."""
    ada, emmy = tmp_path / "ada" / "handed in", tmp_path / "emmy"
    ada.mkdir(parents=True)
    emmy.mkdir()
    (tmp_path / "idle").mkdir()
    for stem in ("01_dense", "02_bias"):
        (ada / f"{stem}.py").write_bytes((solved / f"{stem}.py").read_bytes())
    wrong = solutions["01_dense"] | {"Dense.backward": "print('!')\nreturn dy @ self.weight"}
    hand_in("01_dense", emmy, wrong)
    (emmy / "02_bias.py").write_text("def f(:\n", encoding="utf-8")
    command = [sys.executable, "check.py", str(tmp_path), "--csv", str(tmp_path / "table.csv")]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", cwd=FOLDER, env=environment
    )
    assert done.returncode == 0 and not done.stderr
    lines = done.stdout.splitlines()
    table = {words[0]: words[1:] for words in map(str.split, lines[:4])}
    assert table["student"][:2] == ["01", "02"] and len(table["ada"]) == 15
    assert table["ada"][:3] == ["ok", "ok", "–"] and table["ada"][-1] == "2"
    assert table["emmy"][:3] == ["2/3", "error", "–"] and table["emmy"][-1] == "0"
    assert set(table["idle"][:-1]) == {"–"}
    assert lines[4:] == ["   1  01 Dense.backward: dx = dy W: the transpose is missing."]
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").count("\n") == 4


def test_a_program_without_an_end_costs_one_exercise(monkeypatch, tmp_path):
    check, asked = load("check"), []

    def run(command, timeout, stdout, **options):
        stems = command[3:-2]
        asked.append(stems)
        lines = [json.dumps({"stem": stem, "cell": "ok"}).encode() for stem in stems]
        if len(asked) == 1:
            raise subprocess.TimeoutExpired(command, timeout, output=b"\n".join(lines[:1]))
        if len(asked) == 2:  # its process has ended
            lines = []
        return subprocess.CompletedProcess(command, 0, b"\n".join(lines))

    monkeypatch.setattr(subprocess, "run", run)
    found = check.ask(tmp_path, 1)
    assert [found[stem]["cell"] for stem in check.STEMS[:4]] == ["ok", "no end", "error", "ok"]
    assert asked[1] == check.STEMS[2:] and asked[2] == check.STEMS[3:]


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_no_class(folder, monkeypatch, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(sys, "argv", ["check.py", str(tmp_path / folder)])
    with pytest.raises(SystemExit):
        load("check").main()
    assert folder in capsys.readouterr().err
