"""NVIDIA's run-time compiler by ctypes: compiles for a GPU without having one, or a driver.

Comes with `pip install nvidia-cuda-nvrtc`. (NVRTC's documentation: docs.nvidia.com/cuda/nvrtc)
"""

import ctypes
import functools
import re
from importlib.metadata import PackageNotFoundError, files
from typing import NamedTuple

from minigan.backend.cuda import launch

__all__ = ["OPTIONS", "CompileError", "Compiled", "compile_cuda", "library_path"]

#: Ours, and what CuPy 14 adds to them (in cupy/cuda/compiler.py): compiled is what will run.
OPTIONS = (*launch.OPTIONS, "-ftz=true", "--device-as-default-execution-space")


class CompileError(RuntimeError):
    """The source does not compile; the message is NVRTC's log."""


def library_path():
    """Where pip put libnvrtc, or None. The package's name and layout differ between versions."""
    for package in ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu13", "nvidia-cuda-nvrtc-cu12"):
        try:
            listed = files(package) or ()
        except PackageNotFoundError:
            continue
        for path in listed:
            if re.fullmatch(r"libnvrtc\.so\.\d+", path.name) and path.locate().exists():
                return path.locate()
    return None


@functools.cache
def _library():
    return ctypes.CDLL(str(library_path()))


def _call(function, *arguments):
    result = getattr(_library(), function)(*arguments)
    if result:
        _library().nvrtcGetErrorString.restype = ctypes.c_char_p
        raise CompileError(f"{function}: {_library().nvrtcGetErrorString(result).decode()}")


def _read(program, kind):
    """What the program holds of that kind: "ProgramLog", "PTX" or "CUBIN"."""
    size = ctypes.c_size_t()
    _call(f"nvrtcGet{kind}Size", program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    _call(f"nvrtcGet{kind}", program, text)
    return text.raw.rstrip(b"\0") if kind != "CUBIN" else text.raw


class Compiled(NamedTuple):
    """code: bytes. symbols: name -> the name that each kernel has in it. log: the compiler's."""

    code: bytes
    symbols: dict
    log: str


def compile_cuda(source, target, names, options=OPTIONS):
    """`Compiled`, for a target: "sm_80" gives machine code, "compute_80" NVIDIA's assembly, PTX.

    names: name expressions, such as "adam<float>".
    """
    program = ctypes.c_void_p()
    _call(
        "nvrtcCreateProgram", ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None
    )
    try:
        for name in names:
            _call("nvrtcAddNameExpression", program, name.encode())
        flags = [option.encode() for option in (f"--gpu-architecture={target}", *options)]
        try:
            _call(
                "nvrtcCompileProgram", program, len(flags), (ctypes.c_char_p * len(flags))(*flags)
            )
        except CompileError as error:
            raise CompileError(f"{error}\n{_read(program, 'ProgramLog').decode()}") from None
        lowered = {name: _lowered(program, name) for name in names}
        code = _read(program, "CUBIN" if target.startswith("sm_") else "PTX")
        return Compiled(code, lowered, _read(program, "ProgramLog").decode())
    finally:
        _call("nvrtcDestroyProgram", ctypes.byref(program))


def _lowered(program, name):
    found = ctypes.c_char_p()
    _call("nvrtcGetLoweredName", program, name.encode(), ctypes.byref(found))
    return found.value.decode()
