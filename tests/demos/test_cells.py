"""Every lesson as a notebook: cell by cell, each cell twice, the first training interrupted."""

import sys

import numpy as np
import pytest

import minigan.data
import minigan.metrics
import minigan.plotting
from minigan.optimizers import Optimizer
from notebooks import DEMOS, notebook

FEW = ["--steps", "4"]
LESSONS = {
    "density_estimation": [*FEW, "--points", "50"],
    "pushforward": FEW,
    "backprop_by_hand": [],
    "transposed_convolution": FEW,
    "xray": [],
    "toy": FEW,
    "vanishing_gradients": FEW,
    "saddle_point": FEW,
    "wasserstein": FEW,
    "moment_matching": FEW,
    "mode_collapse": FEW,
    "ranks": [],
    "mnist": [*FEW, "--model", "mlp", "--samples", "3"],
    "conditional": FEW,
    "translation": FEW,
    "sngan": FEW,
    "stacked": FEW,
    "minimal_gan": FEW,
    "write_your_own": FEW,
}


def cells(name, options):
    """The code of a demo's notebook, cell by cell, as plain Python."""
    found = notebook(name, DEMOS.parent, options)["cells"]
    code = [cell["source"] for cell in found if cell["cell_type"] == "code"]
    return [compile(text, f"{name}, {i}", "exec", dont_inherit=True) for i, text in enumerate(code)]


@pytest.fixture
def stand_in(monkeypatch):
    """Few images instead of all digits, and a classifier that reads zeros."""

    def load(split, data_dir=None, name="mnist"):
        rng = np.random.default_rng(0)
        return rng.uniform(-1, 1, (300, 28, 28, 1)).astype(np.float32), rng.integers(10, size=300)

    class Reader:
        accuracy, digest = 0.1, "0" * 64

        def __call__(self, images):
            return np.eye(10)[np.zeros(len(images), int)], images.reshape(len(images), -1)[:, :4]

    monkeypatch.setattr(minigan.data, "load_mnist", load)
    monkeypatch.setattr(minigan.metrics, "mnist_classifier", lambda **options: Reader())


@pytest.fixture
def undrawn(monkeypatch, without_pictures):
    """Nor do the lessons' own `draw` draw."""
    monkeypatch.setattr(minigan.plotting, "styled", lambda draw: lambda *args, **options: None)


@pytest.fixture
def interrupt(monkeypatch):
    """interrupt.at = n: the n-th update of any player from now on is interrupted after it."""
    step = Optimizer.step

    def interrupted(optimizer, factor=1.0):
        step(optimizer, factor)
        interrupted.at -= 1
        if interrupted.at == 0:
            raise KeyboardInterrupt

    interrupted.at = 0
    monkeypatch.setattr(Optimizer, "step", interrupted)
    return interrupted


@pytest.mark.slow
@pytest.mark.usefixtures("stand_in", "undrawn")
@pytest.mark.parametrize("name", LESSONS)
def test_cells_run_again_also_after_an_interrupt(name, interrupt, monkeypatch, metrics, tmp_path):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "path", [str(DEMOS), *sys.path])
    monkeypatch.setattr(sys, "argv", sys.argv)
    options = " ".join(["--quick", *LESSONS[name], "--out", str(tmp_path / "out")])
    variables, interrupts = {"__name__": "__main__", "__doc__": "The lesson."}, 0
    # Of G in the third step, where each step is two updates; pushforward has one player.
    interrupt.at = 3 if name == "pushforward" else 6
    for cell in cells(name, options):
        try:
            exec(cell, variables)
        except KeyboardInterrupt:
            interrupts += 1
            exec(cell, variables)
        exec(cell, variables)
    assert interrupts == (1 if "--steps" in LESSONS[name] else 0)
    found = metrics(tmp_path / "out")
    assert found["finished"]
    if "--steps" in LESSONS[name]:
        assert found["steps"] == 4
    if name in ("toy", "mnist", "conditional", "translation"):  # one game, and a cell that trains
        game = variables.get("gan") or variables["game"]
        counts = {getattr(game, f"{player}_optimizer").steps for player in game.players}
        assert game.steps == 4 and counts == {4}
