"""Notebooks of the lessons: all of the lesson and nothing else, and they run."""

import json
import re
import sys

import pytest

import notebooks
from notebooks import DEMOS, LESSONS, notebook


def texts(found, kind):
    return [cell["source"] for cell in found["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("name", LESSONS)
def test_a_notebook_is_its_lesson(name, tmp_path):
    """Each line of code once, each line of prose once, in their order."""
    source = (DEMOS / f"{name}.py").read_text(encoding="utf-8")
    found = notebook(name, tmp_path)
    _, options, *code = texts(found, "code")[:1] * 2 + texts(found, "code")[1:]
    prose, *titles = texts(found, "markdown")
    lesson, rest = source[3:].split('"""\n', 1)
    kept = [line for line in rest.splitlines() if line and not line.startswith("# %% ")]
    assert [line for cell in code for line in cell.splitlines() if line] == kept
    assert titles == [f"## {title}" for title in re.findall(r"^# %% (.*)$", rest, re.MULTILINE)]
    words = prose.removeprefix("# ").replace("\n```\n", "\n")
    assert words.split() == lesson.split()
    assert 'OPTIONS = ""' in options and f'["{name}.py", "--out", "{name}"' in options
    for cell in [options, *code]:
        compile(cell, name, "exec")


def test_options_keep_their_columns(tmp_path):
    prose, *_ = texts(notebook("toy", tmp_path), "markdown")
    (block,) = re.findall(r"\n```\n(.*?)\n```\n", prose, re.DOTALL)
    assert all(line.startswith("  --") for line in block.splitlines()) and "--data grid" in block


def test_what_is_there_is_not_replaced(tmp_path, capsys):
    notebooks.main(["xray", "--out", str(tmp_path)])
    path = tmp_path / "xray.ipynb"
    assert json.loads(path.read_text(encoding="utf-8")) == notebook("xray", tmp_path)
    path.write_text("mine", encoding="utf-8")
    notebooks.main(["xray", "toy", "--out", str(tmp_path)])
    assert path.read_text(encoding="utf-8") == "mine" and (tmp_path / "toy.ipynb").exists()
    assert "is there already" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        notebooks.main(["nobody", "--out", str(tmp_path)])


def test_cells_run_as_plain_python(tmp_path, monkeypatch):
    """One after the other in one namespace (all lessons: `test_cells.py`)."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("argv", []), ("path", sys.path[:]), ("excepthook", sys.excepthook)):
        monkeypatch.setattr(sys, name, value)
    variables = {"__name__": "__main__"}
    for cell in texts(notebook("backprop_by_hand", tmp_path, "--quick"), "code"):
        exec(compile(cell, "a cell", "exec"), variables)
    folder = tmp_path / "backprop_by_hand"
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["finished"]
    assert {path.name for path in folder.glob("*.png")} == {"network.png", "checks.png"}


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_notebooks_run_in_jupyter(name, tmp_path, monkeypatch):
    """In a kernel of its own, with the pictures inline."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    if name == "autograd":
        pytest.importorskip("torch")
    found = nbformat.from_dict(notebook(name, tmp_path, "--quick"))
    nbformat.validate(found)
    monkeypatch.setenv("PYTHONPATH", str(DEMOS.parent))
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(found, timeout=300, kernel_name="python3", resources=place).execute()
    kinds = {
        kind for cell in found.cells for o in cell.get("outputs", ()) for kind in o.get("data", ())
    }
    assert "image/png" in kinds
