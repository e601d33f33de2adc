"""`auto` and `--backend cupy` where a GPU seems to be there: the emulator, whole or broken."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from devices import emulated_cupy

import minigan.backend
import minigan.plotting
from minigan import BackendUnavailable, get_backend
from minigan.backend import why
from minigan.backend.cuda import detect, launch

TOY = Path(__file__).resolve().parents[2] / "demos" / "toy.py"


@pytest.fixture
def seen(emulator, monkeypatch):
    """The emulator is what `import cupy` finds, and nobody has looked yet."""
    search = detect.find_gpu.__wrapped__
    monkeypatch.setattr(minigan.backend, "find_gpu", search)
    with emulated_cupy():
        yield


@pytest.mark.usefixtures("seen")
def test_a_gpu_that_works_is_taken():
    assert get_backend("auto").name == get_backend("cupy").name == "cupy"
    assert why() == "cupy: CPU emulator (compute capability 9.0), CuPy emulated"


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize(
    "capability, cuda, reason",
    [
        ((6, 1), 12090, "6.1.* is too old: minigan's kernels need 7.0 or newer"),
        ((6, 1), 13000, "6.1.* is too old: minigan's kernels need 7.0 or newer"),
        ((7, 0), 12090, None),
        ((7, 0), 13000, r"7.0.* is too old for CUDA 13, .* 7.5 or newer: .*'cupy-cuda12x\[ctk\]'"),
        ((7, 2), 13010, "too old for CUDA 13"),
        ((7, 5), 13000, None),
    ],
)
def test_what_is_too_old_depends_on_cuda(capability, cuda, reason, emulator, monkeypatch):
    """A V100 is fine with CUDA 12, and no advice may lead to CUDA 13."""
    major, minor = capability
    properties = {"name": b"some GPU", "major": major, "minor": minor}
    monkeypatch.setattr(emulator.cuda.runtime, "getDeviceProperties", lambda device: properties)
    monkeypatch.setattr(emulator.cuda.runtime, "runtimeGetVersion", lambda: cuda)
    if reason is None:
        assert get_backend("cupy").name == "cupy"
        return
    with pytest.raises(BackendUnavailable, match=reason) as raised:
        get_backend("cupy")
    assert "install 'cupy-cuda13x" not in str(raised.value)


WRONG = {
    "wrong numbers": ("return x > T(0) ? x : slope * x;", "return x;", "gave wrong numbers"),
    "nothing stored": ("y[i] = value_of(function, v, slope);", ";", "gave wrong numbers"),
    "out of bounds": ("i < (n);", "i <= (n);", "failed .*EmulatorError: bias_activation"),
    "a kernel that does not compile": ("enum Function", "enum int", "failed .*CompileException"),
}


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("old, new, reason", WRONG.values(), ids=WRONG)
def test_a_gpu_that_does_not_is_left_with_a_reason(old, new, reason, monkeypatch):
    source = launch.source()
    assert old in source
    monkeypatch.setattr(launch, "source", lambda: source.replace(old, new))
    monkeypatch.setattr(launch, "kernel_names", lambda: ("bias_activation",))
    assert get_backend("auto").name == "numpy"
    with pytest.raises(BackendUnavailable, match=f"a first kernel {reason}"):
        get_backend("cupy")


@pytest.mark.usefixtures("seen")
def test_a_demo_runs_on_it(emulator, monkeypatch, tmp_path):
    for name in minigan.plotting.__all__:
        if name.startswith(("draw_", "save_")):
            monkeypatch.setattr(minigan.plotting, name, lambda *args, **options: None)
    arguments = ["--backend", "cupy", "--quick", "--steps", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [TOY.name, *arguments])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    variables = runpy.run_path(str(TOY), run_name="__main__")
    assert variables["G"].backend.name == "cupy"
    assert isinstance(variables["G"].parameters, emulator.ndarray)
    assert '"backend": "cupy"' in (tmp_path / "metrics.json").read_text(encoding="utf-8")
    assert np.isfinite(variables["gan"].sample(5, np.random.default_rng(0))).all()
