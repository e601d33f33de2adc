"""Compare operations on the GPU's arrays with their twins in NumPy."""

import numpy as np
from devices import orders

from minigan.backend import NumpyBackend

__all__ = ["NUMPY", "TOLERANCE", "check", "results"]

NUMPY = NumpyBackend()
#: Of the largest number of a result.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def results(backend, operation, dtype):
    """All that an operation returns or writes to, on the host; or the error that it raises."""
    arrays = [backend.asarray(x) for x in operation.draw(dtype)]
    try:
        returned = operation.run(backend, *arrays)
    except ValueError as error:
        return str(error)
    returned = list(returned) if isinstance(returned, tuple | list) else [returned]
    return [
        x if x is None or isinstance(x, bool) else on_host(backend, x) for x in returned + arrays
    ]


def on_host(backend, x):
    return np.array(x if backend is NUMPY else backend.to_numpy(x))


def check(device, table, dtype):
    """Each operation agrees with its twin, and gives the same bits in every order of threads."""
    for label, operation in table.items():
        expected = results(NUMPY, operation, dtype)
        found = [results(device, operation, dtype) for _ in orders(device)]
        agree(expected, found[0], TOLERANCE[dtype], label)
        for other in found[1:]:
            agree(found[0], other, 0, f"{label}, in another order")


def agree(expected, found, tolerance, label):
    if not isinstance(expected, list):
        assert expected == found, label
        return
    assert len(expected) == len(found), label
    for a, b in zip(expected, found, strict=True):
        if not isinstance(a, np.ndarray):
            assert a == b, label
            continue
        assert (a.dtype, a.shape) == (b.dtype, b.shape), label
        scale = np.abs(a[np.isfinite(a)]).max(initial=1)
        np.testing.assert_allclose(b, a, tolerance, tolerance * scale, err_msg=label)
