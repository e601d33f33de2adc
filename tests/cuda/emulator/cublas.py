"""What the library calls of cuBLAS, as functions of C: matrices are stored column by column."""

import ctypes
from ctypes import c_int, c_size_t, c_void_p
from types import SimpleNamespace

import numpy as np

from .memory import at
from .streams import current, operate

__all__ = ["load"]

SUCCESS, INVALID_VALUE, MAPPING_ERROR = 0, 7, 11
HANDLE, TRANSPOSED = 4321, 1


def load(cupy):
    """In the place of `ctypes.CDLL`."""
    state = SimpleNamespace(stream=0, workspace=None)

    def create(place):
        c_void_p.from_address(place).value = HANDLE
        return SUCCESS

    def set_stream(handle, stream):
        state.stream, state.workspace = stream or 0, None
        return SUCCESS if handle == HANDLE else INVALID_VALUE

    def set_workspace(handle, place, size):
        state.workspace = at(place, (size,), np.uint8)
        return SUCCESS if handle == HANDLE and size else INVALID_VALUE

    def gemm(dtype, handle, a_is, b_is, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        if handle != HANDLE or min(m, n, k) < 0 or state.workspace is None:
            return INVALID_VALUE
        if state.stream != current[-1].ptr:
            return MAPPING_ERROR  # in truth, it would run beside what it must wait for
        shapes = [(k, m) if a_is else (m, k), (n, k) if b_is else (k, n), (m, n)]
        if any(
            distance < max(1, s[0]) for distance, s in zip((lda, ldb, ldc), shapes, strict=True)
        ):
            return INVALID_VALUE
        number = {"f": ctypes.c_float, "d": ctypes.c_double}[dtype.char].from_address
        alpha, beta = number(alpha).value, number(beta).value  # read at once, by the host
        a, b, c = (
            columns(place, shape, distance, dtype)
            for place, shape, distance in zip((a, b, c), shapes, (lda, ldb, ldc), strict=True)
        )
        a, b = a.T if a_is else a, b.T if b_is else b

        def sgemm(a, b, c):
            old = beta * c if beta else 0  # by a beta of 0, not even NaN stays
            c[...] = dtype.type(alpha) * (a @ b) + old

        operate(sgemm, (a, b, c), {}, c)
        return SUCCESS

    def function(python, *arguments):
        return ctypes.CFUNCTYPE(c_int, *arguments)(python)

    def gemm_of(dtype):
        matrix = c_void_p, c_int
        arguments = c_void_p, *[c_int] * 5, c_void_p, *matrix, *matrix, c_void_p, *matrix
        return function(lambda *given: gemm(np.dtype(dtype), *given), *arguments)

    return SimpleNamespace(
        cublasCreate_v2=function(create, c_void_p),
        cublasSetStream_v2=function(set_stream, c_void_p, c_void_p),
        cublasSetWorkspace_v2=function(set_workspace, c_void_p, c_void_p, c_size_t),
        cublasSgemm_v2=gemm_of("float32"),
        cublasDgemm_v2=gemm_of("float64"),
    )


def columns(place, shape, distance, dtype):
    """The matrix of that shape at an address, its columns so many numbers apart."""
    return at(place, shape, dtype, (dtype.itemsize, distance * dtype.itemsize))
