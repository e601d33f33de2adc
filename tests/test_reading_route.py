"""What README.md and `python -m minigan` point at is there: files, functions, lines of code."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigan
from minigan import __version__
from minigan.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
ROW = re.compile(r"^\| *(\d*) *\| (.+?) \| `(.+)` \| \[`([\w.]+)`\]\(([\w/.]+)\)", re.MULTILINE)
CONFUSIONS = ROW.findall((ROOT / "README.md").read_text())
DEMOS = sorted((ROOT / "demos").glob("*.py"))


def definition(path, name):
    """The source of the function or class of that dotted name."""
    source = path.read_text()
    scope = ast.parse(source)
    for part in name.split("."):
        kinds = ast.FunctionDef | ast.ClassDef
        found = [n for n in scope.body if isinstance(n, kinds) and n.name == part]
        assert found, f"{path.name} has no {name}"
        scope = found[0]
    return ast.get_source_segment(source, scope)


def test_all_ten_confusions_are_answered():
    assert [number for number, *_ in CONFUSIONS if number] == [str(k) for k in range(1, 11)]
    assert sum("Backprop:" in question for _, question, *_ in CONFUSIONS) == 4


@pytest.mark.parametrize("row", CONFUSIONS, ids=[row[1] for row in CONFUSIONS])
def test_the_line_that_answers_is_where_it_is_said_to_be(row):
    _, _, line, name, file = row
    lines = [text.strip() for text in definition(ROOT / file, name).splitlines()]
    assert line in lines


def test_functions_named_beside_a_file_exist():
    """Rows such as `[`minigan/gan.py`](minigan/gan.py): `GAN.generator_gradients`."""
    named = 0
    for line in (ROOT / "README.md").read_text().splitlines():
        for file, names in re.findall(r"\]\(([\w/]+\.py)\): ((?:`[\w.]+`(?:, )?)+)", line):
            for name in re.findall(r"`([\w.]+)`", names):
                definition(ROOT / file, name)
                named += 1
    assert named >= 6


PAGES = ["README.md", "tests/benchmarks/README.md"]
PAGES += [f"demos/{page.name}" for page in sorted((ROOT / "demos").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    here = (ROOT / page).parent
    links = [link for _, link in LINK.findall((ROOT / page).read_text()) if "://" not in link]
    missing = [link for link in links if not (here / link.split("#")[0]).exists()]
    assert not missing


@pytest.mark.parametrize("demo", DEMOS, ids=lambda path: path.stem)
def test_every_demo_is_part_of_the_course(demo):
    assert demo.name in (ROOT / "demos" / "README.md").read_text()


def test_every_picture_is_shown_and_small():
    pages = [(ROOT / page).read_text() for page in ("README.md", "demos/README.md")]
    for picture in (ROOT / "demos" / "pictures").iterdir():
        assert any(f"pictures/{picture.name}" in page for page in pages), picture.name
        assert picture.stat().st_size < 200_000, picture.name


def test_the_package_says_where_to_begin():
    """As a program: files and demos that it names are there, and so is what it imports."""
    command = [sys.executable, "-m", "minigan"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr == "" and __version__ in done.stdout
    paths = re.findall(r"[\w/]+\.(?:py|md)\b", done.stdout)
    assert len(paths) >= 10
    folders = [ROOT, ROOT / "minigan" / "layers"]  # "then convolution.py", beside dense.py
    assert not [path for path in paths if not any((folder / path).exists() for folder in folders)]
    names = re.search(r"from minigan import (.*)", done.stdout)[1].split(", ")
    assert set(names) <= set(minigan.__all__)


def test_where_to_begin_can_be_asked_from_python_too(capsys):
    main()
    assert capsys.readouterr().out.startswith(f"minigan {__version__}: ")


# --- From paper to line: demos/PAPERS.md ---------------------------------------------------------

PAPERS = re.findall(
    r"^\| (.+?) \| `(.+?)` \| \[`([\w.]+)`\]\(([\w/.]+)\)(.*) \|$",
    (ROOT / "demos" / "PAPERS.md").read_text(),
    re.MULTILINE,
)


def test_the_algorithms_are_all_there():
    text = (ROOT / "demos" / "PAPERS.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(PAPERS) == len(rows) - text.count("| in the paper | is | in |") > 50


@pytest.mark.parametrize("row", PAPERS, ids=[f"{row[2]}: {row[0]}"[:60] for row in PAPERS])
def test_the_line_of_the_paper_is_there(row):
    _, line, name, file, _ = row
    path = ROOT / "demos" / file
    source = path.read_text() if name == path.name else definition(path, name)
    assert line in [text.strip() for text in source.splitlines()]
