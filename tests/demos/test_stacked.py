"""Tests of stacked MNIST: what is stacked, how modes are counted, which D a game has."""

import math

import numpy as np
import pytest

import minigan.data
import minigan.metrics
from minigan import MinibatchStd, Pack


@pytest.fixture
def stand_in(monkeypatch):
    """Ten grey images, a shade per digit, and a classifier that reads the shade."""
    shades = np.linspace(-0.9, 0.9, 10)
    images = np.broadcast_to(shades[:, None, None, None], (10, 28, 28, 1)).astype(np.float32)

    class Reader:
        digest = "0" * 64

        def __call__(self, images):
            distance = (images.mean(axis=(1, 2)) - shades) ** 2
            odds = np.exp(-1000 * distance)
            return odds / odds.sum(axis=1, keepdims=True), None

    monkeypatch.setattr(minigan.data, "load_mnist", lambda split, data_dir: (images, None))
    monkeypatch.setattr(minigan.metrics, "mnist_classifier", lambda: Reader())


@pytest.fixture
def demo(stand_in, run_demo, tmp_path):
    return run_demo("stacked", "--quick", "--steps", 1, "--out", tmp_path)


def test_all_games_are_in_table_and_picture(capsys, demo, metrics, check_picture, tmp_path):
    check_picture(tmp_path / "picture.png")
    assert {path.name for path in tmp_path.iterdir()} == {"picture.png", "metrics.json"}
    found = metrics(tmp_path)
    assert list(found["games"]) == ["real", *demo["GAMES"]]
    told = capsys.readouterr().out
    for name, row in found["games"].items():
        assert f"{name:20}{row['modes']:7}" in told and 0 < row["modes"] <= 200
    assert found["games"]["real"]["sure"] == 1.0


def test_modes_are_counted(demo):
    """Each of 1,000 once; two of them, unevenly; and a sample of which the classifier is unsure."""
    shades, coverage = np.linspace(-0.9, 0.9, 10), demo["coverage"]
    grid = np.stack(np.meshgrid(shades, shades, shades, indexing="ij"), axis=-1).reshape(
        -1, 1, 1, 3
    )
    each = np.broadcast_to(grid, (1000, 28, 28, 3)).astype(np.float32)
    found = coverage(each)
    assert (found["modes"], found["sure"]) == (1000, 1.0)
    assert found["kl"] == pytest.approx(0, abs=1e-12)
    # 012 and 210 hold the same digits, and are two modes
    found = coverage(each[[12, 12, 12, 210]])
    assert found["modes"] == 2
    assert found["kl"] == pytest.approx(
        math.log(1000) + 0.75 * math.log(0.75) + 0.25 * math.log(0.25)
    )
    between = each[:4].copy()
    between[0, ..., 1] = (shades[3] + shades[4]) / 2
    assert coverage(between)["sure"] == 0.75


def test_stacks_are_three_digits(demo):
    x = demo["stacks"](500, np.random.default_rng(0))
    assert x.shape == (500, 28, 28, 3) and x.dtype == np.float32
    assert demo["coverage"](x)["modes"] > 300  # each channel for itself: of 500 draws, 394 expected
    assert len(np.unique(x)) == 10


def test_games_differ_in_their_discriminators(demo):
    kinds = {game: {type(layer) for layer in demo["discriminator"](game)} for game in demo["GAMES"]}
    assert Pack in kinds["packing"] and MinibatchStd in kinds["minibatch deviation"]
    assert not {Pack, MinibatchStd} & (kinds["no cure"] | kinds["R1"])
    norm = demo["BatchNorm"]
    assert norm not in kinds["R1"] and all(norm in kinds[game] for game in demo["GAMES"][:3])
    assert demo["gan"].regularizer.every == 8  # of the last game


@pytest.mark.usefixtures("stand_in", "without_pictures")
def test_some_games_only(run_demo, metrics, tmp_path):
    run_demo("stacked", "--quick", "--steps", 1, "--games", "packing", "--out", tmp_path)
    assert list(metrics(tmp_path)["games"]) == ["real", "packing"]
