"""Both backends have the same operations with the same signatures, and none lacks a test here."""

import inspect

import pytest
from operations import all_operations

from minigan.backend import CupyBackend, NumpyBackend

#: What only one of them needs.
NUMPY_ONLY, CUPY_ONLY = {"pool"}, {"products", "convolutions", "device"}
#: Compared elsewhere: in this file, or as a part of other operations.
WITHOUT_INPUTS = {"asarray", "batch_total", "check", "empty", "read_flags", "to_numpy", "zeros"}


def public(backend):
    return {name for name in dir(backend) if not name.startswith("_")}


def operations(cls):
    return {
        name: member
        for name, member in inspect.getmembers(cls, callable)
        if not name.startswith("_")
    }


def test_the_same_names(emulated):
    assert public(NumpyBackend()) - NUMPY_ONLY == public(emulated) - CUPY_ONLY
    assert set(operations(NumpyBackend)) == set(operations(CupyBackend))


@pytest.mark.parametrize("name", operations(NumpyBackend))
def test_the_same_signature(name):
    numpy, cupy = (inspect.signature(operations(cls)[name]) for cls in (NumpyBackend, CupyBackend))
    assert numpy == cupy


@pytest.mark.parametrize("name", operations(CupyBackend))
def test_every_operation_says_what_it_does(name):
    assert inspect.getdoc(operations(CupyBackend)[name])


def test_every_operation_is_compared():
    compared = {label.split(",")[0] for label in all_operations()}
    assert compared | WITHOUT_INPUTS == set(operations(NumpyBackend))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_arrays_go_there_and_back(dtype, device):
    numpy = NumpyBackend()
    host = numpy.zeros((2, 3), dtype) + numpy.xp.arange(3, dtype=dtype)
    there = device.asarray(host)
    assert isinstance(there, device.xp.ndarray) and there.dtype == dtype
    assert device.asarray(there) is there
    assert device.asarray(host, "float64").dtype == "float64"
    back = device.to_numpy(there)
    assert back.dtype == dtype and (back == host).all()
    assert device.empty((2, 3), dtype).shape == (2, 3)
    zeros = device.zeros((0, 3), dtype)
    assert zeros.shape == (0, 3) and zeros.dtype == dtype
    assert not device.to_numpy(device.zeros((4,), dtype)).any()
    assert device.batch_total(there) is there
