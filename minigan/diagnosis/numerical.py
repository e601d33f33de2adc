"""Numerical gradients: is the backward pass really the derivative of the forward pass?

Take a loss L that depends on an array. Move one number by ±h, and see how L changes:

    dL/dx ≈ D(h) = (L(x + h) − L(x − h)) / 2h          (central differences, error O(h²))

and compare with what the backward pass says. In float64 the two agree to about ten digits; a wrong
formula differs in the first.

Two things can go wrong with the number itself. Rounding: L is only known to about 1e-16 |L|, and D
divides that by h. And kinks: where a ReLU switches between x − h and x + h, D is a mixture of two
slopes; where x is exactly at the kink, there is no derivative. What tells a kink is the bend,

    B(h) = (L(x + h) − 2 L(x) + L(x − h)) / h          (slope to the right − slope to the left)

which falls with h for a smooth function, B(h) = h L'' + O(h³), and stays at a kink. So the jump
between the slopes is what is left of the bend as h goes to zero: J = (4 B(h/4) − B(h)) / 3.
"""

import math
from dataclasses import dataclass

import numpy as np

from minigan.backend import get_backend
from minigan.checks import as_generator, check_integer, check_number
from minigan.tables import align

__all__ = ["GradientReport", "GradientRow", "compare_gradients"]

#: Differences that are tried in turn, until the derivative can be trusted; in units of the array's
#: size. A direction moves all entries at once, and meets more kinks.
STEPS, STEPS_ALONG = (1e-4, 1e-5, 1e-6), (1e-4, 1e-5, 1e-6, 1e-7)


@dataclass(frozen=True)
class GradientRow:
    """The comparison of one array, entry by entry, or along random directions.

    name, shape: of the array. directions: False, or True for derivatives along random directions,
    which see all entries at once. checked: how many were compared. kinks: how many were left out,
    as there is no derivative to compare with. At `worst`, the index (or the number of the
    direction) with the largest error, `by_hand` and `numerical` are the two derivatives.
    """

    name: str
    shape: tuple
    directions: bool
    checked: int
    kinks: int
    worst: tuple
    by_hand: float
    numerical: float
    relative_error: float

    def verdict(self, tolerance):
        """ "ok", "WRONG" or "no derivative here"."""
        if not self.checked:
            return "no derivative here"
        return "ok" if self.relative_error <= tolerance else "WRONG"


@dataclass(frozen=True)
class GradientReport:
    """The comparison of all arrays: `rows`, `tolerance`, and `broken`, sentences about rules that a
    layer has broken. `passed`, `worst` (the row), and a table when printed."""

    rows: tuple
    tolerance: float
    broken: tuple = ()

    @property
    def worst(self):
        """The row with the largest relative error."""
        return max(self.rows, key=lambda row: row.relative_error)

    @property
    def relative_error(self):
        """The largest relative error of all."""
        return self.worst.relative_error

    @property
    def passed(self):
        """Whether nothing was found wrong: wherever there is a derivative, the two agree."""
        return not self.broken and all(row.verdict(self.tolerance) != "WRONG" for row in self.rows)

    @property
    def unchecked(self):
        """The names of arrays of which no entry and no direction could be compared."""
        found = {row.name: 0 for row in self.rows}
        for row in self.rows:
            found[row.name] += row.checked
        return tuple(name for name, checked in found.items() if not checked)

    def __str__(self):
        head = ("gradient of", "shape", "checked", "kinks", "worst at", "by hand", "numerical",
                "rel. error", "")  # fmt: skip
        lines = align([head, *map(self._cells, self.rows)], (0, 1))
        broken = [f"BROKEN: {sentence}" for sentence in self.broken]
        return "\n".join([*lines, *broken, f"{self._conclusion()} (tolerance {self.tolerance:g})"])

    def _conclusion(self):
        if not self.passed:
            return "WRONG: see what is marked"
        if self.unchecked:
            return (
                f"no error found, but there is no derivative here for {', '.join(self.unchecked)}"
            )
        return "every gradient agrees"

    def _cells(self, row):
        worst = f"direction {row.worst[0]}" if row.directions else list(row.worst)
        shape = "all at once" if row.directions else str(row.shape)
        if not row.checked:
            worst = ""
        return (row.name, shape, str(row.checked), str(row.kinks), str(worst),
                f"{row.by_hand:+.8f}", f"{row.numerical:+.8f}", f"{row.relative_error:.1e}",
                row.verdict(self.tolerance))  # fmt: skip


def compare_gradients(
    loss,
    arrays,
    gradients,
    *,
    rng=0,
    tolerance=1e-6,
    max_entries=64,
    directions=3,
    backend="numpy",
):
    """Compare gradients that were computed by hand with numerical ones.

    loss: a function without arguments that computes a number from the present contents of the
    arrays. arrays: name -> float64 array of `backend`, changed in place and restored. gradients:
    the same names -> what the backward pass said. max_entries: of larger arrays, that many random
    entries are compared one by one (`rng`). directions: so many derivatives ⟨gradient, v⟩ along
    random directions v ~ N(0, 1) of each array are compared, too: no entry can hide from them.
    Returns a GradientReport.

    The relative error is |by hand − numerical| / max(|by hand|, |numerical|, floor). The floor
    keeps rounding in entries that should be zero from counting as an error: 1e-3 of the array's
    and 1e-4 of all arrays' largest derivative (along a direction, the norm of the gradient), and
    what the rounding of the loss leaves unresolved, over the tolerance.
    """
    rng, asarray = as_generator(rng), get_backend(backend).asarray
    max_entries = check_integer("max_entries", max_entries, 1)
    directions = check_integer("directions", directions, 0)
    tolerance = check_number("tolerance", tolerance, 0, 1, low_open=True)
    for name, array in arrays.items():
        _check_array(name, array, gradients.get(name))
    entries = {name: _entries(array, max_entries, rng) for name, array in arrays.items()}
    judge = _Judge(loss, arrays, entries, tolerance)
    rows = []
    for name, array in arrays.items():
        gradient = gradients[name]
        by_hand = [gradient[index].item() for index in entries[name]]
        floor = max(judge.least, 1e-3 * judge.sizes[name])
        found = [judge.derivative(array, index, STEPS, floor) for index in entries[name]]
        rows.append(_row(name, array, entries[name], by_hand, found, floor, tolerance))
        if directions:
            ways = [asarray(rng.standard_normal(array.shape)) for _ in range(directions)]
            by_hand = [float((gradient * way).sum()) for way in ways]
            norm = math.sqrt(float((gradient * gradient).sum()))
            floor = max(judge.least, norm if math.isfinite(norm) else 0.0)
            found = [judge.derivative(array, way, STEPS_ALONG, floor) for way in ways]
            places = [(i,) for i in range(directions)]
            rows.append(_row(name, array, places, by_hand, found, floor, tolerance, True))
    return GradientReport(tuple(rows), tolerance)


def _check_array(name, array, gradient):
    if array.dtype != np.float64:
        raise TypeError(f"{name}: numerical gradients need float64, got {array.dtype}")
    if gradient is None or gradient.shape != array.shape:
        found = None if gradient is None else gradient.shape
        raise ValueError(f"{name}: expected a gradient of shape {array.shape}, got {found}")


def _entries(array, max_entries, rng):
    """The indices of all entries, or of as many random ones."""
    chosen = np.arange(array.size)
    if array.size > max_entries:
        chosen = np.sort(rng.choice(array.size, max_entries, replace=False))
    return [tuple(map(int, np.unravel_index(i, array.shape))) for i in chosen]


class _Judge:
    """Derivatives of a loss, and whether they can be trusted; it never looks at those by hand."""

    def __init__(self, loss, arrays, entries, tolerance):
        self.loss, self.tolerance = loss, tolerance
        self.middle = float(loss())
        lines = [(arrays[name], index) for name in arrays for index in entries[name]]
        self.rounding = self._rounding(lines)
        self.sizes = {
            name: max((abs(self._central(arrays[name], i)) for i in found), default=0.0)
            for name, found in entries.items()
        }
        self.least = max(1e-4 * max(self.sizes.values(), default=0.0), 1e-12)

    def at(self, array, move, t):
        """L with the array moved by t · move; move is an index, or an array of that shape."""
        before = array[move].item() if isinstance(move, tuple) else array.copy()
        if isinstance(move, tuple):
            array[move] = before + t
        else:
            array += t * move
        try:
            return float(self.loss())
        finally:
            array[move if isinstance(move, tuple) else ...] = before

    def derivative(self, array, move, steps, floor):
        """(dL/dt, whether it can be trusted, what rounding leaves open).

        Central differences at h, h/2 and h/4 give two estimates with an error of O(h⁴)
        (Richardson: (4 D(h/2) − D(h)) / 3), which must agree; and the slopes to the left and to
        the right must not jump. Otherwise a kink lies close by, and a smaller h may step around it.
        """
        size = _size(array)
        for step in steps:
            h = step * size
            sides = [
                (self.at(array, move, d), self.at(array, move, -d), d) for d in (h, h / 2, h / 4)
            ]
            wide, half, narrow = ((right - left) / (2 * d) for right, left, d in sides)
            bends = [(right - 2 * self.middle + left) / d for right, left, d in sides]
            estimate, closer = (4 * half - wide) / 3, (4 * narrow - half) / 3
            jump = (4 * bends[2] - bends[0]) / 3
            open_ = 16 * self.rounding / h
            allowed = self.tolerance * max(abs(estimate), floor)
            if abs(estimate - closer) <= 0.1 * allowed + open_ and abs(jump) <= allowed + 2 * open_:
                return estimate, True, open_
        return estimate, False, open_

    def _central(self, array, index):
        h = STEPS[0] * _size(array)
        return (self.at(array, index, h) - self.at(array, index, -h)) / (2 * h)

    def _rounding(self, lines):
        """How far rounding moves the loss: eps |L|, or what a look at some entries finds.

        Over points 1e-13 apart any function is a straight line or, at a kink, two: the fourth
        difference of five values is then rounding alone, √70 of one on average (after Moré & Wild
        2011, "Estimating computational noise").
        """
        found = []
        for array, index in lines[:: max(1, len(lines) // 9)]:
            d = 1e-13 * max(1.0, abs(array[index].item()))
            far, near = (
                self.at(array, index, k * d) + self.at(array, index, -k * d) for k in (2, 1)
            )
            found.append(abs(far - 4 * near + 6 * self.middle) / math.sqrt(70))
        measured = sorted(found)[len(found) // 2] if found else 0.0
        return max(np.finfo(float).eps * max(abs(self.middle), 1e-3), measured)


def _size(array):
    """The root mean square of an array's numbers, the unit of the steps: within 0.01 and 100."""
    size = math.sqrt(float((array * array).sum()) / max(array.size, 1))
    return min(max(size, 1e-2), 1e2) if size else 1.0


def _row(name, array, places, by_hand, found, floor, tolerance, directions=False):
    worst, checked, kinks = (-1.0, (), math.nan, math.nan), 0, 0
    for place, mine, (numerical, trusted, open_) in zip(places, by_hand, found, strict=True):
        if not trusted and math.isfinite(mine):
            kinks += 1
            continue
        checked += 1
        error = abs(mine - numerical) / max(abs(mine), abs(numerical), floor, open_ / tolerance)
        error = math.inf if math.isnan(error) else error
        worst = max(worst, (error, place, mine, numerical))
    error, place, mine, numerical = worst
    return GradientRow(
        name, array.shape, directions, checked, kinks, place, mine, numerical, max(error, 0.0)
    )
