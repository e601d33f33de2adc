"""CUDA without a GPU: an emulator stands in for CuPy, NVRTC compiles for GPUs not at hand."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the modules beside the tests

import devices
import emulator as stand_in
import nvrtc as compiler


@pytest.fixture(scope="session")
def emulator():
    """The emulated CuPy."""
    if stand_in.compiler() is None:
        devices.missing("the CUDA emulator needs Linux and g++, or another compiler named in CXX")
    return stand_in


@pytest.fixture(scope="session")
def nvrtc():
    if compiler.library_path() is None:
        devices.missing("NVRTC is not installed: pip install nvidia-cuda-nvrtc")
    return compiler


@pytest.fixture(autouse=True)
def _fresh_machine():
    machine = stand_in.machine
    machine.order, machine.runs, machine.checks = 0, True, True
    machine.traffic = None
    machine.launches.clear()
    machine.host_reads.clear()
    machine.graphs.clear()
    machine.operations.clear()


@pytest.fixture(scope="session", params=devices.machines())
def device(request):
    """A `CupyBackend` with its defaults, on the emulator and, if there is one, on the GPU."""
    return devices.make_backend(request.param)


@pytest.fixture(scope="session")
def own_kernels(device):
    """The same with our own kernels in place of cuBLAS and the stored columns."""
    machine = "emulator" if device.xp is stand_in else "gpu"
    return devices.make_backend(machine, products="tiled", convolutions="direct")


@pytest.fixture(scope="session")
def emulated(emulator):
    """The backend on the emulator alone, for tests that look into its logs."""
    return devices.make_backend("emulator")


@pytest.fixture(scope="session")
def own_emulated(emulator):
    return devices.make_backend("emulator", products="tiled", convolutions="direct")
