"""The machines that these tests run on: the emulator, and a GPU if there is one."""

import contextlib
import os
import sys

import emulator
import pytest

from minigan.backend import BackendUnavailable, CupyBackend, get_backend
from minigan.backend.cuda import cublas

__all__ = ["MUST_RUN", "emulated_cupy", "machines", "make_backend", "missing", "orders"]

#: Where these tests must run, so that something missing is an error and no reason to skip.
MUST_RUN = any(os.environ.get(name) for name in ("CI", "MINIGAN_DATA"))
#: Where they must run on a GPU: see tests/benchmarks/gpu.sh.
MUST_RUN_ON_GPU = bool(os.environ.get("MINIGAN_GPU"))


def missing(what):
    if MUST_RUN:
        pytest.fail(f"{what}; with CI or MINIGAN_DATA set these tests must run", pytrace=False)
    pytest.skip(what)


@contextlib.contextmanager
def emulated_cupy():
    """`import cupy` gives the emulator, and its cuBLAS that of the emulator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", emulator)
        patch.setattr(cublas, "load", emulator.load_cublas)
        yield


def machines():
    """ "emulator", and "gpu" where CuPy works; "gpu" alone, or an error, where it must."""
    try:
        get_backend("cupy")
    except BackendUnavailable:
        if MUST_RUN_ON_GPU:
            raise
        return ["emulator"]
    return ["gpu"] if MUST_RUN_ON_GPU else ["emulator", "gpu"]


def make_backend(machine, **options):
    if machine == "gpu":
        return CupyBackend(**options)
    if emulator.compiler() is None:
        missing("the CUDA emulator needs Linux and g++, or another compiler named in CXX")
    with emulated_cupy():
        return CupyBackend(**options)


def orders(backend):
    """Run a loop's body once for each order of threads; on a GPU twice, in whatever order."""
    if backend.xp is not emulator:
        yield from range(2)
        return
    for order in (0, 1, 7):
        emulator.machine.order = order
        yield order
    emulator.machine.order = 0
