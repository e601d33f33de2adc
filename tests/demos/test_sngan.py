"""Tests of the residual SNGAN's demo, with stand-ins for digits and their judge."""

import numpy as np
import pytest

import minigan.data
import minigan.metrics
from minigan import Sequential


@pytest.fixture
def stand_in(monkeypatch):
    """Random images, and a judge of the mean of each half."""

    class Halves:
        accuracy = 1.0

        def __call__(self, images):
            means = np.stack([images[:, :14].mean((1, 2, 3)), images[:, 14:].mean((1, 2, 3))], 1)
            odds = np.exp(means)
            return odds / odds.sum(axis=1, keepdims=True), means

    images = np.random.default_rng(0).uniform(-1, 1, (300, 28, 28, 1)).astype(np.float32)
    monkeypatch.setattr(minigan.data, "load_mnist", lambda split, data_dir: (images, None))
    monkeypatch.setattr(minigan.metrics, "mnist_classifier", lambda **options: Halves())


@pytest.mark.usefixtures("stand_in")
def test_three_games_of_one_cost(run_demo, metrics, check_picture, tmp_path, capsys):
    demo = run_demo("sngan", "--quick", "--steps", 3, "--out", tmp_path)
    check_picture(tmp_path / "picture.png")
    assert {path.name for path in tmp_path.iterdir()} == {"picture.png", "metrics.json"}
    found = metrics(tmp_path)["games"]
    assert list(found) == ["DCGAN", "residual SNGAN", "with attention"]
    costs = [game["products_per_image"] * game["steps"] for game in found.values()]
    assert max(costs) < 1.3 * min(costs)  # up to whole steps
    assert found["with attention"]["gamma"] != 0
    assert "with attention" in capsys.readouterr().out
    # the count: of a dense layer, and of a convolution at 14 x 14 places
    counted = demo["products"]([demo["Dense"](3, 5)], (3,))
    assert counted == 15
    conv = demo["SpectralNorm"](demo["Conv2d"](2, 4, 4, 2, 1))
    assert demo["products"]([demo["Residual"]([conv], [conv])], (28, 28, 2)) == 2 * 196 * 16 * 8
    # attention: 4 projections of 16 channels and 2, and two products of 9 by 9 pixels
    attention = demo["SelfAttention"](16)
    assert demo["products"]([attention], (3, 3, 16)) == 9 * 4 * 32 + 2 * 81 * 2


@pytest.mark.usefixtures("stand_in")
def test_both_players_bound_by_their_layers(run_demo, tmp_path):
    """Every weight of D has a spectral norm, up to attention's."""
    demo = run_demo("sngan", "--quick", "--steps", 1, "--out", tmp_path)
    D = Sequential(demo["sngan"](attention=False)[1], (28, 28, 1), rng=0)
    kinds = {type(D.all_layers[name.rpartition(".")[0]]) for name in D.named_parameters()}
    assert kinds == {demo["SpectralNorm"]}
