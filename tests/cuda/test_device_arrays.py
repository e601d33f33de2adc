"""The emulated array works as NumPy's does, and refuses what CuPy's refuses."""

import numpy as np
import pytest

X = np.arange(12, dtype=np.float32).reshape(3, 4)

SAME = {
    "operators": lambda xp, x: (x + 1) * x - x / 2,
    "a NumPy scalar on the left": lambda xp, x: np.float32(2) * x,
    "comparison": lambda xp, x: x > 5,
    "matrix product": lambda xp, x: x @ x.T,
    "negation and powers": lambda xp, x: (-x) ** 2,
    "reduction": lambda xp, x: x.sum(axis=0),
    "reduction to a number": lambda xp, x: x.mean(),
    "shape": lambda xp, x: x.reshape(2, 6).transpose(1, 0),
    "indexing": lambda xp, x: x[1:, ::2],
    "an index array": lambda xp, x: x[xp.asarray([2, 0])],
    "a function": lambda xp, x: xp.einsum("ij,ij->i", x, x),
    "a list of arrays": lambda xp, x: xp.concatenate([x, x[:1]]),
    "where": lambda xp, x: xp.where(x > 5, x, -x),
    "dtype": lambda xp, x: x.astype("float64"),
}


@pytest.fixture
def x(emulator):
    return emulator.asarray(X)


@pytest.mark.parametrize("form", SAME.values(), ids=SAME)
def test_it_computes_what_numpy_computes(form, emulator, x):
    expected, result = form(np, X), form(emulator, x)
    assert isinstance(result, emulator.ndarray) and not isinstance(result, np.ndarray)
    assert (result.dtype, result.shape) == (expected.dtype, np.shape(expected))
    np.testing.assert_array_equal(result.get(), expected)


def test_in_place(emulator, x):
    y, out = x, emulator.empty_like(x)
    y += 1
    y *= x
    assert y is x and emulator.add(x, x, out=out) is out
    x[0] = 7
    x[:, 1] = emulator.zeros(3, "float32")
    x[2, 3] -= 1
    expected = (X + 1) ** 2
    np.testing.assert_array_equal(out.get(), 2 * expected)
    expected[0], expected[:, 1], expected[2, 3] = 7, 0, 143
    np.testing.assert_array_equal(x.get(), expected)


REFUSED = {
    "x + numpy array": lambda xp, x: x + X,
    "numpy array + x": lambda xp, x: X + x,
    "numpy array += x": lambda xp, x: X.__iadd__(x),
    "a function of both": lambda xp, x: xp.maximum(x, X),
    "a list of both": lambda xp, x: xp.concatenate([x, X]),
    "a NumPy array put in": lambda xp, x: x.__setitem__(0, X[0]),
    "a NumPy array as an index": lambda xp, x: x[np.array([0, 1])],
    "a keyword that CuPy's method does not have": lambda xp, x: (x > 0).all(where=True),
    "another": lambda xp, x: x.sum(initial=1.0),
    "np.asarray": lambda xp, x: np.asarray(x),
    "a NumPy function": lambda xp, x: np.linalg.norm(x),
    "hash": lambda xp, x: hash(x),
}


@pytest.mark.parametrize("form", REFUSED.values(), ids=REFUSED)
def test_no_mixing_and_no_silent_conversion(form, emulator, x):
    with pytest.raises(TypeError):
        form(emulator, x)


def test_what_cupy_has_not_is_missing(emulator, x):
    for name in ("newbyteorder", "tobytes", "ctypes", "base"):
        with pytest.raises(AttributeError, match=name):
            getattr(x, name)
    with pytest.raises(AttributeError):
        emulator.nditer  # noqa: B018


def test_new_memory_is_poisoned(emulator):
    assert np.isnan(emulator.empty((2, 3), "float32").get()).all()
    assert np.isnan(emulator.empty_like(emulator.zeros(3)).get()).all()
    assert (emulator.empty(3, "int32").get() == -1).all()
    assert emulator.empty((0, 3)).shape == (0, 3) and np.isnan(float(emulator.empty(())))


def test_asarray_copies_from_the_host_and_only_from_there(emulator, x):
    assert emulator.asarray(x) is x and emulator.asarray(x, "float32") is x
    assert emulator.asarray(x, "float64").dtype == np.float64
    host = X.copy()
    device = emulator.asarray(host)
    host[...] = 0
    np.testing.assert_array_equal(emulator.asnumpy(device), X)
    device.set(host)
    assert not emulator.any(device)


READS = {
    "x.get()": lambda xp, x: x.get(),
    "x.item()": lambda xp, x: x[0, 0].item(),
    "x.tolist()": lambda xp, x: x.tolist(),
    "float(x)": lambda xp, x: float(x.sum()),
    "int(x)": lambda xp, x: int(x.sum()),
    "bool(x)": lambda xp, x: bool(x[0, 0]),
    "if": lambda xp, x: 1 if x.sum() > 3 else 2,
    "format(x)": lambda xp, x: f"{x.sum():.3f}",
    "repr(x)": lambda xp, x: repr(x),
    "x[mask]": lambda xp, x: x[x > 3],
    "asnumpy": lambda xp, x: xp.asnumpy(x),
}


@pytest.mark.parametrize("what", READS)
def test_the_host_waits_only_where_it_is_logged(what, emulator, x):
    y = emulator.sqrt(x @ x.T).sum(axis=0, keepdims=True)
    y[0, 0] = y.max()
    reads = emulator.machine.host_reads
    assert reads == []
    READS[what](emulator, x)
    assert len(reads) == 1 and f"at {__file__}:" in reads[0]
