"""Tests of the demo of conditional digits, on ten patterns of squares."""

import os

import numpy as np
import pytest

import minigan
import minigan.data
import minigan.metrics
from minigan import OBJECTIVES
from minigan.metrics import Classifier

FILES = {"digits.png", "confusion.png", "picture.png", "animation.gif", "metrics.json"}


#: Ten black-and-white patterns of 4 x 4 squares, (10, 16), instead of ten digits.
PATTERNS = np.random.default_rng(0).permuted(np.tile([-1.0, 1.0], (10, 8)), axis=1)


class NearestPattern:
    """A judge that needs no training: the pattern that correlates most with the squares' means."""

    accuracy, digest = 1.0, "none"

    def __call__(self, images):
        squares = images.reshape(-1, 4, 7, 4, 7).mean(axis=(2, 4)).reshape(-1, 16)
        return np.eye(10)[(squares @ PATTERNS.T).argmax(axis=1)], squares


@pytest.fixture
def stand_in(monkeypatch):
    labels = np.arange(400) % 10
    images = np.kron(PATTERNS.reshape(10, 4, 4), np.ones((1, 7, 7)))[labels, ..., None]
    monkeypatch.setattr(minigan.data, "load_mnist", lambda split, data_dir: (images, labels))
    monkeypatch.setattr(minigan.metrics, "mnist_classifier", lambda **options: NearestPattern())


@pytest.mark.usefixtures("stand_in")
def test_a_quick_run_writes_all_files(run_demo, metrics, check_pictures, tmp_path, capsys):
    demo = run_demo("conditional", "--quick", "--out", tmp_path)
    check_pictures(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == FILES
    found = metrics(tmp_path)
    assert (found["demo"], found["steps"], found["latent"]) == ("conditional", 6, 10)
    by_digit = found["classified_as_asked_by_digit"]
    assert found["classified_as_asked"] == pytest.approx(np.mean(by_digit))
    np.testing.assert_allclose(demo["confusion"].sum(axis=1), 1)
    np.testing.assert_allclose(np.diag(demo["confusion"]), by_digit)
    assert "6/6" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_in", "without_pictures")
def test_counts_what_the_judge_sees(run_demo, metrics, monkeypatch, tmp_path):
    """A generator that always gives what was asked for, but 7 for 1."""

    def obey(self, labels, rng):
        drawn = np.where(labels == 1, 7, labels)
        return np.kron(PATTERNS.reshape(10, 4, 4), np.ones((1, 7, 7)))[drawn, ..., None]

    monkeypatch.setattr(minigan.ConditionalGAN, "sample", obey)
    demo = run_demo("conditional", "--quick", "--steps", 1, "--out", tmp_path)
    expected = np.eye(10)
    expected[1] = np.eye(10)[7]
    np.testing.assert_allclose(demo["confusion"], expected)
    assert metrics(tmp_path)["classified_as_asked"] == pytest.approx(0.9)


@pytest.mark.usefixtures("stand_in", "without_pictures")
def test_rows_are_labels_and_columns_noise(run_demo, tmp_path):
    demo = run_demo("conditional", "--quick", "--steps", 1, "--latent", 3, "--out", tmp_path)
    sheet = demo["looks"][-1][1].reshape(10, 10, 28, 28, 1)
    z = demo["z"]
    for label, column in ((0, 0), (3, 7), (9, 2)):
        one = demo["gan"].generate(z[column : column + 1], np.array([label]))
        np.testing.assert_allclose(sheet[label, column], one[0], atol=1e-5)


@pytest.mark.usefixtures("stand_in", "without_pictures")
@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective(objective, run_demo, metrics, tmp_path):
    arguments = ["--quick", "--steps", 2, "--objective", objective]
    run_demo("conditional", *arguments, "--out", tmp_path)
    assert metrics(tmp_path)["objective"] == objective


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("MINIGAN_DATA"), reason="MINIGAN_DATA names no folder")
@pytest.mark.usefixtures("without_pictures")
def test_on_the_real_digits_with_the_real_classifier(run_demo, metrics, tmp_path):
    demo = run_demo("conditional", "--quick", "--steps", 1, "--out", tmp_path / "out")
    assert isinstance(demo["classifier"], Classifier)
    found = metrics(tmp_path / "out")
    assert found["classifier_accuracy"] == 0.9913
    assert len(found["classifier_digest"]) == 64
