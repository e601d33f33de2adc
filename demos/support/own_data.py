"""Data of one's own on the plane: what `--data` takes beside the names of toys.

--data grid                one of `TOYS`
--data points.csv          two numbers per line; a first line of names is skipped
--data points.npy          an array (n, 2)
--data my_module:name      a `Distribution`, or what makes one (a class, a function), or an array
"""

import importlib
import sys
from pathlib import Path

import numpy as np

from minigan.checks import check_samples
from minigan.data import TOYS, Distribution, toy

__all__ = ["PLANE", "Rows", "plane_data"]

PLANE = tuple(name for name in TOYS if toy(name).dimension == 2)


class Rows(Distribution):
    """The rows of x (n, 2), each as likely as any other."""

    def __init__(self, name, x):
        self.x, low, high = x, x.min(axis=0), x.max(axis=0)
        margin = 0.1 * (high - low).max()
        if margin == 0:
            raise ValueError(f"{name}: expected different points, all are {x[0].tolist()}")
        extent = np.stack([low - margin, high + margin], axis=1).ravel()
        super().__init__(name, 2, extent.tolist())

    def draw(self, n, rng):
        return self.x[rng.integers(len(self.x), size=n)]


def plane_data(text):
    """The `Distribution` of the plane that `--data text` names; ValueError says what is wrong."""
    name, kind = f"--data {text}", Path(text).suffix.lower()
    if text in PLANE:
        return toy(text)
    try:
        if kind == ".npy":
            found = np.load(text)
        elif kind == ".csv":
            found = _csv(text)
        elif ":" in text:
            found = _named(*text.split(":", 1))
        else:
            raise ValueError(
                f"expected a .csv or .npy file, module:name, or one of {', '.join(PLANE)}"
            )
        if not isinstance(found, Distribution):
            return Rows(name, check_samples(found, 2, name))
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror or error}") from error
    except (ImportError, TypeError, ValueError) as error:
        message = str(error).removeprefix(f"{name}: ")
        raise ValueError(f"{name}: {message}") from error
    if found.dimension != 2:
        raise ValueError(f"{name}: expected points of the plane, got dimension {found.dimension}")
    return found


def _csv(path):
    with open(path, encoding="utf-8-sig") as file:
        first, *_ = [*file.readline().split(","), ""]
    try:
        skip = 0 if first.strip() == "" or float(first) is not None else 1
    except ValueError:
        skip = 1  # names of columns
    return np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8-sig", skiprows=skip)


def _named(module, name):
    if "" not in sys.path:
        sys.path.insert(0, "")  # a module in the working directory
    found = importlib.import_module(module)
    if not hasattr(found, name):
        raise ValueError(f"the module {module} has no {name}")
    found = getattr(found, name)
    return found() if callable(found) else found
