"""The command line of an exercise: check, --hint, --solution."""

import argparse
import inspect
import textwrap
from pathlib import Path

from checker.diagnosis import Result, examine
from checker.exercise import FOLDER, answers, open_file, unsolved
from minigan.tables import align
from support.options import show_what_can_be

__all__ = ["check", "results"]


def check(path):
    """Do what the command line asks of this exercise's file; exit with 1 if it is not solved."""
    path = Path(path)
    exercise = answers(path.stem)
    parser = argparse.ArgumentParser(prog=path.name, description="Checks what you have written.")
    asks = parser.add_mutually_exclusive_group()
    level = {"type": int, "choices": (1, 2, 3), "nargs": "?", "const": 1, "metavar": "LEVEL"}
    asks.add_argument("--hint", help="1 (a question), 2 (an idea), 3 (nearly the line)", **level)
    asks.add_argument("--solution", action="store_true", help="the library's own lines")
    options = parser.parse_args()
    show_what_can_be()
    if options.hint:
        print(textwrap.fill(exercise.hints[options.hint - 1], 90))
    elif options.solution:
        print("\n\n".join(dict.fromkeys(map(source_of, shown(exercise)))))
    else:
        found = results(path)
        print(report(found))
        raise SystemExit(0 if all(result.verdict == "ok" for result in found) else 1)


def results(path):
    """The `Result` of each piece in an exercise's file, in order: values first, then gradients."""
    path = Path(path)
    exercise, blank = answers(path.stem), unsolved(path.read_text(encoding="utf-8"))
    module, verdicts = open_file(path), {}
    for part in exercise.parts:
        missing = [piece for piece in part.needs if verdicts[piece].verdict != "ok"]
        if part.piece in blank:
            result = Result(part.piece, "not solved yet")
        elif missing:
            result = Result(part.piece, f"first {missing[0]}")
        else:
            result = examine(part, module)
        verdicts[part.piece] = result
    return list(verdicts.values())


# What is printed -------------------------------------------------------------------------------


def report(found):
    """The table, and below it what is wrong."""
    head = ("piece", "gives", "shape", "worst at", "yours", "expected", "")
    table = align([head, *(cells for result in found for cells in lines_of(result))], (0, 1))
    said = [sentence for result in found for sentence in sentences(result)]
    return "\n".join([*(line.rstrip() for line in table), "", *dict.fromkeys(said), end(found)])


def lines_of(result):
    """The table's lines for one piece; "dx, a second time" and the like where they are wrong."""
    if not result.rows:
        return [(result.piece, "", "", "", "", "", result.verdict)]
    shown = [row for row in result.rows if row.name.isidentifier() or not row.right]
    return [
        (
            result.piece if k == 0 else "",
            row.name,
            str(row.shape),
            str(list(row.place)) if row.place else "",
            "" if row.place is None else f"{row.yours:+.6g}",
            "" if row.place is None else f"{row.expected:+.6g}",
            "ok" if row.right else "WRONG",
        )
        for k, row in enumerate(shown)
    ]


def sentences(result):
    """What there is to say about one piece that is wrong."""
    if result.problem:
        yield f"{result.piece}: {result.problem}"
    wrong = [row for row in result.rows if not row.right]
    for cause in dict.fromkeys(row.cause for row in wrong if row.cause):
        names = ", ".join(row.name for row in wrong if row.cause == cause)
        yield f"{result.piece}, {names}: {cause}" + ("" if cause[-1] in ".?)" else ".")
    if wrong and not any(row.cause for row in wrong):
        row = wrong[0]
        where = f"Look at entry {list(row.place)}." if row.place else ""
        if row.shape != row.wanted:
            where = f"Expected the shape {row.wanted}, got {row.shape}."
        yield f"{result.piece}, {row.name}: not one of the classic mistakes. {where}"


def end(found):
    """The last line: how many pieces are right."""
    right = sum(result.verdict == "ok" for result in found)
    if right == len(found):
        return "Solved: every number agrees."
    blank = sum(result.verdict == "not solved yet" for result in found)
    if blank == len(found):
        return "Not solved yet: write something for each `...`, and run this again (or --hint)."
    return f"{right} of {len(found)} pieces are right."


# The library's own lines -----------------------------------------------------------------------


def shown(exercise):
    """The functions that are the solution, each once."""
    return [function for part in exercise.parts for function in part.shown]


def source_of(function):
    """The source of a function of the library, below its place."""
    lines, number = inspect.getsourcelines(function)
    path = Path(inspect.getsourcefile(function)).resolve()
    root = FOLDER.parents[1]
    place = path.relative_to(root) if path.is_relative_to(root) else path
    return f"{place}, line {number}:\n\n{''.join(lines).rstrip()}"
