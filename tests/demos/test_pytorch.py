"""Beside PyTorch, where it is installed: weights there and back, and autograd's gradients."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from minigan import BatchNorm, Conv2d, ConvTranspose2d, Dense, LeakyReLU, Sequential, Tanh

DEMOS = Path(__file__).resolve().parents[2] / "demos"
(CODE,) = re.findall(
    r"```python\n(.*?)```", (DEMOS / "PYTORCH.md").read_text(encoding="utf-8"), re.DOTALL
)


def test_the_page_and_the_lesson_have_the_same_code():
    code = CODE.removeprefix("import torch\n").strip()
    assert code != CODE.strip() and code in (DEMOS / "autograd.py").read_text(encoding="utf-8")


def test_without_pytorch_the_lesson_says_so(run_demo, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit, match="PyTorch, which is not installed here"):
        run_demo("autograd", "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def test_weights_go_to_pytorch_and_back(torch, randomized):
    nn, functions = torch.nn, {"torch": torch}
    exec(CODE, functions)
    layers = [Conv2d(2, 3, (3, 4), stride=2, padding=1), BatchNorm(3), LeakyReLU(0.1)]
    layers += [ConvTranspose2d(3, 4, (4, 3), stride=2, padding=1, bias=False), Tanh()]
    images = randomized(layers, (6, 8, 2), dtype="float32")
    twin = nn.Sequential(
        *(nn.Conv2d(2, 3, (3, 4), 2, 1), nn.BatchNorm2d(3), nn.LeakyReLU(0.1)),
        *(nn.ConvTranspose2d(3, 4, (4, 3), 2, 1, bias=False), nn.Tanh()),
    ).eval()
    vectors = randomized([Dense(5, 4), Tanh(), Dense(4, 2, bias=False)], (5,), dtype="float32")
    small = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2, bias=False))
    for network, theirs, there, back in (
        (images, twin, (0, 3, 1, 2), (0, 2, 3, 1)),
        (vectors, small, (0, 1), (0, 1)),
    ):
        found = theirs.load_state_dict(functions["to_torch"](network), strict=False)
        assert all("num_batches" in key for key in found.missing_keys)
        assert not found.unexpected_keys
        x = np.random.default_rng(0).normal(size=(3, *network.input_shape)).astype(np.float32)
        with torch.no_grad():
            y = theirs(torch.from_numpy(x.transpose(there).copy())).numpy().transpose(back)
        np.testing.assert_allclose(network(x), y, rtol=1e-5, atol=1e-5)
        other = Sequential([layer.unbound() for layer in network.layers], x.shape[1:], rng=1)
        functions["from_torch"](other, theirs.state_dict())
        for vector in ("parameters", "buffers"):
            np.testing.assert_array_equal(getattr(other, vector), getattr(network, vector))


def test_every_gradient_is_autograds(torch, run_demo, metrics, check_picture, tmp_path):
    demo = run_demo("autograd", "--out", tmp_path)
    found = metrics(tmp_path)
    assert found["largest"] < 1e-12
    names = set(demo["G"].named_parameters()), set(demo["D"].named_parameters())
    for prefix, of_player in zip(("G", "D"), names, strict=True):
        assert {f"{prefix} {name}" for name in of_player} <= set(found["errors"])
    assert {f"penalty, D {name}" for name in names[1]} | {"dz"} <= set(found["errors"])
    check_picture(tmp_path / "picture.png")
