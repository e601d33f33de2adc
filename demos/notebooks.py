"""Lessons as Jupyter notebooks: prose as text, options in a cell, pictures below what draws them.

    python demos/notebooks.py toy xray       # writes out/toy.ipynb and out/xray.ipynb
    python demos/notebooks.py                # all lessons
    jupyter lab out                         # after: pip install jupyterlab

A notebook is made from the lesson's file, which stays the one source. A notebook that is there
already is not replaced, as it may hold work of yours.
"""

import argparse
import ast
import json
import os
import re
from pathlib import Path

from minigan.files import replacing

__all__ = ["LESSONS", "cells", "notebook"]

DEMOS = Path(__file__).resolve().parent
TOOLS = {"annotated", "lab", "notebooks", "pictures", "reference", "results"}  # draw no picture
LESSONS = sorted({path.stem for path in DEMOS.glob("*.py")} - TOOLS)

OPTIONS = """\
import sys

OPTIONS = "{options}"  # as on the command line, such as "--quick --seed 1"; "--help" lists them

sys.path.insert(0, "{demos}")
sys.argv = ["{name}.py", "--out", "{name}", *OPTIONS.split()]
from support.inline import show_pictures

show_pictures("{name}")
"""


def cells(source):
    """The cells of a lesson, ("markdown" or "code", text): its prose, its titles, its code."""
    lesson = ast.parse(source)
    yield "markdown", markdown(ast.get_docstring(lesson))
    code = "".join(source.splitlines(keepends=True)[lesson.body[0].end_lineno :])
    first, *parts = re.split(r"^# %% (.*)\n", code, flags=re.MULTILINE)
    yield "code", first
    for title, part in zip(parts[::2], parts[1::2], strict=True):
        yield "markdown", f"## {title}"
        yield "code", part


def markdown(lesson):
    """A docstring as Markdown: a title, paragraphs and lists, and options in a fixed width."""
    title, _, rest = lesson.partition("\n")
    options = re.compile(r"(?:^  +(?:--|python ).*\n(?:^ {8,}.*\n)*)+", re.MULTILINE)
    return f"# {title}\n" + options.sub(r"\n```\n\g<0>```\n", rest + "\n")


def notebook(name, folder, options=""):
    """The notebook of a lesson for a file in `folder`, as data of Jupyter's format 4.5."""
    lesson, *rest = cells((DEMOS / f"{name}.py").read_text(encoding="utf-8"))
    demos = Path(os.path.relpath(DEMOS, Path(folder).resolve())).as_posix()
    first = "code", OPTIONS.format(name=name, demos=demos, options=options)
    found = []
    for kind, text in (lesson, first, *rest):
        cell = {"cell_type": kind, "id": f"cell-{len(found)}", "metadata": {}}
        cell["source"] = text.strip("\n")
        found.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": found}


def main(argv=None):
    """Write the notebooks that are asked for."""
    parser = argparse.ArgumentParser(
        "notebooks.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lessons", nargs="*", choices=[*LESSONS, []], metavar="lesson")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to (out)")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.lessons or LESSONS:
        path = options.out / f"{name}.ipynb"
        if path.exists():
            print(f"{path} is there already: it stays as it is. Remove it for a new one.")
            continue
        with replacing(path) as temporary:
            text = json.dumps(notebook(name, options.out), indent=1, ensure_ascii=False)
            Path(temporary).write_text(text + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
