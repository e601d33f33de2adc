"""Choosing a backend by name."""

import runpy

import pytest

from minigan import BackendUnavailable, get_backend
from minigan.backend import NumpyBackend, why


def test_numpy_by_name_is_always_the_same_object():
    assert get_backend("numpy") is get_backend("numpy")
    assert isinstance(get_backend("numpy"), NumpyBackend)


def test_an_object_is_taken_as_it_is():
    backend = NumpyBackend()
    assert get_backend(backend) is backend


def test_auto_always_finds_something():
    assert get_backend("auto") is get_backend()
    assert get_backend("auto").name in ("numpy", "cupy")


def test_cupy_is_refused_where_it_cannot_run(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)  # import cupy now fails
    with pytest.raises(BackendUnavailable, match="cupy"):
        get_backend("cupy")


def test_module_prints_what_auto_chooses(capsys):
    runpy.run_module("minigan.backend", run_name="__main__")
    out = capsys.readouterr().out
    assert get_backend("auto").name in out and why() in out


@pytest.mark.parametrize("name", ["", "gpu", "NumPy"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match="expected one of numpy, cupy, auto"):
        get_backend(name)


@pytest.mark.parametrize("thing", [None, 3, [], b"numpy"])
def test_other_things(thing):
    with pytest.raises(TypeError, match="expected a name or a backend object"):
        get_backend(thing)
