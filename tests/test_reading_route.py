"""What README.md and `python -m minigan` point at is there: files, functions, lines of code."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigan
import minigan.metrics
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


# --- By symptom: demos/TROUBLE.md ----------------------------------------------------------------

TROUBLE = (ROOT / "demos" / "TROUBLE.md").read_text()
ENTRIES = re.findall(r"^## (.+)$", TROUBLE, re.MULTILINE)


def test_every_symptom_has_an_entry_and_every_entry_causes():
    table = re.findall(r"^\| .+ \| \[(.+)\]\(#(.+)\) \|$", TROUBLE, re.MULTILINE)
    assert [name for name, _ in table] == ENTRIES and len(ENTRIES) == 8
    for name, anchor in table:
        assert anchor == re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-")
    for text in TROUBLE.split("\n## ")[1:]:
        causes = re.findall(r"^(\d)\. ", text, re.MULTILINE)
        assert causes == [str(k) for k in range(1, len(causes) + 1)] and len(causes) >= 2
        assert "*Tell:*" in text and "*Do:*" in text, text[:40]
    assert TROUBLE.count("*Lesson") >= len(ENTRIES)


def test_messages_name_entries_of_the_page():
    sources = [
        (ROOT / "minigan" / file).read_text() for file in ("finite.py", "diagnosis/health.py")
    ]
    named = [n for source in sources for n in re.findall(r"\{entry\('(.+?)'\)\}", source)]
    assert len(named) == 4 and set(named) <= set(ENTRIES)
    message = str(minigan.TrainingDiverged(3, "generator", "the loss"))
    assert message.endswith('the loss is not finite (what to do: demos/TROUBLE.md, "NaN")')


def test_what_the_page_of_symptoms_names_is_there():
    for name in re.findall(r"`(\w+)\(", TROUBLE):
        known = hasattr(minigan, name) or hasattr(minigan.metrics, name)
        assert known or name in ("G", "schedule"), name
    for name in re.findall(r"`gan\.(\w+)", TROUBLE):
        assert name in ("steps", "generator", "objective", "generator_optimizer") or hasattr(
            minigan.GAN, name
        ), name
    for name in re.findall(r'`"([\w-]+)"`', TROUBLE):
        assert name in minigan.OBJECTIVES
