"""Choosing a backend by name, on machines of every kind.

CuPy is a stand-in here, a module in `sys.modules`: absent, broken, without a GPU, with one that is
too old, with a driver that fails, with a GPU whose numbers are wrong.
"""

import copy
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import minigan
from minigan import BackendUnavailable, get_backend
from minigan.backend import CupyBackend, NumpyBackend, why
from minigan.backend.cuda import backend, detect

H200 = {"name": b"NVIDIA H200", "major": 9, "minor": 0}


class DriverError(RuntimeError):
    """As `cupy.cuda.runtime.CUDARuntimeError`."""


def fails(message):
    def call(*args, **kwargs):
        raise DriverError(message)

    return call


class FakeArray(np.ndarray):
    """What the stand-in has for arrays, all on GPU 0."""

    device = SimpleNamespace(id=0)


def fake_array(x, dtype=None):
    return np.array(x, dtype).view(FakeArray)


def leaky_relu(grid, block, arguments):
    """What the kernel does, for FakeArrays."""
    x, bias, y, _, _, _, slope = arguments
    y[...] = np.where(x + bias > 0, x + bias, slope * (x + bias))


def fake_cupy(kernel=leaky_relu, **runtime):
    """A module with what `detect` asks for; its one kernel is a Python function."""
    runtime = {
        "getDeviceCount": lambda: 1,
        "getDevice": lambda: 0,
        "getDeviceProperties": lambda device: H200,
        "runtimeGetVersion": lambda: 13000,
        **runtime,
    }
    module = SimpleNamespace(get_function=lambda name: kernel)
    return SimpleNamespace(
        __version__="99.1",
        cuda=SimpleNamespace(runtime=SimpleNamespace(**runtime)),
        ndarray=FakeArray,
        asarray=fake_array,
        ascontiguousarray=np.ascontiguousarray,
        empty=lambda shape, dtype: np.empty(shape, dtype).view(FakeArray),
        ones=lambda shape, dtype: np.ones(shape, dtype).view(FakeArray),
        asnumpy=np.asarray,
        RawModule=lambda **options: module,
    )


class FakeCublas:
    """In the place of `Cublas`, for FakeArrays."""

    def __init__(self, cupy):
        pass

    def product(self, out, a, b, sizes, accumulate):
        out[...] = a[0] @ b[0]


@pytest.fixture(autouse=True)
def _no_cublas(monkeypatch):
    monkeypatch.setattr(backend, "Cublas", FakeCublas)


@pytest.fixture(autouse=True)
def _forget_what_was_found(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    detect.find_gpu.cache_clear()
    yield
    detect.find_gpu.cache_clear()


@pytest.fixture
def machine(monkeypatch):
    """machine(module): a machine on which `import cupy` gives this module; None: not installed."""
    return lambda module: monkeypatch.setitem(sys.modules, "cupy", module)


OLD = {"name": b"Tesla K80", "major": 3, "minor": 7}
TOO_NEW = (
    "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
)

# the module, what the reason must say
BROKEN = {
    "not installed": (None, r"CuPy is not installed: .*pip install 'cupy-cuda13x\[ctk\]'"),
    "no device": (
        fake_cupy(getDeviceCount=fails("cudaErrorNoDevice: no CUDA-capable device is detected")),
        r"CuPy 99.1 is installed but finds no GPU .*DriverError: cudaErrorNoDevice.*nvidia-smi",
    ),
    "zero devices": (
        fake_cupy(getDeviceCount=lambda: 0),
        "finds no GPU that it can use .*number of devices is 0",
    ),
    "old driver": (fake_cupy(getDeviceCount=fails(TOO_NEW)), "driver is new enough.*pip install"),
    "driver that fails later": (
        fake_cupy(getDeviceProperties=fails("cudaErrorUnknown: unknown error")),
        "finds no GPU .*cudaErrorUnknown",
    ),
    "old GPU": (
        fake_cupy(getDeviceProperties=lambda device: OLD),
        r"the Tesla K80 \(compute capability 3.7\) is too old: .*need 7.0",
    ),
    "kernel that fails": (
        fake_cupy(kernel=fails("CUDA_ERROR_ILLEGAL_ADDRESS\nand more")),
        r"a first kernel failed on the NVIDIA H200 .*\(DriverError: CUDA_ERROR_ILLEGAL_ADDRESS\)",
    ),
    "kernel that is wrong": (
        fake_cupy(kernel=lambda grid, block, arguments: arguments[2].fill(0)),
        r"gave wrong numbers on the NVIDIA H200 \(compute capability 9.0\), CuPy 99.1",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_auto_falls_back_with_a_reason_and_cupy_raises_it(name, machine):
    module, reason = BROKEN[name]
    machine(module)
    assert get_backend("auto") is get_backend() is get_backend("numpy")
    assert why().startswith("numpy: ")
    with pytest.raises(BackendUnavailable, match=reason) as caught:
        get_backend("cupy")
    assert "\n" not in str(caught.value) and str(caught.value).endswith(why()[len("numpy: ") :])


class OutOfMemoryError(MemoryError):
    """As `cupy.cuda.memory.OutOfMemoryError`."""


def full(*arguments):
    raise OutOfMemoryError("Out of memory allocating 1,024 bytes (allocated so far: 0 bytes).")


#: Where the first sign of trouble may show: the runtime, or a kernel.
BUSY = "cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable"
IN_USE = {
    "full, kernel": (fake_cupy(kernel=full), "memory is full: nvidia-smi"),
    "full, runtime": (
        fake_cupy(getDeviceProperties=fails("cudaErrorMemoryAllocation: out of memory")),
        "memory is full",
    ),
    "full, driver": (
        fake_cupy(kernel=fails("CUDA_ERROR_OUT_OF_MEMORY: out of memory")),
        "memory is full",
    ),
    "full, cuBLAS": (fake_cupy(kernel=fails("CUBLAS_STATUS_ALLOC_FAILED")), "memory is full"),
    "busy, runtime": (fake_cupy(getDeviceCount=fails(BUSY)), "another program has it"),
    "busy, kernel": (fake_cupy(kernel=fails(BUSY)), "another program has it"),
}


@pytest.mark.parametrize("module, advice", IN_USE.values(), ids=IN_USE)
def test_a_gpu_in_use_is_no_reason_to_install_anything(module, advice, machine):
    machine(module)
    assert advice in why() and "CUDA_VISIBLE_DEVICES" in why()
    assert "pip install" not in why() and "driver is new enough" not in why()


@pytest.mark.parametrize("visible", ["", "-1", "7", "none"])
@pytest.mark.parametrize(
    "count",
    [lambda: 0, fails("cudaErrorNoDevice: no CUDA-capable device is detected")],
)
def test_a_gpu_that_is_hidden(visible, count, machine, monkeypatch):
    machine(fake_cupy(getDeviceCount=count))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert f"CUDA_VISIBLE_DEVICES={visible!r} hides it: unset it" in why()
    assert "nvidia-smi" not in why() and "pip install" not in why()
    detect.find_gpu.cache_clear()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert "nvidia-smi" in why()


@pytest.fixture
def tell(tmp_path):
    """tell(): what `python -m minigan.backend` says in a folder with other files."""

    def run():
        root = str(Path(minigan.__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": root, "PYTHONSAFEPATH": ""}
        command = [sys.executable, "-m", "minigan.backend"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "auto chooses numpy" in done.stdout and not done.stderr
        return done.stdout

    return run


def test_a_folder_named_cupy(tmp_path, tell):
    """Left by a removal, or one's own: Python takes it for a package without a file."""
    (tmp_path / "cupy").mkdir()
    assert f"the folder {tmp_path / 'cupy'} is found in place of CuPy: remove or rename" in tell()


@pytest.mark.parametrize("place", ["cupy.py", "cupy/__init__.py"])
def test_a_module_named_cupy(tmp_path, tell, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("ndarray = None\n", encoding="utf-8")
    assert f"{tmp_path / place} is found in place of CuPy" in tell()


@pytest.mark.parametrize(
    "code, reason",
    [
        ("raise RuntimeError('anything')", "RuntimeError: anything"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import sys; sys.exit()", "SystemExit"),
        ("raise MemoryError", "MemoryError"),
        ("def f(: pass", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("class Odd(Exception): pass\nraise Odd('one\\ntwo')", "Odd: one)"),
        ("__version__ = 1\ncuda = ndarray = None", "AttributeError: "),
    ],
)
def test_a_cupy_that_raises_anything(tmp_path, tell, code, reason):
    (tmp_path / "cupy.py").write_text(code, encoding="utf-8")
    assert reason in tell()


@pytest.mark.parametrize("wrapped", [False, True])
def test_cupy_that_cannot_be_imported(wrapped, machine, monkeypatch):
    """CuPy's own ImportError is a page of advice around the cause."""
    cause = OSError("libcuda.so.1: cannot open shared object file")

    def load():
        if wrapped:
            raise ImportError("=====\nFailed to import CuPy.\n=====") from cause
        raise cause

    monkeypatch.setattr(detect, "load_cupy", load)
    assert get_backend("auto").name == "numpy"
    with pytest.raises(BackendUnavailable, match=r"cannot be imported \(OSError: libcuda"):
        get_backend("cupy")


def test_a_gpu_that_works_is_chosen_once_and_for_all(machine):
    machine(fake_cupy())
    assert get_backend("auto") is get_backend() is get_backend("cupy")
    assert get_backend("cupy").name == "cupy"
    assert why() == "cupy: NVIDIA H200 (compute capability 9.0), CuPy 99.1"
    assert get_backend("numpy").name == "numpy"


@pytest.mark.parametrize("module", [None, fake_cupy()])
def test_module_prints_what_was_found(module, machine, capsys):
    machine(module)
    runpy.run_module("minigan.backend", run_name="__main__")
    out = capsys.readouterr().out
    assert f"auto chooses {get_backend('auto').name}\n" in out and why() in out
    assert f"NumPy {np.__version__}" in out


@pytest.mark.parametrize("name", ["reference", "numpy"])
def test_numpy_by_name_is_always_the_same_object_and_asks_for_no_gpu(name, monkeypatch):
    monkeypatch.setattr(detect, "load_cupy", lambda: pytest.fail("CuPy was asked for"))
    assert get_backend(name) is get_backend(name)
    assert isinstance(get_backend(name), NumpyBackend) and get_backend(name).name == name


def test_the_reference_has_no_forms():
    assert get_backend("reference").forms == {} != get_backend("numpy").forms


def test_an_object_is_taken_as_it_is():
    backend = NumpyBackend()
    assert get_backend(backend) is backend


@pytest.mark.parametrize("name", ["", "gpu", "NumPy"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match="expected one of reference, numpy, cupy, auto"):
        get_backend(name)


@pytest.mark.parametrize("thing", [None, 3, [], b"numpy"])
def test_other_things(thing):
    with pytest.raises(TypeError, match="expected a name or a backend object"):
        get_backend(thing)


def test_a_gpu_backend_is_not_copied_and_says_what_it_knows(machine):
    machine(fake_cupy())
    backend = CupyBackend(products="tiled", convolutions="direct", patience=3)
    assert copy.deepcopy([backend])[0] is backend
    assert repr(backend) == "CupyBackend()" and backend.patience == 3
    with pytest.raises(ValueError, match=r"products: expected one of .*cublas.* got 'blas'"):
        CupyBackend(products="blas")
    with pytest.raises(ValueError, match=r"convolutions: expected one of .*direct.* got 'fft'"):
        CupyBackend(convolutions="fft")
