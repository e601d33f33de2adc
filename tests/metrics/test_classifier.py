"""The digit classifier: its loss, its training, its file. Only one test needs the real images."""

import json
import os
import re
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from minigan import compare_gradients
from minigan.data import load_mnist
from minigan.metrics import classifier as module
from minigan.metrics import mnist_classifier
from minigan.metrics.classifier import (
    Classifier,
    ClassifierError,
    digit_network,
    load_classifier,
    save_classifier,
    softmax_cross_entropy,
    train_classifier,
)
from minigan.runs import archive
from minigan.runs.archive import open_archive, write_archive
from minigan.runs.network_file import read_network
from minigan.weights import CLASSIFIER


def bars(n, seed):
    """Images that a few steps suffice for: class k is a bright bar in rows 2k + 4 and 2k + 5."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(10, size=n)
    images = rng.uniform(-1, -0.5, (n, 28, 28, 1)).astype(np.float32)
    for row in (4, 5):
        images[np.arange(n), 2 * labels + row, 4:24] += 1.2
    return images, labels


@pytest.fixture
def stand_in(monkeypatch):
    """Bars instead of digits; the list tells what was loaded."""
    loaded = []

    def load(split, data_dir):
        loaded.append((split, data_dir))
        return bars(200, 0) if split == "train" else bars(50, 1)

    monkeypatch.setattr(module, "load_mnist", load)
    return loaded


@pytest.fixture(scope="module")
def network():
    return digit_network(0)


# --- The loss ------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(2, 6))
def test_gradient_of_the_loss(seed, n, k):
    rng = np.random.default_rng(seed)
    logits, labels = 3 * rng.normal(size=(n, k)), rng.integers(k, size=n)
    _, gradient = softmax_cross_entropy(logits, labels)
    report = compare_gradients(
        lambda: softmax_cross_entropy(logits, labels)[0], {"z": logits}, {"z": gradient}
    )
    assert report.passed, report


def test_the_loss_is_the_mean_entropy_relative_to_the_labels():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 4)), rng.integers(4, size=6)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = stats.entropy(np.eye(4)[labels], p, axis=1).mean()
    assert softmax_cross_entropy(logits, labels)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_and_dtypes(dtype):
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], dtype)
    loss, gradient = softmax_cross_entropy(logits, np.array([0, 0]))
    assert loss == 1e4 and loss.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, [[0, 0, 0], [-0.5, 0.5, 0]])


# --- The classifier ------------------------------------------------------------------------------


def test_answers_and_features(network, monkeypatch):
    images = bars(7, 0)[0]
    classifier = Classifier(network, "none", 0.5)
    probabilities, features = classifier(images)
    assert probabilities.shape == (7, 10) and probabilities.dtype == np.float64
    assert features.shape == (7, 128) and features.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    logits = features @ network.layers[-1].weight + network.layers[-1].bias
    np.testing.assert_allclose(np.log(probabilities[:, 0] / probabilities[:, 1]),
                               logits[:, 0] - logits[:, 1], atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(network(images), logits, atol=1e-5)  # evaluation: no dropout
    monkeypatch.setattr(module, "CHUNK", 3)
    for whole, chunked in zip((probabilities, features), classifier(images), strict=True):
        np.testing.assert_allclose(chunked, whole, atol=1e-5)
    np.testing.assert_allclose(classifier(images.astype(np.float64))[1], features, atol=1e-5)


@pytest.mark.parametrize(
    "images, error, message",
    [
        ([[0.0]], TypeError, "NumPy array, got list"),
        (np.zeros((2, 784)), ValueError, r"\(N, 28, 28, 1\)"),
        (np.zeros((0, 28, 28, 1)), ValueError, "with N > 0"),
        (np.zeros((2, 28, 28, 1), np.uint8), ValueError, "got uint8"),
        (np.full((2, 28, 28, 1), 255.0), ValueError, r"values in \[-1, 1\], got 255 to 255"),
        (np.full((2, 28, 28, 1), np.nan), ValueError, "got nan to nan"),
    ],
)
def test_refuses(network, images, error, message):
    with pytest.raises(error, match=message):
        Classifier(network, "none", 0.5)(images)


def test_the_digest_names_every_number_and_the_layers():
    network = digit_network(0)
    digest = Classifier(network, "none", 0.5).digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert Classifier(network.clone(), "other", 0.6).digest == digest
    for vector in (network.parameters, network.buffers):
        before = vector[-1]
        vector[-1] = np.nextafter(before, np.float32(9))
        assert Classifier(network, "none", 0.5).digest != digest
        vector[-1] = before
    network.layers[2].negative_slope = 0.3
    assert Classifier(network, "none", 0.5).digest != digest


def test_training_is_a_function_of_the_seed():
    digests = []
    for seed, order in ((0, 0), (0, 0), (1, 0), (0, 1)):
        network = digit_network(seed)
        train_classifier(network, *bars(200, 0), steps=3, seed=order)
        digests.append(Classifier(network, "none", 0.5).digest)
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_training_needs_no_console(monkeypatch):
    """pythonw has none, and its progress bar nowhere to go."""
    monkeypatch.setattr(sys, "stderr", None)
    train_classifier(digit_network(0), *bars(200, 0), steps=1)


@pytest.mark.skipif(not os.environ.get("MINIGAN_DATA"), reason="MINIGAN_DATA names no folder")
def test_learns_digits():
    """The whole recipe, 6,000 steps, reaches 99.2 %."""
    network = digit_network(0)
    images, labels = load_mnist("train")
    train_classifier(network, images[:6000], labels[:6000], steps=60)
    images, labels = load_mnist("test")
    answers, _ = Classifier(network, "none", 0.5)(images[:1000])
    assert (answers.argmax(axis=1) == labels[:1000]).mean() > 0.9


# --- The one that comes with the package ---------------------------------------------------------


def test_without_arguments_it_is_the_one_in_the_package(stand_in):
    """Its figures stand in README.md and in minigan/weights: another one would need new ones."""
    classifier = mnist_classifier()
    assert stand_in == []  # no data
    assert classifier.digest[:8] == "bafdaabd" and classifier.accuracy == 0.9913
    assert CLASSIFIER.stat().st_size < 900_000
    recipe = json.loads(classifier.recipe)
    assert (recipe["seed"], recipe["steps"], recipe["layers"]) == (0, 6000, repr(digit_network(0)))


@pytest.mark.skipif(not os.environ.get("MINIGAN_DATA"), reason="MINIGAN_DATA names no folder")
def test_its_accuracy_is_what_it_says():
    images, labels = load_mnist("test")
    right = mnist_classifier()(images)[0].argmax(axis=1) == labels
    assert right.mean() == pytest.approx(0.9913, abs=2e-4)  # another BLAS may decide two images


# --- The file ------------------------------------------------------------------------------------


def get(cache, steps=1, **options):
    return mnist_classifier(steps=steps, cache=cache, **options)


def test_trains_once(stand_in, tmp_path):
    first = get(tmp_path / "new" / "folder", steps=12, data_dir="here")
    assert stand_in == [("train", "here"), ("test", "here")]
    assert 0.5 < first.accuracy <= 1
    (path,) = (tmp_path / "new" / "folder").iterdir()
    again = get(path.parent, steps=12)
    assert len(stand_in) == 2  # nothing was loaded
    assert again.digest == first.digest and again.accuracy == first.accuracy
    images = bars(5, 2)[0]
    np.testing.assert_array_equal(again(images)[0], first(images)[0])
    other = get(path.parent, seed=1)
    assert other.digest != first.digest and len(list(path.parent.iterdir())) == 2


def test_the_users_cache_is_the_default(stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "cache_dir", lambda: tmp_path)
    get(None)
    assert [p.name for p in (tmp_path / "classifiers").iterdir()] == ["mnist-0-1.npz"]


def test_a_folder_of_ones_own_trains_the_same_one_again(stand_in, tmp_path, monkeypatch):
    """The command that makes the one in the package again."""
    trained = []
    monkeypatch.setattr(module, "train_classifier", lambda *data, **how: trained.append(how))
    made = mnist_classifier(cache=tmp_path)
    assert trained == [{"steps": 6000, "seed": 0}]
    assert made.recipe == mnist_classifier().recipe


def test_a_classifier_of_ones_own_keeps_every_digit(network, tmp_path):
    classifier = Classifier(network, "mine", 0.5)
    save_classifier(classifier, tmp_path / "mine.npz")
    found = load_classifier(tmp_path / "mine.npz")
    assert (found.digest, found.recipe, found.accuracy) == (classifier.digest, "mine", 0.5)


def rewrite(path, arrays=None, **notes):
    with open_archive(path) as archive:
        header = archive.header
        content = {name: archive.read(name) for name in archive.shapes} | (arrays or {})
    header["notes"] |= notes
    header["notes"] = {name: value for name, value in header["notes"].items() if value is not None}
    write_archive(path, header, content)


def damage(path):
    weight = read_network(path)[0].named_parameters()["11.weight"]
    rewrite(path, {"11.weight": weight + np.float32(1e-3)})


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-2000]),
    "not an npz file": lambda path: path.write_text("no archive", encoding="utf-8"),
    "holds no network of minigan": lambda path: write_archive(path, {}, {}),
    "holds no classifier: KeyError('accuracy')": lambda path: rewrite(path, accuracy=None),
    "holds no classifier: ValueError": lambda path: rewrite(path, accuracy="high"),
    "holds no classifier: TypeError": lambda path: rewrite(path, accuracy=[1]),
    "0.weight: expected": lambda path: rewrite(path, {"0.weight": np.zeros(3, np.float32)}),
    "made by another recipe: other": lambda path: rewrite(path, recipe="other"),
    "the weights are damaged": damage,
    "the weights are damaged: ": lambda path: rewrite(path, digest="0" * 64),
}


@pytest.mark.parametrize("message", DAMAGES)
def test_a_broken_file_is_reported_and_replaced(message, stand_in, tmp_path):
    first = get(tmp_path)
    (path,) = tmp_path.iterdir()
    DAMAGES[message](path)
    with pytest.raises(ClassifierError, match=f"{re.escape(str(path))}: {re.escape(message)}"):
        load_classifier(path, first.recipe)
    with pytest.warns(RuntimeWarning, match=rf"{re.escape(message)}[^$]*Training it again"):
        again = get(tmp_path)
    assert again.digest == first.digest
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        get(tmp_path)


def test_nothing_is_left_of_an_interrupted_training(stand_in, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(archive.np.lib.format, "write_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        get(tmp_path)
    assert list(tmp_path.iterdir()) == []
