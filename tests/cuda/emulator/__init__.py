"""A stand-in for `cupy` without a GPU: CUDA kernels run on the CPU, and are checked as they run.

    sys.modules["cupy"] = emulator

A kernel that reads or writes out of bounds, that races, that forgets a barrier or reads shared
memory that nobody wrote raises an EmulatorError that names the line. `machine` says in which order
threads run and remembers every launch. Streams can be captured, and what they hold is then launched
as a graph; pools give freed memory to the next array. That streams run beside each other and the
rounding of fused multiply-adds are not emulated; times mean nothing.
"""

from types import SimpleNamespace

import numpy as np

from .arrays import asarray, asnumpy, empty, empty_like, lifted, ndarray
from .build import compiler
from .cublas import load as load_cublas
from .machine import EmulatorError, machine
from .memory import Pool, using_allocator
from .module import CompileException, RawModule
from .streams import Graph, Stream, get_current_stream

#: Functions that NumPy and CuPy share, of those that the library and the tests need.
SHARED = (
    "add any ascontiguousarray broadcast_to clip concatenate cos dot einsum exp expm1 full "
    "isfinite log1p maximum minimum moveaxis multiply ones ones_like pad shares_memory sign "
    "sin split sqrt tanh where zeros zeros_like"
).split()
globals().update({name: lifted(getattr(np, name)) for name in SHARED})

__version__ = "emulated"
finfo = np.finfo  # CuPy's own is NumPy's, too

cuda = SimpleNamespace(
    runtime=SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDevice=lambda: 0,
        getDeviceProperties=lambda device: {"name": b"CPU emulator", "major": 9, "minor": 0},
        runtimeGetVersion=lambda: 13000,
    ),
    Graph=Graph,
    MemoryPool=Pool,
    Stream=Stream,
    get_current_stream=get_current_stream,
    using_allocator=using_allocator,
)

__all__ = ["CompileException", "EmulatorError", "RawModule", "asarray", "asnumpy", "compiler",
           "cuda", "empty", "empty_like", "finfo", "load_cublas", "machine", "ndarray",
           *SHARED]  # fmt: skip
