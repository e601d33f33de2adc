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

#: Functions that NumPy and CuPy share, of those that the library needs.
SHARED = (
    "abs add all any arange ascontiguousarray broadcast_to clip concatenate copyto cos divide dot "
    "einsum equal exp expm1 full full_like greater isfinite less log log1p logaddexp logical_and "
    "matmul max maximum mean min minimum multiply negative ones ones_like pad power sign sin sqrt "
    "square stack std subtract sum tanh tensordot transpose var vdot where zeros zeros_like"
).split()
globals().update({name: lifted(getattr(np, name)) for name in SHARED})

__version__ = "emulated"
float32, float64, int32, int64, uint32 = np.float32, np.float64, np.int32, np.int64, np.uint32
bool_, newaxis, inf, nan, pi = np.bool_, np.newaxis, np.inf, np.nan, np.pi
linalg = SimpleNamespace(norm=lifted(np.linalg.norm))


class _Device:
    """`cupy.cuda.Device`: there is one, and it is never busy."""

    compute_capability = "90"

    def __init__(self, id=0):
        self.id = id

    def synchronize(self):
        machine.log_host_read("synchronize()")


cuda = SimpleNamespace(
    Device=_Device,
    get_current_stream=_Device,
    is_available=lambda: True,
    compiler=SimpleNamespace(CompileException=CompileException),
    runtime=SimpleNamespace(
        CUDARuntimeError=EmulatorError,
        driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 13000,
        getDeviceCount=lambda: 1,
        getDevice=lambda: 0,
        getDeviceProperties=lambda device: {
            "name": b"CPU emulator",
            "major": 9,
            "minor": 0,
            "multiProcessorCount": 4,
            "totalGlobalMem": 1 << 33,
        },
        deviceSynchronize=lambda: machine.log_host_read("deviceSynchronize()"),
    ),
)

__all__ = ["EmulatorError", "RawModule", "asarray", "asnumpy", "compiler", "cuda", "empty",
           "empty_like", "machine", "ndarray", *SHARED]  # fmt: skip
