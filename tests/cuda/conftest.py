"""CUDA without a GPU: an emulator stands in for CuPy, NVRTC compiles for GPUs not at hand."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `import emulator`, `import nvrtc`

import emulator as stand_in
import nvrtc as compiler

#: Where these tests must run, so that something missing is an error and no reason to skip.
MUST_RUN = any(os.environ.get(name) for name in ("CI", "MINIGAN_DATA"))


def missing(what):
    if MUST_RUN:
        pytest.fail(f"{what}; with CI or MINIGAN_DATA set these tests must run", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def emulator():
    """The emulated CuPy, running threads in rising order, with nothing in its logs."""
    if stand_in.compiler() is None:
        missing("no C++ compiler: install g++, or name one in CXX")
    return stand_in


@pytest.fixture(scope="session")
def nvrtc():
    if compiler.library_path() is None:
        missing("NVRTC is not installed: pip install nvidia-cuda-nvrtc")
    return compiler


@pytest.fixture(autouse=True)
def _fresh_machine():
    machine = stand_in.machine
    machine.order, machine.checks = 0, True
    machine.launches.clear()
    machine.host_reads.clear()
