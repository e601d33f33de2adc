"""Checks of arguments, shared by everything that is built: one wording for one mistake."""

import math
import numbers
from collections.abc import Iterable

from numpy import dtype as numpy_dtype
from numpy.random import Generator, default_rng

__all__ = [
    "as_generator",
    "check_dtype",
    "check_integer",
    "check_number",
    "check_pair",
    "check_shape",
]


def as_generator(rng):
    """A `numpy.random.Generator` from a generator or an integer seed; None is refused.

    Without a seed a run could not be repeated.
    """
    if isinstance(rng, Generator):
        return rng
    if isinstance(rng, numbers.Integral) and not isinstance(rng, bool) and rng >= 0:
        return default_rng(int(rng))
    raise TypeError(f"rng: expected a numpy.random.Generator or a seed >= 0, got {rng!r}")


def check_integer(name, value, minimum):
    """`value` as an int, at least `minimum`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, got {value}")
    return int(value)


def check_number(name, value, low, high, *, low_open=False, high_open=False):
    """`value` as a float in [low, high]; an end is left out where it is open."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    value = float(value)
    inside = low <= value <= high and math.isfinite(value)
    if not inside or (low_open and value == low) or (high_open and value == high):
        interval = f"{'(' if low_open else '['}{low}, {high}{')' if high_open else ']'}"
        raise ValueError(f"{name}: expected a number in {interval}, got {value}")
    return value


def check_pair(name, value, minimum):
    """(height, width) from an integer or a pair of integers."""
    pair = (value, value) if isinstance(value, numbers.Integral) else value
    if not isinstance(pair, Iterable) or isinstance(pair, str) or len(tuple(pair)) != 2:
        raise TypeError(f"{name}: expected an integer or a pair of integers, got {value!r}")
    return tuple(check_integer(name, item, minimum) for item in pair)


def check_shape(name, shape):
    """A tuple of positive integers."""
    if not isinstance(shape, Iterable) or isinstance(shape, str):
        raise TypeError(f"{name}: expected a tuple such as (28, 28, 1), got {shape!r}")
    return tuple(check_integer(name, length, 1) for length in shape)


def check_dtype(dtype):
    """float32 or float64, as a `numpy.dtype`."""
    try:
        found = None if dtype is None else numpy_dtype(dtype)  # NumPy takes None for float64
    except TypeError:
        found = None
    if found is None or found.name not in ("float32", "float64"):
        raise ValueError(f"dtype: expected float32 or float64, got {dtype!r}")
    return found
