"""Compare operations on the GPU's arrays with their twins in NumPy."""

import numpy as np
from devices import orders
from twins import Twins

__all__ = ["TOLERANCE", "TWINS", "agree", "check", "on_host", "results"]

TWINS = Twins()
#: Of the largest number of a result.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def results(backend, operation, dtype):
    """All that an operation returns or writes to, on the host."""
    arrays = [backend.asarray(x) for x in operation.draw(dtype)]
    returned = operation.run(backend, *arrays)
    returned = list(returned) if isinstance(returned, tuple | list) else [returned]
    return [on_host(backend, x) for x in returned + arrays]


def on_host(backend, x):
    """A result on the host: an array, or what is True, False or None there already."""
    if isinstance(x, None | bool):
        return x
    return np.array(x if backend is TWINS else backend.to_numpy(x))


def check(device, table, dtype):
    """Each operation agrees with its twin, and gives the same bits in every order of threads."""
    for label, operation in table.items():
        expected = results(TWINS, operation, dtype)
        found = [results(device, operation, dtype) for _ in orders(device)]
        agree(expected, found[0], TOLERANCE[dtype], label)
        for other in found[1:]:
            agree(found[0], other, 0, f"{label}, in another order")


def agree(expected, found, tolerance, label):
    """Two lists of arrays, booleans and None are the same up to `tolerance`."""
    assert len(expected) == len(found), label
    for a, b in zip(expected, found, strict=True):
        if not isinstance(a, np.ndarray):
            assert a == b, label
            continue
        assert (a.dtype, a.shape) == (b.dtype, b.shape), label
        scale = np.abs(a[np.isfinite(a)]).max(initial=1)
        np.testing.assert_allclose(b, a, tolerance, tolerance * scale, err_msg=label)
