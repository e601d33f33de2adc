"""What README.md, the other pages and `python -m minigan` say is there: files, functions, code."""

import ast
import html
import inspect
import re
import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import matplotlib.pyplot
import pytest
from threadpoolctl import threadpool_limits

import minigan
import minigan.metrics
from minigan import __version__
from minigan.__main__ import main
from minigan.regularizers import Regularizer

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
FOLDERS = ("minigan", "demos", "tests")
PAGES = [ROOT / "README.md", *(page for x in FOLDERS for page in (ROOT / x).rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
DEMOS = sorted((ROOT / "demos").glob("*.py"))


def definition(path, name):
    """The source of the function or class of that dotted name."""
    source = path.read_text(encoding="utf-8")
    scope = ast.parse(source)
    for part in name.split("."):
        kinds = ast.FunctionDef | ast.ClassDef
        found = [n for n in scope.body if isinstance(n, kinds) and n.name == part]
        assert found, f"{path.name} has no {name}"
        scope = found[0]
    return ast.get_source_segment(source, scope)


def test_functions_named_beside_a_file_exist():
    """Rows such as `[`gan.py`](gan.py): `GAN.generator_gradients`."""
    named = 0
    for line in (ROOT / "minigan" / "README.md").read_text(encoding="utf-8").splitlines():
        for file, names in re.findall(r"\]\(([\w/]+\.py)\): ((?:`[\w.]+`(?:, )?)+)", line):
            for name in re.findall(r"`([\w.]+)`", names):
                definition(ROOT / "minigan" / file, name)
                named += 1
    assert named >= 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = [link for _, link in LINK.findall(text) if "://" not in link]
    assert not [link for link in links if not (page.parent / link.split("#")[0]).exists()]


def test_every_page_can_be_reached_from_the_readme():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        page = new.pop()
        reached.add(page)
        links = [link.split("#")[0] for _, link in LINK.findall(page.read_text(encoding="utf-8"))]
        there = {(page.parent / link).resolve() for link in links if link[-3:] == ".md"}
        new |= {page for page in there if page.exists()} - reached
    assert reached >= set(PAGES)


def test_files_that_are_named_as_a_path_exist():
    """Such as `demos/annotated.py`, in the text and in commands."""
    for page in PAGES:
        for path in re.findall(r"\b(?:demos|minigan|tests)/[\w/]+\.py\b", page.read_text("utf-8")):
            assert (ROOT / path).exists(), (page.name, path)


def test_the_readme_is_short_and_begins_with_what_a_gan_is():
    begin = README.split("![")[0]
    assert "A generative adversarial network (GAN) is a game of two neural networks" in begin
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert len(prose.split()) < 900


def test_one_step_in_the_readme_is_the_one_of_the_demo():
    page = textwrap.dedent(
        (ROOT / "demos" / "minimal_gan.py").read_text(encoding="utf-8").replace("\n    ", "\n")
    )
    assert CODE[0] in page and CODE[0].count("\n") >= 16


def readme_example(tmp_path, monkeypatch, steps):
    """What a reader gets who copies it: the names at its end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    scope = {}
    with threadpool_limits(1):
        exec(CODE[1].replace("STEPS = 3000", f"STEPS = {steps}"), scope)
        exec(CODE[2], scope)
    assert (tmp_path / "out" / "ring.png").stat().st_size > 10_000
    matplotlib.pyplot.close("all")
    return scope


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    scope = readme_example(tmp_path, monkeypatch, 500)
    assert scope["samples"].shape == (2500, 2)
    told = capsys.readouterr().out
    assert "step=500" in told and "every gradient agrees" in told


@pytest.mark.slow
def test_the_example_ends_well(tmp_path, monkeypatch):
    """As the README says, with room for another machine's rounding."""
    scope = readme_example(tmp_path, monkeypatch, 3000)
    found = scope["mode_coverage"](scope["samples"], scope["ring"].means, scope["ring"].sigma)
    assert found.modes == 8 and found.high_quality > 0.8, found


@pytest.mark.parametrize("demo", DEMOS, ids=lambda path: path.stem)
def test_every_demo_is_part_of_the_course(demo):
    assert demo.name in (ROOT / "demos" / "README.md").read_text(encoding="utf-8")


def test_every_picture_is_shown_and_small():
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
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
    main([])
    assert capsys.readouterr().out.startswith(f"minigan {__version__}: ")


def test_the_version_can_be_asked_for(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--version"])
    assert exit.value.code == 0 and capsys.readouterr().out == f"minigan {__version__}\n"
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{__version__}"' in pyproject
    assert f"**{__version__}**" in (ROOT / "README.md").read_text(encoding="utf-8")


# --- From paper to line: demos/PAPERS.md ---------------------------------------------------------

PAPERS = re.findall(
    r"^\| (.+?) \| `(.+?)` \| \[`([\w.]+)`\]\(([\w/.]+)\)(.*) \|$",
    (ROOT / "demos" / "PAPERS.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_the_algorithms_are_all_there():
    text = (ROOT / "demos" / "PAPERS.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(PAPERS) == len(rows) - text.count("| in the paper | is | in |") > 50


@pytest.mark.parametrize("row", PAPERS, ids=[f"{row[2]}: {row[0]}"[:60] for row in PAPERS])
def test_the_line_of_the_paper_is_there(row):
    _, line, name, file, _ = row
    path = ROOT / "demos" / file
    source = path.read_text(encoding="utf-8") if name == path.name else definition(path, name)
    assert line in [text.strip() for text in source.splitlines()]


# --- By symptom: demos/TROUBLE.md ----------------------------------------------------------------

TROUBLE = (ROOT / "demos" / "TROUBLE.md").read_text(encoding="utf-8")
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
        (ROOT / "minigan" / file).read_text(encoding="utf-8")
        for file in ("finite.py", "diagnosis/health.py")
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


# --- The glossary, and what demos/reference.py makes ---------------------------------------------


def test_the_names_of_the_glossary_are_there():
    rows = re.findall(
        r"^\| (`.+?) \|", (ROOT / "demos" / "GLOSSARY.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    named = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    assert len(named) > 35
    game = inspect.signature(minigan.GAN).parameters
    for name in named:
        kind, _, attribute = name.partition(".")
        found = getattr(minigan, kind, getattr(minigan.metrics, kind, None))
        assert found is not None or kind in game, name
        if name in ("Sequential.parameters", "Sequential.buffers"):  # made when it is built
            continue
        assert not attribute or hasattr(found, attribute), name


@pytest.fixture(scope="module")
def reference():
    return runpy.run_path(str(ROOT / "demos" / "reference.py"))


def test_every_layer_and_objective_is_on_the_page_of_formulas(reference):
    page = html.unescape(reference["formulas"]())
    titles = re.findall(r"<h3>([\w-]+)</h3>", page)
    named = [getattr(minigan, name) for name in minigan.__all__]
    kinds = [kind for kind in named if inspect.isclass(kind)]
    layers = {kind.__name__ for kind in kinds if issubclass(kind, minigan.Layer)} - {"Layer"}
    penalties = {kind.__name__ for kind in kinds if issubclass(kind, Regularizer)}
    assert layers | penalties | set(minigan.OBJECTIVES) <= set(titles)
    assert "dW += xᵀ dy           summed over the batch by the product itself" in page
    assert "u_x = P(v) − φ x̂ / (M σ)" in page and "Second order: none, by design." in page
    dense = page[page.index("<h3>Dense</h3>") :]
    assert "self.dweight += u.T.dot(dy)\nreturn u.dot(self.weight), None" in dense[:1000]


@pytest.mark.slow
def test_the_reference_is_made_without_a_warning(reference, tmp_path):
    pytest.importorskip("pdoc", reason="pdoc, of the extra [docs], is not installed")
    reference["api"](tmp_path)
    for name in reference["module_names"]():
        assert (tmp_path / (name.replace(".", "/") + ".html")).exists()
    page = html.unescape(
        (tmp_path / "minigan" / "layers" / "dense.html").read_text(encoding="utf-8")
    )
    assert "dW += xᵀ dy           summed over the batch by the product itself" in page
    convolution = (tmp_path / "minigan" / "layers" / "convolution.html").read_text(encoding="utf-8")
    assert "(Dumoulin &amp; Visin, relationship 6.)" in convolution


def test_spaces_and_brackets_of_a_docstring_survive(reference):
    text = "dx  = a < b      (N, *shape)\n    `Dense` and __all__"
    expected = "dx  = a &lt; b      (N, *shape)\n    <code>Dense</code> and __all__"
    assert reference["plain"](text) == expected
