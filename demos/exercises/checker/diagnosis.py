"""Which mistake is it? The student's numbers, beside those that each classic mistake would give.

A mistake is named only if it gives the student's numbers to rounding, on inputs of several sizes,
and if no other one does. All else is unknown: a wrong diagnosis would cost more than none.
"""

import re
import traceback
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np

from checker.exercise import Draw, replaced
from minigan.diagnosis.mistakes import causes_of_ratio

__all__ = ["Result", "Row", "close", "examine"]

#: What must be as it was before. This is no guess, so nothing is compared.
FACTS = {
    "x afterwards": "x is written to: make a new array (x * 2, not x *= 2)",
    "v afterwards": "v is written to: make a new array (v * 2, not v *= 2)",
    "dy afterwards": "dy is written to: make a new array (dy * 2, not dy *= 2)",
    "dx, a second time": "a second backward pass gives something else: the cache is written to",
    "parameters' gradients afterwards": "backward changes the gradients of the parameters, which "
    "a player that stands still must keep: leave that to add_gradients",
    "g afterwards": "g is written to: make a new array",
    "gradients of D afterwards": "a gradient flows into D, which stands still in G's step",
    "gradients of G afterwards": "a gradient flows into G, which stands still in D's step",
}


@dataclass
class Row:
    """One array that a piece gives: the student's number and ours at `place`, the worst error.

    wanted: the right shape; where it is another, there is no place.
    """

    name: str
    shape: tuple
    right: bool
    wanted: tuple = ()
    place: tuple | None = None
    yours: float = 0.0
    expected: float = 0.0
    cause: str = ""


@dataclass
class Result:
    """What is to be said about one piece. verdict: "ok", "WRONG", "not solved yet", "first …"."""

    piece: str
    verdict: str
    rows: tuple = ()
    problem: str = ""


def examine(part, its, seed=0):
    """The `Result` for one part: `its`, the student's classes and functions, beside the right."""
    found = on_each_draw(part, its, seed)
    right = of_solution(part, seed)
    runs = list(zip(found, right, Draw.several(seed), strict=True))
    rows = [row_of(name, runs) for name in right[0]]
    rows = without_consequences([row for row in rows if row is not None])
    errors = [f for f in found if isinstance(f, Exception)]
    if all(row.right for row in rows) and not errors:
        return Result(part.piece, "ok", tuple(rows))
    if len(errors) == len(found):
        return Result(part.piece, "WRONG", problem=described(errors[-1], runs[-1], its))
    if all(row.right for row in rows):
        return Result(part.piece, "WRONG", tuple(rows), described(errors[0], runs[-1], its))
    wrong = [row for row in rows if not row.right]
    facts = [row for row in wrong if row.name in FACTS]
    guesses = None if facts else (guesses_of(part, seed), guesses_of_twists(part, seed))
    for row in wrong:
        row.cause = cause_of(row.name, runs, guesses) if guesses else FACTS.get(row.name, "")
    return Result(part.piece, "WRONG", tuple(rows))


def without_consequences(rows):
    """The rows but for "dx, a second time" and the like where dx is wrong the first time."""
    wrong = {row.name for row in rows if not row.right}
    return [row for row in rows if row.name.split(",")[0] not in wrong - {row.name}]


@cache
def of_solution(part, seed):
    return on_each_draw(part, part.exercise.right, seed)


def on_each_draw(part, its, seed, twist=None):
    """For each draw, name -> array as part.observe gives it, or the exception that was raised."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [observed(part, its, draw, twist) for draw in Draw.several(seed)]


def observed(part, its, draw, twist):
    try:
        seen = part.observe(its, draw, twist)
        return {name: as_array(value, name) for name, value in seen.items()}
    except Exception as error:
        return error


def as_array(value, name):
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: expected numbers, got {value!r}")
    return array


def row_of(name, runs):
    """The row of an array: from the first run where it is wrong, or else from the first of all."""
    rows = []
    for found, right, _ in runs:
        if isinstance(found, Exception):
            continue
        mine, ours = found[name], right[name]
        if close(mine, ours):
            rows.append(Row(name, mine.shape, True, ours.shape))
        elif mine.shape != ours.shape:
            return Row(name, mine.shape, False, ours.shape)
        else:
            with np.errstate(all="ignore"):
                errors = np.nan_to_num(abs(mine - ours), nan=np.inf)
            place = np.unravel_index(np.argmax(errors), mine.shape)
            place = tuple(map(int, place))
            numbers = float(mine[place]), float(ours[place])
            return Row(name, mine.shape, False, ours.shape, place, *numbers)
    return rows[0] if rows else None


def close(a, b, tolerance=1e-9):
    """Whether two arrays are the same but for rounding; NaN and ∞ must be in the same places."""
    if a.shape != b.shape:
        return False
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    scale = abs(b[finite]).max(initial=0.0)
    with np.errstate(all="ignore"):
        return bool((abs(a[finite] - b[finite]) <= tolerance * scale).all())


# Which mistake? --------------------------------------------------------------------------------


@cache
def guesses_of(part, seed):
    """sentence -> lists of what was observed on each draw, for the mistakes of this part."""
    guesses = {}
    for function, sentence in part.mistakes.items():
        its = replaced(part.exercise.right, part.piece, function)
        guesses.setdefault(sentence, []).append(on_each_draw(part, its, seed))
    return guesses


@cache
def guesses_of_twists(part, seed):
    """The same for what any layer may do wrong."""
    its = part.exercise.right
    return {text: [on_each_draw(part, its, seed, twist)] for twist, text in part.twists.items()}


def cause_of(name, runs, guessed):
    """The only mistake that explains this array; "" if there is none, or more than one.

    First the mistakes of this exercise, which say most; then what any layer may do wrong; then what
    the numbers tell by themselves.
    """
    for guesses in guessed:
        fitting = [
            sentence
            for sentence, observed in guesses.items()
            if any(fits(name, runs, one) for one in observed)
        ]
        if fitting:
            return fitting[0] if len(fitting) == 1 else ""
    fitting = by_itself(name, runs)
    return next(iter(fitting.values())) if len(fitting) == 1 else ""


def fits(name, runs, predicted):
    """Whether these predictions are what was found, on every draw, and on two draws by number.

    Where a wrong shape was to be added to a gradient, NumPy has raised an error.
    """
    compared = 0
    for (found, right, _), guess in zip(runs, predicted, strict=True):
        if isinstance(guess, Exception) or isinstance(found, Exception):
            raises = isinstance(guess, Exception) or guess[name].shape != right[name].shape
            if not (raises and isinstance(found, Exception)):
                return False
        elif close(found[name], guess[name]):
            compared += 1
        else:
            return False
    return compared >= 2


def by_itself(name, runs):
    """kind -> sentence: the causes that explain the numbers of every draw."""
    each = []
    for found, right, draw in runs:
        if not isinstance(found, Exception):
            each.append(relations(found[name], right[name], draw.batch))
        elif right[name].ndim == 2 and right[name].shape[0] != right[name].shape[1]:
            each.append({"transposed": ""})  # this shape would not fit
    kinds = set.intersection(*map(set, each))
    return {kind: each[0][kind] for kind in kinds} if len(each) >= 2 else {}


def relations(mine, ours, batch):
    """kind -> sentence, for what an array has to do with the right one."""
    causes = {}
    if ours.ndim == 2 and close(mine.T, ours):
        causes["transposed"] = "it is transposed"
    if mine.shape == (batch, *ours.shape) and close(mine.sum(axis=0), ours):
        causes["unsummed"] = UNSUMMED
    if mine.shape != ours.shape or not np.isfinite(mine).all():
        return causes
    single = mine.astype(np.float32)
    if (single == mine).all() and close(mine, ours, 1e-5) and (single != ours).any():
        return {"float32": "it is rounded to float32 in between"}
    size = (ours * ours).sum()
    ratio = (mine * ours).sum() / size if size else 0.0
    if size and close(mine, ratio * ours):
        causes |= causes_of_ratio(ratio, batch, known=ours.size == 1)
    return causes


UNSUMMED = "it is not summed over the batch: every sample has its share"
AXES_LEFT = "it still has axes that must be summed over"


def described(error, one_run, its):
    """An exception of the student's code: what, where, and what its shapes tell."""
    _, right, draw = one_run
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == getattr(its, "__file__", None)]
    said = f"{type(error).__name__}: {error}"
    if own:
        said += f"\n  line {own[-1].lineno}: {own[-1].line}"
    broadcast = re.search(r"broadcast shape \(([\d, ]+)\)|got \(([\d, ]+)\)", str(error))
    if broadcast:
        shape = tuple(map(int, (broadcast[1] or broadcast[2]).rstrip(", ").split(",")))
        wanted = {array.shape for array in right.values() if array.ndim}
        if any(shape == (draw.batch, *one) for one in wanted):
            said += f"\n  {UNSUMMED}"
        elif any(len(one) < len(shape) and shape[-len(one) :] == one for one in wanted):
            said += f"\n  {AXES_LEFT}"
    return said
