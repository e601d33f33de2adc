"""`RawModule`: CUDA source compiled by g++, and its kernels, launched as CuPy launches them.

CuPy passes what it is given: an int32 array to a `float*`, a Python float (8 bytes) to a `float`,
a view to a kernel that takes it for contiguous. Nothing complains, and the numbers are wrong. Here
each of these is an error.
"""

import ctypes
import functools
import re
import subprocess
from typing import NamedTuple

import numpy as np

from .arrays import ndarray
from .build import HERE, CompileException, build
from .machine import EmulatorError, machine
from .streams import capturing

__all__ = ["CompileException", "RawModule"]

FLAGS = [
    "-O1",
    "-fsanitize=thread",  # only the calls of __tsan_*: runtime.cpp has its own
    "--param=tsan-instrument-func-entry-exit=0",
    "-fsanitize=signed-integer-overflow,integer-divide-by-zero,shift,bounds,alignment,"
    "float-cast-overflow",
    "-Werror=double-promotion",  # double arithmetic in a float kernel: slow on a GPU
    "-Werror=return-type",
    "-Wno-unknown-pragmas",
]
#: What every CUDA device can do.
MAX_THREADS, MAX_GRID, MAX_SHARED = 1024, (2**31 - 1, 65535, 65535), 48 << 10


class Region(ctypes.Structure):
    """EmuRegion in runtime.cpp: memory that a kernel may touch."""

    _fields_ = (
        ("base", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("granule", ctypes.c_int),
        ("shared", ctypes.c_int),
        ("name", ctypes.c_char_p),
    )


class Traffic(ctypes.Structure):
    """EmuTraffic in runtime.cpp: what all warps together asked of memory at one instruction."""

    _fields_ = (
        ("pc", ctypes.c_void_p),
        ("shared", ctypes.c_int),
        ("passes", ctypes.c_long),
        ("ideal", ctypes.c_long),
    )


class Parameter(ctypes.Structure):
    """EmuParameter in cuda.h: what a kernel takes."""

    _fields_ = (("pointer", ctypes.c_bool), ("kind", ctypes.c_char), ("size", ctypes.c_char))

    @property
    def type(self):
        """As `type_of` an array: "f4" is a float."""
        return f"{self.kind.decode()}{self.size[0]}"


class Entry(ctypes.Structure):
    """EmuEntry in cuda.h: a kernel."""

    _fields_ = (
        ("call", ctypes.c_void_p),
        ("parameters", ctypes.POINTER(Parameter)),
        ("count", ctypes.c_int),
    )


def type_of(dtype):
    return f"{dtype.kind}{dtype.itemsize}"


@functools.cache
def runtime():
    """The library that runs and checks threads, and its path."""
    path = build(
        (HERE / "runtime.cpp").read_text(encoding="utf-8"), ["-O2", "-fvisibility=default"]
    )
    library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    library.emu_message.restype = ctypes.c_char_p
    library.emu_where.restype = ctypes.c_void_p
    library.emu_traffic.restype = ctypes.POINTER(Traffic)
    return library, path


class RawModule:
    """Like `cupy.RawModule(code=..., options=(...), name_expressions=[...])`."""

    def __init__(self, *, code, options=(), name_expressions):
        if not any(option.startswith(("-std=", "--std=")) for option in options):
            raise EmulatorError("name_expressions need an option such as -std=c++17")
        self.code, self.options, self.names = code, tuple(options), list(name_expressions)
        self._compiled = None

    def compile(self):
        """Raises CompileException."""
        if self._compiled is None:
            self._compiled = Compiled(self.code, self.options, self.names)

    def get_function(self, name):
        """The kernel of that name expression; the first call compiles all of them."""
        self.compile()
        if name not in self._compiled.entries:
            raise EmulatorError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}")
        return functools.partial(launch, self._compiled, name)


class Compiled:
    """A module's library: entries (name -> Entry), and what it takes to name a place in it."""

    def __init__(self, code, options, names):
        self.code = code
        defines = [option for option in options if option.startswith("-D")]
        self.path = build(_as_cpp(code, names), FLAGS + defines, runtime()[1])
        library = ctypes.CDLL(str(self.path))
        self.entries = dict(
            zip(names, (Entry * len(names)).in_dll(library, "emu_table"), strict=True)
        )
        library.emu_bss.restype = ctypes.c_void_p
        self._symbols = self._find_symbols(library.emu_bss())
        self.shared = {name: self._shared_variables(name) for name in names}

    def _find_symbols(self, bss):
        """(start, size, name) of the variables in the library's .bss: the __shared__ ones."""
        listing = subprocess.run(
            ["nm", "-SC", self.path], capture_output=True, text=True, check=True
        )
        lines = [line.split(None, 3) for line in listing.stdout.splitlines()]
        start = next(int(line[0], 16) for line in lines if line[-1] == "__bss_start")
        self._base = bss - start
        return [
            (self._base + int(line[0], 16), int(line[1], 16), line[3])
            for line in lines
            if len(line) == 4 and line[2] in "bB" and "::" in line[3]
        ]

    def _shared_variables(self, kernel):
        """Regions of the shared memory that this kernel, or a function that is none, declares."""
        found = []
        for start, size, symbol in self._symbols:
            function, variable = symbol.split("(")[0], symbol.split("::")[-1]
            if function == kernel or function.split("<")[0] not in self._kernels():
                found.append(Region(start, size, 4, 1, f"shared {variable}".encode()))
        return found

    def _kernels(self):
        return {name.split("<")[0] for name in self.entries}

    def lines(self, pcs):
        """The lines of the source that these program counters stand at."""
        places = [hex(pc - 1 - self._base) for pc in pcs]
        command = ["addr2line", "-a", "-i", "-e", self.path, *places]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = re.findall(r"^0x[0-9a-f]+\n.*?:(\d+)", answer, re.MULTILINE)
        return [self.code.splitlines()[int(line) - 1].strip() for line in found]

    def place(self, pc, line):
        """The line of the source that a program counter stands at, in words."""
        if pc:
            command = ["addr2line", "-i", "-e", self.path, hex(pc - 1 - self._base)]
            answer = subprocess.run(command, capture_output=True, text=True).stdout
            found = re.search(r"(?:kernels\.cu|source\.cpp):(\d+)", answer)
            line = int(found[1]) if found else 0
        return f"\n  line {line}: {self.code.splitlines()[line - 1].strip()}" if line else ""


def _as_cpp(code, names):
    """The kernels as C++ with a table of them."""
    dynamic = r"extern\s+__shared__\s+(?:__align__\(\d+\)\s*)?(.+?)\s+(\w+)\s*\[\s*\]\s*;"
    code = re.sub(dynamic, r"\1* \2 = (\1*)emu_dynamic_shared();", code)
    return "\n".join([
        '#include "cuda.h"',
        '#line 1 "kernels.cu"',
        code,
        '#line 1 "table"',
        '#define EMU_EXPORT extern "C" __attribute__((visibility("default")))',
        "EMU_EXPORT const EmuEntry emu_table[] = {",
        *(f"EMU_ENTRY({name})," for name in names),
        "};",
        "EMU_EXPORT char* emu_bss() { return __bss_start; }",
    ])  # fmt: skip


# --- Launches ------------------------------------------------------------------------------------


class Argument(NamedTuple):
    """An argument's bytes, and for an array the memory that it stands for."""

    buffer: ctypes.Array
    region: Region | None = None


def launch(module, name, grid, block, args, *, shared_mem=0):
    """Run a kernel for all its threads, or note it in the graph that is captured.

    Raises EmulatorError, or TypeError for wrong arguments.
    """
    grid, block = _size(name, "grid", grid), _size(name, "block", block)
    threads = block[0] * block[1] * block[2]
    if threads > MAX_THREADS or block[2] > 64 or any(map(int.__gt__, grid, MAX_GRID)):
        raise EmulatorError(f"CUDA_ERROR_INVALID_VALUE: {name}: grid {grid}, block {block}")
    if shared_mem > MAX_SHARED:
        raise EmulatorError(f"CUDA_ERROR_INVALID_VALUE: {name}: shared_mem {shared_mem}")
    entry = module.entries[name]
    if len(args) != entry.count:
        raise EmulatorError(f"{name} takes {entry.count} arguments, got {len(args)}")
    arguments = [
        _argument(f"{name}, argument {i}", value, entry.parameters[i])
        for i, value in enumerate(args)
    ]
    run = functools.partial(_run, module, name, grid, block, arguments, shared_mem)
    if capturing() is None:
        machine.operations.append(name.split("<")[0])
        run()
    else:
        capturing().note(run, [value._host for value in args if isinstance(value, ndarray)])


def _size(name, what, size):
    if not isinstance(size, tuple) or not all(isinstance(n, (int, np.integer)) for n in size):
        raise TypeError(f"{name}: {what} must be a tuple of integers, got {size!r}")
    return tuple(max(1, int(n)) for n in (*size, 1, 1)[:3])  # CuPy makes 1 of 0


def _argument(where, value, parameter):
    if not parameter.pointer:
        return _scalar(where, value, parameter)
    if not isinstance(value, ndarray):
        raise TypeError(f"{where}: expected a device array, got {type(value).__name__}")
    array = value._host
    if type_of(array.dtype) != parameter.type:
        raise EmulatorError(f"{where}: an array of {array.dtype} for a pointer to {parameter.type}")
    if not array.flags.c_contiguous:
        raise EmulatorError(f"{where}: not C-contiguous, and a kernel sees the memory alone")
    label = f"argument {where.split()[-1]} {array.shape}"
    granule = min(4, array.dtype.itemsize)
    region = Region(array.ctypes.data, array.nbytes, granule, 0, label.encode())
    return Argument(ctypes.c_void_p(array.ctypes.data), region)


def _scalar(where, value, parameter):
    python = {bool: np.bool_, int: np.int64, float: np.float64}  # what CuPy makes of them
    number = python[type(value)](value) if type(value) in python else value
    if not isinstance(number, np.generic) or type_of(number.dtype) != parameter.type:
        found = f"{type(value).__name__} ({getattr(number, 'dtype', 'no number')})"
        raise EmulatorError(f"{where}: got {found}, the kernel takes {parameter.type}")
    return Argument(ctypes.create_string_buffer(number.tobytes()))


def _run(module, name, grid, block, arguments, shared_mem):
    machine.launches.append((name, grid, block))
    if not machine.runs:
        return
    library, _ = runtime()
    regions = [a.region for a in arguments if a.region] + module.shared[name]
    pointers = [ctypes.addressof(a.buffer) for a in arguments]
    good = library.emu_launch(
        ctypes.c_void_p(module.entries[name].call),
        (ctypes.c_void_p * len(pointers))(*pointers),
        (ctypes.c_uint * 3)(*grid),
        (ctypes.c_uint * 3)(*block),
        ctypes.c_size_t(shared_mem),
        (Region * len(regions))(*regions),
        len(regions),
        machine.order,
        machine.checks,
        machine.traffic is not None,
    )
    if machine.traffic is not None:
        table = library.emu_traffic()[: library.emu_traffic_count()]
        lines = module.lines([row.pc for row in table])
        machine.traffic += [
            (name.split("<")[0], line, bool(row.shared), row.passes, row.ideal)
            for row, line in zip(table, lines, strict=True)
        ]
    if not good:
        place = module.place(library.emu_where(), library.emu_where_line())
        raise EmulatorError(f"{name}: {library.emu_message().decode()}{place}")
