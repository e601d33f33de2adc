"""The page "write your own", and five parts that a student wrote from the page alone."""

import ast
import copy
import runpy
from pathlib import Path

import numpy as np
import pytest

import minigan
from minigan import (
    GAN,
    Adam,
    Dense,
    NormalLatent,
    Residual,
    Sequential,
    gradcheck,
    load_checkpoint,
    save_checkpoint,
    train,
)
from minigan.data import Batches

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "demos" / "write_your_own.py"
STUDENTS = HERE / "students_parts.py"
parts = runpy.run_path(str(STUDENTS))
LAYERS = {
    "GELU": lambda: parts["GELU"](),
    "Maxout": lambda: parts["Maxout"](3),
    "residual block": lambda: parts["ResidualBlock"](6),
    "in the library's own": lambda: Residual([Dense(6, 6), parts["GELU"]()]),
}


def test_the_page(run_demo, tmp_path, metrics, capsys):
    page = run_demo("write_your_own", "--quick", "--steps", 5, "--out", tmp_path)
    assert metrics(tmp_path)["verdict"] == "ok" and page["gan"].steps == 5
    assert (tmp_path / "picture.png").stat().st_size > 5000
    printed = capsys.readouterr().out
    assert printed.count(": ok\n") == 3 and "WRONG" not in printed
    lesson = ast.get_docstring(ast.parse(PAGE.read_text(encoding="utf-8")))
    for said in ("What to look at", "What to try next", "Files: ", "float(np.sqrt(2))"):
        assert said in lesson


def test_nothing_is_used_that_the_page_does_not_name():
    """Public names alone, and of the bases, no method or attribute that is not on the page."""
    page, tree = PAGE.read_text(encoding="utf-8"), ast.parse(STUDENTS.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module == "minigan"
            assert {alias.name for alias in node.names} <= set(minigan.__all__)
            assert all(alias.name in page for alias in node.names)
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_") or node.attr == "__init__"
        if isinstance(node, ast.FunctionDef) and node.name != "log_cosh":  # its own
            assert node.name in page, node.name


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    report = gradcheck(LAYERS[name](), np.random.default_rng(0).normal(size=(5, 6)))
    assert report.passed, str(report)


def test_objective():
    report = gradcheck(parts["LogCosh"](), *np.random.default_rng(0).normal(size=(2, 5, 1)))
    assert report.passed, str(report)


def game(seed=0, backend="numpy"):
    GELU, Maxout, Block = (parts[name] for name in ("GELU", "Maxout", "ResidualBlock"))
    layers_of_G = [Dense(2, 16), GELU(), Block(16), Block(16), Dense(16, 2)]
    layers_of_D = [Dense(2, 32), Maxout(2), Residual([Dense(16, 16), GELU()]), Dense(16, 1)]
    G, D = (
        Sequential(layers, (2,), rng=seed, backend=backend) for layers in (layers_of_G, layers_of_D)
    )
    optimizers = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
    return GAN(G, D, parts["LogCosh"](backend), latent=NormalLatent(2), rng=seed, **optimizers)


def test_all_in_one_game(tmp_path):
    """Checked, trained, copied, saved and resumed, with the same bits, as any other game."""
    gan, batches = game(), Batches(parts["Smile"](), 64, 0)
    report = gradcheck(gan, parts["Smile"]().sample(6, 0), max_entries=4)
    assert report.passed, str(report)
    before = gan.generator.parameters.copy()
    for _ in train(gan, batches, 20):
        pass
    assert (gan.generator.parameters != before).mean() > 0.9
    save_checkpoint(tmp_path / "game.npz", gan, batches)
    other, again = game(seed=9), Batches(parts["Smile"](), 64, 9)
    load_checkpoint(tmp_path / "game.npz", other, again)
    twin = copy.deepcopy(gan.generator)
    for one, more in ((gan, batches), (other, again)):
        for _ in train(one, more, 5):
            pass
    np.testing.assert_array_equal(gan.generator.parameters, other.generator.parameters)
    assert (twin.parameters != gan.generator.parameters).any()


@pytest.mark.usefixtures("without_pictures")
def test_the_data_in_a_lesson(run_demo, tmp_path, metrics, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    options = ["--data", "students_parts:Smile", "--out", tmp_path]
    demo = run_demo("toy", "--quick", "--steps", 2, *options)
    assert demo["data"].name == "smile" and metrics(tmp_path)["finished"]


@pytest.mark.slow
def test_the_students_game_learns_its_data():
    """The mean distance of a sample to the nearest real point: 0.01 for real ones."""
    from scipy.spatial import cKDTree

    smile, gan = parts["Smile"](), game()
    real = cKDTree(smile.sample(4000, 1))
    start = real.query(gan.sample(500, 2))[0].mean()
    for _ in train(gan, Batches(smile, 128, 0), 3000):
        pass
    assert real.query(gan.sample(500, 2))[0].mean() < min(0.1, start / 3)
