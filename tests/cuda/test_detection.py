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
    assert '"backend": "cupy"' in (tmp_path / "metrics.json").read_text()
    assert np.isfinite(variables["gan"].sample(5, np.random.default_rng(0))).all()
