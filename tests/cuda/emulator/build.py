"""Libraries from C++ sources: compiled by g++, and kept by a digest of all that went into them."""

import functools
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .machine import EmulatorError

__all__ = ["CompileException", "build", "cache_folder", "compiler"]

HERE = Path(__file__).parent
FLAGS = [
    "-std=c++17",
    "-g1",  # line numbers, for the messages
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-gnu-unique",  # shared variables of templates are ordinary ones, to be found by nm
    "-ffp-contract=off",
    "-U_FORTIFY_SOURCE",  # whose longjmp refuses to change stacks
]


class CompileException(EmulatorError):
    """The source does not compile; the message is the compiler's."""


def _name():
    return os.environ.get("CXX", "g++")


@functools.cache
def compiler():
    """The version of g++ in words; None where there is none, or no Linux."""
    if sys.platform != "linux":
        return None
    try:
        command = [_name(), "--version"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def cache_folder():
    """The folder of compiled libraries, this user's own: nobody else may put one there."""
    folder = Path(tempfile.gettempdir()) / f"minigan-cuda-emulator-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
        raise EmulatorError(f"{folder} is not this user's alone: remove it")
    return folder


def build(source, flags, *libraries):
    """The path of a shared library of this C++ source."""
    header, this = (
        (HERE / "cuda.h").read_text(encoding="utf-8"),
        Path(__file__).read_text(encoding="utf-8"),
    )
    parts = [source, header, this, str(compiler()), *flags, *map(str, libraries)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    library = cache_folder() / f"{digest}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            Path(folder, "source.cpp").write_text(source, encoding="utf-8")
            run = functools.partial(_run, cwd=folder)
            run(*FLAGS, *flags, f"-I{HERE}", "-c", "source.cpp", "-o", "made.o")
            # without `flags`: -fsanitize would link the sanitizer's own library
            run("-shared", "-Wl,-Bsymbolic", "made.o", "-o", "made.so", *map(str, libraries))
            os.replace(Path(folder, "made.so"), library)
    return library


def _run(*arguments, cwd):
    result = subprocess.run([_name(), *arguments], capture_output=True, text=True, cwd=cwd)
    if result.returncode:
        raise CompileException(result.stderr)
