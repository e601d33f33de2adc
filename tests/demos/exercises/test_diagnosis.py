"""The checker names the right mistake, and never a wrong one."""

from pathlib import Path

import pytest

from checker.diagnosis import examine
from checker.exercise import answers, replaced

FILES = sorted((Path(__file__).parents[3] / "demos" / "exercises").glob("[0-9]*.py"))
PARTS = [(file.stem, part) for file in FILES for part in answers(file.stem).parts]
PLANTED = [
    pytest.param(part, wrong, sentence, id=f"{stem}-{part.piece}-{wrong.__name__}")
    for stem, part in PARTS
    for wrong, sentence in part.mistakes.items()
]


def causes(part, function, seed=0):
    """What the checker says of a student whose piece is this function: a set of sentences."""
    found = examine(part, replaced(part.exercise.right, part.piece, function), seed)
    assert found.verdict == "WRONG"
    return {row.cause for row in found.rows if not row.right}


@pytest.mark.parametrize(("part", "wrong", "sentence"), PLANTED)
def test_each_classic_mistake_is_named(part, wrong, sentence):
    assert causes(part, wrong, seed=1) == {sentence}


@pytest.mark.parametrize("part", [pytest.param(p, id=f"{s}-{p.piece}") for s, p in PARTS])
def test_the_solution_is_right(part):
    assert examine(part, part.exercise.right).verdict == "ok"
