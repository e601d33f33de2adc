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

Two kinks at one place may cancel on a line: leaky(−leaky(t)) has the slope −0.2 on both sides of 0,
while the backward pass, which takes the slope 0.2 at each kink, says −0.04. Beside the point, with
all arrays moved by some δ, they do not cancel. So before a gradient is called wrong, D is taken
there, too, at δ and δ/4: (4 D(δ/4) − D(δ)) / 3 is the same as D for a smooth function.
"""

import math
from dataclasses import dataclass

import numpy as np

from minigan.backend import get_backend
from minigan.checks import as_generator, check_integer, check_number
from minigan.diagnosis.mistakes import likely_mistake
from minigan.tables import Table

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
class GradientReport(Table):
    """The comparison of all arrays: `rows`, `tolerance`, and `broken`, sentences about rules that a
    layer has broken. `likely`: sentences on what may have made a gradient so wrong. `verdict`,
    `passed`, `worst` (the row), and a table when printed."""

    rows: tuple
    tolerance: float
    broken: tuple = ()
    likely: tuple = ()

    def __add__(self, other):
        """Both reports in one, with the tolerance of the first."""
        return GradientReport(
            self.rows + other.rows,
            self.tolerance,
            self.broken + other.broken,
            self.likely + other.likely,
        )

    @property
    def worst(self):
        """The row with the largest relative error; None without rows."""
        return max(self.rows, key=lambda row: row.relative_error, default=None)

    @property
    def relative_error(self):
        """The largest relative error of all."""
        return self.worst.relative_error if self.rows else 0.0

    @property
    def verdict(self):
        """ "WRONG" if anything is; "no derivative here" if nothing could be compared; else "ok"."""
        found = {row.verdict(self.tolerance) for row in self.rows}
        if self.broken or "WRONG" in found:
            return "WRONG"
        return "ok" if "ok" in found else "no derivative here"

    @property
    def passed(self):
        """Whether nothing is wrong, and something was compared."""
        return self.verdict == "ok"

    @property
    def unchecked(self):
        """The names of arrays of which no entry and no direction could be compared."""
        checked = {row.name for row in self.rows if row.checked}
        return tuple(dict.fromkeys(row.name for row in self.rows if row.name not in checked))

    def table(self):
        head = ("gradient of", "shape", "checked", "kinks", "worst at", "by hand", "numerical",
                "rel. error", "")  # fmt: skip
        broken = [f"BROKEN: {sentence}" for sentence in self.broken]
        below = [*broken, *self.likely, f"{self._conclusion()} (tolerance {self.tolerance:g})"]
        return [head, *map(self._cells, self.rows)], (0, 1), below

    def _conclusion(self):
        if self.verdict == "WRONG":
            return "WRONG: see what is marked"
        if self.unchecked:
            return f"no error found, but no derivative here for {', '.join(self.unchecked)}"
        return "every gradient agrees"

    def _cells(self, row):
        shape = "all at once" if row.directions else str(row.shape)
        verdict = row.verdict(self.tolerance)
        if not row.checked:
            return row.name, shape, "0", str(row.kinks), "", "", "", "", verdict
        worst = f"direction {row.worst[0]}" if row.directions else str(list(row.worst))
        return (row.name, shape, str(row.checked), str(row.kinks), worst, f"{row.by_hand:+.8f}",
                f"{row.numerical:+.8f}", f"{row.relative_error:.1e}", verdict)  # fmt: skip


def compare_gradients(
    loss,
    arrays,
    gradients,
    *,
    rng=0,
    tolerance=1e-6,
    max_entries=64,
    directions=3,
    batch=None,
    backend="numpy",
):
    """Compare gradients that were computed by hand with numerical ones.

    loss: a function without arguments that computes a number from the present contents of the
    arrays. arrays: name -> float64 array of `backend`, changed in place and restored. gradients:
    the same names -> what the backward pass said. max_entries: of larger arrays, that many random
    entries are compared one by one (`rng`). directions: so many derivatives ⟨gradient, v⟩ along
    random directions v ~ N(0, 1) of each array are compared, too: no entry can hide from them.
    batch: the N of a mean over samples, to tell where it is missing. Returns a GradientReport.

    The relative error is |by hand − numerical| / max(|by hand|, |numerical|, floor). The floor
    keeps rounding in entries that should be zero from counting as an error: 1e-3 of the array's
    and 1e-4 of all arrays' largest gradient (along a direction, the norm of the gradient), and
    what the rounding of the loss leaves open, over the tolerance.
    """
    rng, asarray = as_generator(rng), get_backend(backend).asarray
    max_entries = check_integer("max_entries", max_entries, 1)
    directions = check_integer("directions", directions, 0)
    tolerance = check_number("tolerance", tolerance, 0, 1, low_open=True)
    for name, array in arrays.items():
        _check_array(name, array, gradients.get(name))
    largest = {name: _finite(abs(gradients[name]).max()) for name in arrays if arrays[name].size}
    least, middle, rows = 1e-4 * max(largest.values(), default=0.0), float(loss()), []
    likely = []
    for name, array in arrays.items():
        ways = [asarray(rng.standard_normal(array.shape)) for _ in range(max(directions, WAYS))]
        one = _Comparison(name, loss, middle, arrays, gradients[name], ways, tolerance, asarray)
        entries = [(index, index, 1.0) for index in _entries(array, max_entries, rng)]
        rows.append(one.row(entries, STEPS, max(least, 1e-3 * largest.get(name, 0.0))))
        if directions:
            along = [((i,), ..., way) for i, way in enumerate(ways[:directions])]
            norm = _finite((one.gradient * one.gradient).sum() ** 0.5)
            rows.append(one.row(along, STEPS_ALONG, max(least, norm)))
        if one.wrong and (cause := one.likely_mistake(batch)):
            likely.append(f"{name}: {cause}")
    return GradientReport(tuple(rows), tolerance, (), tuple(likely))


def _check_array(name, array, gradient):
    if array.dtype != np.float64:
        raise TypeError(f"{name}: numerical gradients need float64, got {array.dtype}")
    if gradient is None or gradient.shape != array.shape:
        found = None if gradient is None else gradient.shape
        raise ValueError(f"{name}: expected a gradient of shape {array.shape}, got {found}")


def _finite(number):
    return float(number) if math.isfinite(number) else 0.0


def _entries(array, max_entries, rng):
    """The indices of all entries, or of as many random ones."""
    chosen = np.arange(array.size)
    if array.size > max_entries:
        chosen = np.sort(rng.choice(array.size, max_entries, replace=False))
    return [tuple(map(int, np.unravel_index(i, array.shape))) for i in chosen]


def _size(array):
    """The root mean square of an array's numbers, the unit of the steps: within 0.01 and 100."""
    size = math.sqrt(float((array * array).sum()) / max(array.size, 1))
    return min(max(size, 1e-2), 1e2) if size else 1.0


TINY = np.finfo(float).tiny
#: Rounding is measured along so many random directions, and corners are looked for.
WAYS = 3


class _Comparison:
    """One array's derivatives, by hand and numerical: along lines array[where] + t · way."""

    def __init__(self, name, loss, middle, arrays, gradient, ways, tolerance, asarray):
        self.name, self.loss, self.middle, self.arrays = name, loss, middle, arrays
        self.array, self.gradient, self.tolerance = arrays[name], gradient, tolerance
        self.size, self.asarray = _size(self.array), asarray
        self.compared, self.wrong = [], False
        measured = sorted(self._rounding(way) for way in ways)[len(ways) // 2]
        self.rounding = float(max(np.finfo(float).eps * abs(middle), measured))

    def at(self, where, way, t):
        """L at a point of a line."""
        before = self.array[where].copy()
        self.array[where] = before + t * way
        try:
            return float(self.loss())
        finally:
            self.array[where] = before

    def _rounding(self, way):
        """How far rounding moves the loss.

        On so short a line any function is straight, even at a kink, as only one side of it is
        looked at. The fourth difference of five values is then rounding alone, √70 of one on
        average (after Moré & Wild 2011, "Estimating computational noise").
        """
        values = [self.at(..., way, k * 1e-9 * self.size) for k in range(1, 6)]
        return abs(np.diff(values, 4)[0]) / math.sqrt(70)

    def derivative(self, where, way, steps, floor):
        """(dL/dt, whether it can be trusted, what rounding leaves open).

        Central differences at h, h/2 and h/4 give two estimates with an error of O(h⁴)
        (Richardson: (4 D(h/2) − D(h)) / 3), which must agree; and the slopes to the left and to
        the right must not jump. Otherwise a kink lies close by, and a smaller h may step around it.
        """
        for step in steps:
            h = step * self.size
            sides = [
                (self.at(where, way, d), self.at(where, way, -d), d) for d in (h, h / 2, h / 4)
            ]
            wide, half, narrow = ((right - left) / (2 * d) for right, left, d in sides)
            bends = [(right - 2 * self.middle + left) / d for right, left, d in sides]
            estimate, closer = (4 * half - wide) / 3, (4 * narrow - half) / 3
            jump = (4 * bends[2] - bends[0]) / 3
            open_ = 32 * self.rounding / h
            allowed = self.tolerance * max(abs(estimate), floor)
            if abs(estimate - closer) <= 0.1 * allowed + open_ and abs(jump) <= allowed + 2 * open_:
                return estimate, True, open_
        return estimate, False, open_

    def cancels(self, where, way, numerical, error):
        """Whether kinks that cancel on this line explain an error: their slopes show beside it."""
        kept = {name: array.copy() for name, array in self.arrays.items()}
        rng, h = np.random.default_rng(0), 1e-8 * self.size
        for _ in range(WAYS):
            moves = {n: _size(a) * rng.standard_normal(a.shape) for n, a in kept.items()}
            slopes = []
            for distance in (1e-6, 0.25e-6):
                for name, move in moves.items():
                    self.arrays[name][...] = kept[name] + distance * self.asarray(move)
                slopes.append((self.at(where, way, h) - self.at(where, way, -h)) / (2 * h))
            for name, array in kept.items():
                self.arrays[name][...] = array
            beside = (4 * slopes[1] - slopes[0]) / 3
            if abs(beside - numerical) > 0.1 * error + 32 * self.rounding / h:
                return True
        return False

    def likely_mistake(self, batch):
        """What explains the derivatives of all rows so far, "" if nothing simple does."""
        return likely_mistake(self.gradient, self.compared, batch)

    def row(self, lines, steps, floor):
        """The comparison along lines (place, where, way)."""
        worst, checked, kinks = (-1.0, (), math.nan, math.nan), 0, 0
        for place, where, way in lines:
            mine = float((self.gradient[where] * way).sum())
            numerical, trusted, open_ = self.derivative(where, way, steps, floor)
            error = abs(mine - numerical)
            relative = error / max(abs(mine), abs(numerical), floor, open_ / self.tolerance, TINY)
            if not math.isfinite(mine):
                relative = math.inf
            elif not trusted or (
                relative > self.tolerance and self.cancels(where, way, numerical, error)
            ):
                kinks += 1
                continue
            checked += 1
            scale = max(abs(numerical), floor, open_ / self.tolerance)
            self.compared.append((where, way, numerical, self.tolerance * scale))
            self.wrong |= relative > self.tolerance
            worst = max(worst, (relative, place, mine, numerical))
        error, place, mine, numerical = worst
        along = steps is STEPS_ALONG
        return GradientRow(self.name, self.array.shape, along, checked, kinks, place, mine,
                           numerical, max(error, 0.0))  # fmt: skip
