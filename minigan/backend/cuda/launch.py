"""Launching the kernels of `kernels.cu`: compiled once, every argument checked before a launch.

A kernel sees raw memory. Given an array of another dtype, a transposed view or a Python float where
it expects a float32, it computes nonsense and says nothing. So nothing reaches a kernel unchecked.
"""

import math
import re
from functools import cache
from pathlib import Path

import numpy as np

from minigan.backend.cuda.graph import number

__all__ = [
    "LIMIT",
    "THREADS",
    "Launching",
    "ceil_div",
    "kernel_names",
    "product_grid",
    "source",
]

OPTIONS = ("-std=c++17",)
TYPES = {np.dtype("float32"): "float", np.dtype("float64"): "double"}

#: Threads of every block, as in `kernels.cu`.
THREADS = 256
#: A block's tile of a matrix product, likewise.
SIDE = 64
#: Enough to fill any GPU; with more, every thread of a grid-stride loop would do less.
MOST_BLOCKS = 4096
#: Kernels count in 32-bit integers, and a grid-stride loop counts one stride too far.
LIMIT = 2**31 - 1 - THREADS * MOST_BLOCKS

#: Rows that a thread adds up before its block's sum is taken; most partial sums of a column.
ROWS_EACH, MOST_PARTS = 16, 256
#: Rows of a thread that sums nothing: few, so that there are many threads.
FEW_ROWS = 4
#: Single numbers in one array: who keeps one of them keeps all.
NUMBERS = 256


@cache
def source():
    """The text of `kernels.cu`, read when a first kernel is needed."""
    return Path(__file__).with_name("kernels.cu").read_text(encoding="utf-8")


@cache
def kernel_names():
    """The names of all kernels, in the order of the file."""
    return tuple(re.findall(r"__global__ void (\w+)\(", source()))


def ceil_div(a, b):
    """⌈a / b⌉ of integers."""
    return -(-a // b)


def product_grid(rows, columns):
    """The grid of a matrix product with a result (rows, columns): a block for each tile."""
    return ceil_div(rows, SIDE), ceil_div(columns, SIDE)


class Launching:
    """What every operation of `CupyBackend` is made of: checks, and launches."""

    name = "cupy"

    def __init__(self, cupy):
        self.xp = cupy
        self.device = cupy.cuda.runtime.getDevice()
        self._modules, self._functions = {}, {}
        self._numbers, self._counters = {}, {}

    # Checks ------------------------------------------------------------------------------------

    def check(self, x, what="array"):
        """Raise TypeError unless `x` is an array of this backend, on its GPU."""
        if not isinstance(x, self.xp.ndarray):
            raise TypeError(
                f"{what}: expected a cupy.ndarray for the cupy backend, got "
                f"{type(x).__module__}.{type(x).__name__}; convert it with backend.asarray(...)"
            )
        if x.device.id != self.device:
            raise TypeError(
                f"{what}: expected an array on GPU {self.device}, got one on GPU {x.device.id}"
            )

    def _check_float(self, what, x):
        self.check(x, what)
        if x.dtype not in TYPES:
            raise TypeError(f"{what}: expected float32 or float64, got {x.dtype}")

    def _float(self, what, x):
        """x as a kernel may read it, float32 or float64; what goes with it must be the same."""
        self._check_float(what, x)
        return self._read(what, x, x.dtype, x.shape)

    def _read(self, what, x, dtype, shape):
        """x as a kernel may read it: of that dtype and shape, contiguous (copied if it is not)."""
        self._expect(what, x, dtype, shape)
        return x if x.flags.c_contiguous else self.xp.ascontiguousarray(x)

    def _write(self, what, x, dtype, shape):
        """x as a kernel may write it: the array itself, which must be contiguous."""
        self._expect(what, x, dtype, shape)
        if not x.flags.c_contiguous:
            raise ValueError(f"{what}: expected a C-contiguous array, as it is written in place")
        return x

    def _expect(self, what, x, dtype, shape):
        self.check(x, what)
        if x.dtype != dtype:
            raise TypeError(f"{what}: expected {dtype}, got {x.dtype}")
        if x.shape != shape:
            raise ValueError(f"{what}: expected shape {shape}, got {x.shape}")
        self._check_size(what, x.size)

    def _check_size(self, what, size):
        if size > LIMIT:
            raise ValueError(f"{what}: expected at most {LIMIT} numbers in one array, got {size}")

    def _new(self, what, shape, dtype):
        """An array for a kernel to write, uninitialised; ValueError if kernels cannot count so far.

        Asked before anything is launched: a kernel's indices would wrap and hit other memory.
        """
        self._check_size(what, math.prod(shape))
        return self.xp.empty(shape, dtype)

    # Launches ----------------------------------------------------------------------------------

    def _launch(self, name, dtype, grid, *arguments):
        """Run kernel `name`<dtype> on a grid of blocks (x, y, z), none of them 0.

        Arrays are passed as they are, integers as int32, floats in `dtype`: CuPy would pass a
        Python float as a double, whatever the kernel expects.
        """
        exact = {int: np.int32, bool: np.int32, float: dtype.type}
        arguments = tuple([exact[type(a)](a) if type(a) in exact else a for a in arguments])
        self._function(name, dtype)(grid, (THREADS,), arguments)

    def _for_each(self, name, dtype, n, *arguments):
        """Run a kernel with a grid-stride loop over n numbers."""
        if n:
            self._launch(name, dtype, (min(ceil_div(n, THREADS), MOST_BLOCKS),), *arguments)

    def _function(self, name, dtype):
        function = self._functions.get((name, dtype))
        if function is None:
            function = self._functions[name, dtype] = self._module(dtype).get_function(
                f"{name}<{TYPES[dtype]}>"
            )
        return function

    def _module(self, dtype):
        """All kernels for that dtype, compiled when the first of them is needed."""
        if dtype not in self._modules:
            names = [f"{name}<{TYPES[dtype]}>" for name in kernel_names()]
            # CuPy writes the code to a file in the locale's encoding, which may lack our Σ
            code = source().encode("ascii", "xmlcharrefreplace").decode()
            self._modules[dtype] = self.xp.RawModule(
                code=code, options=OPTIONS, name_expressions=names
            )
        return self._modules[dtype]

    # Sums over the rows of a matrix ------------------------------------------------------------

    def _over_tiles(self, name, dtype, shape, arrays, *numbers, sums=0):
        """Run a kernel over the tiles of a (rows, columns) matrix.

        sums: how many each column has, of all rows; then the kernel also takes the place for
        partial sums and the counters of blocks. See section 4 there.
        """
        rows, columns = shape
        width = min(32, 1 << (columns - 1).bit_length())
        across = ceil_div(columns, width)
        each, most = (ROWS_EACH, MOST_PARTS) if sums else (FEW_ROWS, MOST_BLOCKS // across)
        parts = max(1, min(ceil_div(rows, THREADS // width * each), most))
        if sums:
            partial = self._new("partial sums", (parts, sums * columns), dtype)
            arrays = *arrays, partial, self._block_counters(across)
        self._launch(name, dtype, (across, parts), *arrays, rows, columns, width, *numbers)

    def _block_counters(self, count):
        """`count` zeros, uint32, with which blocks count themselves: they leave zeros behind."""
        if count not in self._counters:
            self._counters[count] = self.xp.zeros(count, "uint32")
        return self._counters[count]

    def _column_sums(self, x, out, accumulate=False, scale=1.0):
        """out (columns,) = (or +=) scale · Σ x (rows, columns) over the rows; and `out`."""
        self._over_tiles("column_sums", x.dtype, x.shape, (x, out), accumulate, scale, sums=1)
        return out

    def _number(self, dtype):
        """A number () for a kernel to write. An array of its own would take 512 bytes.

        A graph has numbers of its own: it writes there again, when others may own such an array.
        """
        of_graph = number(dtype)
        if of_graph is not None:
            return of_graph
        if dtype not in self._numbers:
            self._numbers[dtype] = self._deal(dtype)
        return next(self._numbers[dtype])

    def _deal(self, dtype):
        while True:
            yield from self.xp.empty(NUMBERS, dtype)
