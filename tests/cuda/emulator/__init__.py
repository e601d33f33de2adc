"""A stand-in for `cupy` without a GPU: CUDA kernels run on the CPU, and are checked as they run.

    sys.modules["cupy"] = emulator

A kernel that reads or writes out of bounds, that races, that forgets a barrier or reads shared
memory that nobody wrote raises an EmulatorError that names the line. `machine` says in which order
threads run and remembers every launch. Streams, memory pools and the rounding of fused
multiply-adds are not emulated; times mean nothing.
"""

from types import SimpleNamespace

import numpy as np

from .arrays import asarray, asnumpy, empty, empty_like, lifted, ndarray
from .build import compiler
from .machine import EmulatorError, machine
from .module import CompileException, RawModule

#: Functions that NumPy and CuPy share, of those that the library and the tests need.
SHARED = (
    "add any ascontiguousarray broadcast_to clip concatenate cos dot einsum exp expm1 full "
    "isfinite log1p maximum minimum moveaxis multiply ones ones_like pad shares_memory sign "
    "sin split sqrt tanh where zeros zeros_like"
).split()
globals().update({name: lifted(getattr(np, name)) for name in SHARED})

__version__ = "emulated"
finfo = np.finfo  # CuPy's own is NumPy's, too


def gemm(transa, transb, a, b, out=None, alpha=1.0, beta=0.0):
    """out = alpha · a b + beta · out, as cuBLAS has it, of arrays that are not to be transposed."""
    if (transa, transb) != ("N", "N") or not a.size or not b.size:
        raise EmulatorError("the emulated gemm takes no transposes, and cuBLAS nothing of size 0")
    product = alpha * (a._host @ b._host)
    out._host[...] = product + beta * out._host if beta else product
    machine.operations.append("gemm")
    return out


cublas = SimpleNamespace(gemm=gemm)
cuda = SimpleNamespace(
    runtime=SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDevice=lambda: 0,
        getDeviceProperties=lambda device: {"name": b"CPU emulator", "major": 9, "minor": 0},
        runtimeGetVersion=lambda: 13000,
    )
)

__all__ = ["CompileException", "EmulatorError", "RawModule", "asarray", "asnumpy", "compiler",
           "cublas", "cuda", "empty", "empty_like", "finfo", "machine", "ndarray",
           *SHARED]  # fmt: skip
