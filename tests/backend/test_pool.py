"""The pool: arrays are used again, but never while anybody can still see them."""

import importlib.util
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from minigan.backend.pool import ArrayPool

from minigan.backend import pool as pool_module

F4 = np.dtype("float32")


def address(array):
    return array.__array_interface__["data"][0]


def test_a_free_array_is_handed_out_again():
    pool = ArrayPool()
    array = pool.empty((3, 4), F4)
    assert array.shape == (3, 4) and array.dtype == F4 and array.flags.writeable
    before = address(array)
    del array
    assert address(pool.empty((3, 4), F4)) == before
    assert pool.nbytes == 48


def test_other_shapes_and_dtypes_get_other_arrays():
    pool = ArrayPool()
    shapes = [((3, 4), F4), ((4, 3), F4), ((12,), F4), ((3, 4), np.dtype("float64"))]
    for shape, dtype in shapes * 2:
        array = pool.empty(shape, dtype)
        assert (array.shape, array.dtype) == (shape, dtype)
        del array
    assert pool.nbytes == 3 * 48 + 96


HOLDERS = {
    "name": lambda a: a,
    "list": lambda a: [a],
    "slice": lambda a: a[1:, ::2],
    "view of a view": lambda a: a.reshape(-1)[2:].reshape(5, 2)[1],
    "transpose": lambda a: a.T,
    "single element view": lambda a: a[:1, :1],
    "broadcast": lambda a: np.broadcast_to(a, (2, 3, 4)),
    "iterator": lambda a: iter(a),
    "memoryview": memoryview,
    "closure": lambda a: lambda: a,
    "attribute": lambda a: SimpleNamespace(kept=a),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_held_array_is_never_handed_out(holder):
    pool = ArrayPool()
    array = pool.empty((3, 4), F4)
    before, held = address(array), holder(array)
    del array
    others = [pool.empty((3, 4), F4) for _ in range(3)]
    assert before not in map(address, others)
    del held
    assert address(pool.empty((3, 4), F4)) == before


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(1, 3)), max_size=60))
def test_whatever_is_held_keeps_its_numbers(actions):
    """Arrays are taken, kept and dropped in any order; each holds the number written into it."""
    pool, kept = ArrayPool(limit=200), []
    for number, (take, position, size) in enumerate(actions):
        if take or not kept:
            array = pool.empty((size, 4), F4)
            array.fill(number)
            kept.append((number, array[:, 1:3]))  # a view must be enough to keep it
            del array
        else:
            kept.pop(position % len(kept))
        assert all((view == number).all() for number, view in kept)


def test_limit_lets_go_of_free_arrays_only():
    pool = ArrayPool(limit=100)
    held = pool.empty((10,), F4)
    held.fill(7)
    for n in range(11, 16):
        pool.empty((n,), F4)
        assert pool.nbytes <= 100
    big = pool.empty((100,), F4)  # more than the limit: made all the same
    assert big.shape == (100,) and pool.nbytes == 40 + 400
    assert (held == 7).all()


def test_trim_lets_go_of_everything_that_is_free():
    pool = ArrayPool()
    held = pool.empty((2,), F4)
    arrays = [pool.empty((n,), F4) for n in (5, 5, 6)]
    arrays.clear()
    assert pool.nbytes == 8 + 20 + 20 + 24
    pool.trim()
    assert pool.nbytes == 8
    del held
    pool.trim()
    assert pool.nbytes == 0


def test_threads_never_share_an_array():
    pool, errors = ArrayPool(limit=4000), []

    def work(number):
        kept = []
        for i in range(3000):
            array = pool.empty((5 + i % 7,), F4)
            array.fill(number)
            kept.append(array)
            if len(kept) > 10:
                del kept[::2]
            if not (array == number).all() or not (kept[0] == number).all():
                errors.append(number)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors


def test_without_the_gil_nothing_is_reused(monkeypatch):
    """On a free-threaded Python a reference count may change after a look at it."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    spec = importlib.util.spec_from_file_location("pool_without_gil", pool_module.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pool = module.ArrayPool()
    for _ in range(3):
        assert pool.empty((3,), F4).shape == (3,)
        assert pool.nbytes == 0  # nothing is kept
    pool.trim()
