"""Running a demo inside the test, so that its variables can be looked at."""

import contextlib
import json
import runpy
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

import minigan.plotting

DEMOS = Path(__file__).resolve().parents[2] / "demos"


@pytest.fixture(autouse=True)
def threads_as_before():
    """A demo sets the number of threads for its whole process, which has other tests to run."""
    with threadpool_limits({}):
        yield


@pytest.fixture
def run_demo(monkeypatch):
    """run_demo("toy", "--quick", ...) -> the demo's variables."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        return runpy.run_path(str(DEMOS / f"{name}.py"), run_name="__main__")

    return run


@pytest.fixture
def interrupt_at(monkeypatch, signals):
    """with interrupt_at(step): training gets a Ctrl-C in that step."""

    @contextlib.contextmanager
    def interrupt(step):
        def interrupted(original):
            def run(game, batches):
                if game.steps + 1 == step:
                    signal.raise_signal(signal.SIGINT)
                return original(game, batches)

            return run

        with monkeypatch.context() as patch:
            for kind in (minigan.GAN, minigan.MomentMatching):
                patch.setattr(kind, "step", interrupted(kind.step))
            yield

    return interrupt


@pytest.fixture
def without_pictures(monkeypatch):
    """Drawing is most of a short run's time; for tests of all else."""
    for name in minigan.plotting.__all__:
        if name.startswith(("draw_", "save_")):
            monkeypatch.setattr(minigan.plotting, name, lambda *args, **options: None)


@pytest.fixture
def metrics():
    """metrics(folder) -> what metrics.json holds."""
    return lambda folder: json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture
def check_picture():
    """check_picture(path): the picture can be decoded and shows something."""

    def check(path):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        assert pixels.shape[0] >= 300 and pixels.std() > 5, path.name

    return check


@pytest.fixture
def check_pictures(check_picture):
    """check_pictures(folder): every picture there shows something, and the animation moves."""

    def check(folder):
        for path in folder.glob("*.png"):
            check_picture(path)
        with Image.open(folder / "animation.gif") as image:
            frames = []
            for k in range(image.n_frames):
                image.seek(k)
                frames.append(np.asarray(image.convert("RGB")))
        assert len(frames) == 5
        assert all((frame != frames[0]).any() for frame in frames[1:])

    return check
