"""Checks of arguments, shared by everything that is built: one wording for one mistake."""

import math
import numbers
from collections.abc import Iterable

import numpy as np

__all__ = [
    "as_generator",
    "check_dtype",
    "check_integer",
    "check_number",
    "check_pair",
    "check_rng",
    "check_samples",
    "check_shape",
]


def check_rng(rng, *, expected="a numpy.random.Generator"):
    """`rng`, a `numpy.random.Generator`; a seed is refused, as two calls would draw the same."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected {expected}, got {rng!r}")
    return rng


def as_generator(rng):
    """A `numpy.random.Generator` from a generator or an integer seed; None is refused.

    Without a seed a run could not be repeated.
    """
    if isinstance(rng, numbers.Integral) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    return check_rng(rng, expected="a numpy.random.Generator or a seed >= 0")


def check_integer(name, value, minimum):
    """`value` as an int, at least `minimum`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, got {value}")
    return int(value)


def check_number(name, value, low, high, *, low_open=False, high_open=False):
    """`value` as a float in [low, high]; an end that is open or infinite is left out."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    value = float(value)
    low_open, high_open = low_open or math.isinf(low), high_open or math.isinf(high)
    if not low <= value <= high or (low_open and value == low) or (high_open and value == high):
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
        found = None if dtype is None else np.dtype(dtype)  # NumPy takes None for float64
    except TypeError:
        found = None
    if found is None or found.name not in ("float32", "float64"):
        raise ValueError(f"dtype: expected float32 or float64, got {dtype!r}")
    return found


def check_samples(x, dimension=None, name="x"):
    """`x` as float64 (n, d), n and d at least 1, all finite; d = `dimension` if that is given.

    A vector (n,) is refused: it could be n samples of one number or one sample of n numbers, and
    a wrong guess would broadcast without an error.
    """
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name}: expected a NumPy array on the host, got {type(x).__name__}")
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected real numbers, got {x.dtype}")
    if x.ndim != 2 or 0 in x.shape or dimension not in (None, x.shape[1]):
        expected = f"(n, {dimension}) with n > 0" if dimension else "(n, d) with n, d > 0"
        hint = f": for n samples of one number write {name}[:, None]" if x.ndim == 1 else ""
        raise ValueError(f"{name}: expected shape {expected}, got {x.shape}{hint}")
    x = x.astype(np.float64, copy=False)
    if not np.isfinite(x).all():
        row = np.flatnonzero(~np.isfinite(x).all(axis=1))[0]
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity in row {row}")
    return x
