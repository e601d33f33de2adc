"""`NumpyBackend`: arrays in and out, and what it asks of them.

Its faster forms are compared with their pages in test_forms.py.
"""

import copy
import pickle

import numpy as np
import pytest

from minigan.backend import NumpyBackend, get_backend

BACKEND = get_backend("numpy")


def test_arrays_in_and_out():
    backend = NumpyBackend()
    assert backend.name == "numpy" and backend.xp is np
    x = backend.asarray([[1, 2]], "float32")
    assert x.dtype == np.float32 and backend.to_numpy(x) is x and backend.asarray(x, x.dtype) is x


def test_check_names_the_stranger():
    for stranger in ([1.0], 3.0, None, memoryview(b"a")):
        with pytest.raises(TypeError, match=r"x: expected a numpy\.ndarray"):
            BACKEND.check(stranger, "x")
    BACKEND.check(np.ones(1), "x")


def test_is_finite():
    assert BACKEND.is_finite(np.array([1e300])) and BACKEND.is_finite(np.float32(1))
    assert not BACKEND.is_finite(np.array([1, np.nan]))
    assert not BACKEND.is_finite(np.array([[np.inf]])) and not BACKEND.is_finite(-np.inf)


@pytest.mark.parametrize("name", ["reference", "numpy"])
def test_there_is_one_of_each_name(name):
    """Copies of networks, and networks from a pickle, share it with all others."""
    backend = get_backend(name)
    assert copy.deepcopy([backend])[0] is backend
    assert pickle.loads(pickle.dumps(backend)) is backend
    assert repr(backend) == f"NumpyBackend({name!r})"
