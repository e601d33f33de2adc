"""Matrix products by cuBLAS, called without CuPy.

CuPy refuses its own calls of cuBLAS while a stream is captured (cupy issue 6290; see `graph.py`),
and its `dot` cannot add to what is there. cuBLAS itself does both. It asks for two things:

    a stream         to which it then gives its kernels: the current one
    a workspace      memory for partial sums, which stays where it is: else it would look for some
                     at every call, and a graph would keep an address that is not its own

cuBLAS stores a matrix column by column, as Fortran does, and ours are stored row by row: what it
sees of each is the transpose. So it is asked for outᵀ = bᵀ aᵀ, and what it writes is out = a b.
Not yet run on a GPU.
"""

import ctypes
import sys
import threading
from ctypes import c_int, c_size_t, c_void_p

import numpy as np

__all__ = ["Cublas", "load"]

#: NVIDIA's advice for Hopper; older GPUs need less.
WORKSPACE = 32 << 20
NUMBER = {np.dtype("float32"): ctypes.c_float, np.dtype("float64"): ctypes.c_double}
GEMM = {np.dtype("float32"): "cublasSgemm_v2", np.dtype("float64"): "cublasDgemm_v2"}
AS_IT_IS, TRANSPOSED = 0, 1

#: A matrix: where it is, and how many numbers from one of its columns to the next.
MATRIX = c_void_p, c_int
#: The handle; whether a and b are transposed, m, n, k; alpha, a, b, beta, c.
PRODUCT = c_void_p, *[c_int] * 5, c_void_p, *MATRIX * 2, c_void_p, *MATRIX
#: function -> what it takes; each returns a status, 0 if all is well.
ARGUMENTS = {
    "cublasCreate_v2": (c_void_p,),
    "cublasSetStream_v2": (c_void_p, c_void_p),
    "cublasSetWorkspace_v2": (c_void_p, c_void_p, c_size_t),
    **dict.fromkeys(GEMM.values(), PRODUCT),
}
STATUS = {1: "NOT_INITIALIZED", 3: "ALLOC_FAILED", 7: "INVALID_VALUE", 8: "ARCH_MISMATCH"}
STATUS |= {11: "MAPPING_ERROR", 13: "EXECUTION_FAILED", 14: "INTERNAL_ERROR", 15: "NOT_SUPPORTED"}


def load(cupy):
    """The library, the one that CuPy has loaded."""
    cupy.cuda.Device().cublas_handle  # noqa: B018  (asked for it, CuPy loads the library)
    version = cupy.cuda.runtime.runtimeGetVersion() // 1000
    windows = sys.platform == "win32"
    return ctypes.CDLL(f"cublas64_{version}.dll" if windows else f"libcublas.so.{version}")


class Cublas(threading.local):
    """cuBLAS on the current device; each thread has a handle, which has a stream, of its own."""

    def __init__(self, cupy):
        self.cupy, self.library = cupy, load(cupy)
        for name, arguments in ARGUMENTS.items():
            getattr(self.library, name).argtypes = arguments
        self.workspace, self.stream = cupy.empty(WORKSPACE, "uint8"), None
        self.handle = c_void_p()
        self.call("cublasCreate_v2", ctypes.byref(self.handle))

    def call(self, name, *arguments):
        """Call a function; RuntimeError if it says that it could not."""
        status = getattr(self.library, name)(*arguments)
        if status:
            raise RuntimeError(f"{name}: CUBLAS_STATUS_{STATUS.get(status, status)}")

    def product(self, out, a, b, sizes, accumulate):
        """out (m, n) = a (m, k) b (k, n), or out += a b; sizes: m, n, k, all above 0.

        a and b: arrays, each with its distances in memory from row to row and column to column,
        of which one is 1.
        """
        self.use_current_stream()
        (m, n, k), number = sizes, NUMBER[out.dtype]
        one, beta = ctypes.byref(number(1)), ctypes.byref(number(accumulate))
        (a_is, *of_a), (b_is, *of_b) = operand(*a), operand(*b)
        factors = one, *of_b, *of_a, beta
        self.call(GEMM[out.dtype], self.handle, b_is, a_is, n, m, k, *factors, out.data.ptr, n)

    def use_current_stream(self):
        """Another stream takes the workspace away."""
        stream = self.cupy.cuda.get_current_stream().ptr
        if stream != self.stream:
            self.call("cublasSetStream_v2", self.handle, stream)
            memory = self.workspace.data.ptr, WORKSPACE
            self.call("cublasSetWorkspace_v2", self.handle, *memory)
            self.stream = stream


def operand(x, row, column):
    """How cuBLAS takes x, where it is, and the distance from one of its columns to the next."""
    return (AS_IT_IS, x.data.ptr, row) if column == 1 else (TRANSPOSED, x.data.ptr, column)
