"""Check the exercises of a class: a table with a line for each student.

    python demos/exercises/check.py FOLDER [--csv FILE]

FOLDER holds a folder for each student, and that, anywhere inside, the files that were handed in,
under their names (07_batch_norm.py). Files that are missing count as untouched. Below the table:
which mistakes were found, and how often. This runs the students' programs, each student's in a
process of its own; their files are checked by the checker beside this file, whatever they brought.
"""

import argparse
import contextlib
import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from checker.exercise import FOLDER, answers
from checker.program import results
from minigan.tables import align
from support.options import show_what_can_be

STEMS = sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="with a folder for each student")
    parser.add_argument("--csv", type=Path, help="write the table to this file, too")
    parser.add_argument("--seconds", type=float, default=60, help="after which a student's program "
                        "is stopped (default: 60)")  # fmt: skip
    parser.add_argument("--student", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.student:
        return print_student(options.folder, options.student)
    show_what_can_be()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    students = sorted(path for path in options.folder.iterdir() if path.is_dir())
    if not students:
        parser.error(f"{options.folder} holds no folder of a student")
    found = {student.name: ask(student, options.seconds) for student in students}
    table = [("student", *(stem[:2] for stem in STEMS), "solved")]
    table += [row(name, of_student) for name, of_student in found.items()]
    print("\n".join(align(table, (0,))))
    print("\n".join(mistakes(found)))
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(table)


def row(name, of_student):
    """A student's line: "ok", how many pieces are right, "–" for none begun, or what happened."""
    cells = [of_student[stem]["cell"] for stem in STEMS]
    return name, *cells, str(cells.count("ok"))


def mistakes(found):
    """Lines on the mistakes of all students, the most frequent first."""
    each = [said for of_student in found.values() for one in of_student.values()
            for said in set(one.get("causes", ()))]  # fmt: skip
    for sentence, count in Counter(each).most_common():
        yield f"{count:4}  {sentence}"


def ask(student, seconds):
    """exercise -> what a process says of a student's files. Where it hangs, a new one goes on."""
    found, left = {}, list(STEMS)
    while left:
        command = [sys.executable, __file__, "--student", *left, "--", str(student)]
        quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            said = subprocess.run(command, timeout=seconds, stdout=subprocess.PIPE, **quiet).stdout
            stopped = "error"
        except subprocess.TimeoutExpired as expired:
            said, stopped = expired.stdout or b"", "no end"
        found |= {one["stem"]: one for one in map(json.loads, said.decode().splitlines())}
        left = [stem for stem in left if stem not in found]
        if left:
            found[left.pop(0)] = {"cell": stopped}
    return found


def print_student(folder, stems):
    """A line of JSON for each of these exercises of one student."""
    for stem in stems:
        paths = sorted(folder.rglob(f"{stem}.py"))
        with contextlib.redirect_stdout(sys.stderr):  # what the student's program prints
            one = judged(stem, paths[0]) if paths else {"cell": "–"}
        print(json.dumps({"stem": stem, **one}), flush=True)


def judged(stem, path):
    try:
        found = results(path)
    except (Exception, SystemExit):  # such as a SyntaxError
        return {"cell": "error"}
    right = sum(result.verdict == "ok" for result in found)
    blank = all(result.verdict == "not solved yet" for result in found)
    cell = "ok" if right == len(found) else "–" if blank else f"{right}/{len(answers(stem).parts)}"
    causes = [f"{stem[:2]} {result.piece}: {row.cause}" for result in found for row in result.rows
              if row.cause]  # fmt: skip
    return {"cell": cell, "causes": causes}


if __name__ == "__main__":
    main()
