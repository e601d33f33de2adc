"""The generator in the package: its file, digits from it, and what it has learned."""

from hashlib import sha256

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

import minigan.data
from minigan import Dense, Reshape, Sequential, Tanh, load, save
from minigan.metrics import mnist_classifier
from minigan.runs.network_file import read_network
from minigan.weights import CLASSIFIER, GENERATOR, LATENT, mnist_generator

NORMAL = LATENT.continuous  # dimensions before the choice of a piece


def test_both_networks_are_small_and_the_generator_writes_digits():
    assert GENERATOR.stat().st_size + CLASSIFIER.stat().st_size < 2_000_000
    assert sha256(GENERATOR.read_bytes()).hexdigest().startswith("9df59ad7")  # as its page says
    G, notes = read_network(GENERATOR)
    assert notes["steps"] == 36_000
    assert (notes["latent"], notes["pieces"], notes["spread"]) == ("mixture", 20, 1.0)
    np.testing.assert_allclose(LATENT.weights, notes["weights"], atol=0.0006)
    assert repr(G) == repr(mnist_generator()) and G.input_shape == (LATENT.dimension,)
    z = LATENT.sample(300, np.random.default_rng(0)).astype(np.float32)
    probabilities, _ = mnist_classifier()(G(z))
    assert probabilities.max(axis=1).mean() > 0.9
    assert np.bincount(probabilities.argmax(axis=1), minlength=10).min() > 5


@pytest.fixture
def no_mnist(monkeypatch):
    def load_mnist(*arguments, **options):
        raise AssertionError("needs MNIST")

    monkeypatch.setattr(minigan.data, "load_mnist", load_mnist)


@pytest.mark.usefixtures("no_mnist")
def test_digits_need_neither_data_nor_training(run_demo, metrics, check_picture, tmp_path, capsys):
    demo = run_demo("digits", "--quick", "--out", tmp_path)
    check_picture(tmp_path / "digits.png")
    found = metrics(tmp_path)
    assert sum(found["read"]) == demo["digits"].shape[0] == 80
    assert found["classifier"] == mnist_classifier().digest and found["spread"] == 1.0
    pieces = demo["z"].reshape(20, 4, LATENT.dimension)[:, :, NORMAL:]
    units = LATENT.scale * np.eye(20, LATENT.components)
    np.testing.assert_array_equal(pieces, np.tile(units[:, None], (1, 4, 1)))
    assert "Read: " in capsys.readouterr().out
    run_demo("digits", "--quick", "--spread", 0, "--out", tmp_path)
    assert metrics(tmp_path)["spread"] == 0


@pytest.mark.usefixtures("no_mnist")
def test_digits_of_a_generator_of_ones_own(run_demo, tmp_path, capsys):
    G = Sequential([Dense(7, 784), Tanh(), Reshape(28, 28, 1)], (7,), rng=0)
    save(G, tmp_path / "mine.npz", notes={"latent": "uniform", "spread": 1.0})
    arguments = ["--generator", tmp_path / "mine.npz", "--quick", "--out", tmp_path / "out"]
    demo = run_demo("digits", *arguments)
    assert abs(demo["z"]).max() <= 1 and demo["z"].shape == (80, 7)
    np.testing.assert_allclose(demo["digits"], G(demo["z"].astype(np.float32)), atol=1e-6)
    (tmp_path / "mine.npz").write_bytes(b"nothing")
    with pytest.raises(minigan.CheckpointError, match="not an npz file"):
        run_demo("digits", *arguments)


def test_mnists_generator_can_be_loaded_and_is_scored(run_demo, metrics, monkeypatch, tmp_path):
    images = np.random.default_rng(0).uniform(-1, 1, (600, 28, 28, 1)).astype(np.float32)
    monkeypatch.setattr(minigan.data, "load_mnist", lambda *a, **k: (images, np.zeros(600, int)))
    demo = run_demo("mnist", "--quick", "--steps", 2, "--out", tmp_path)
    G = load(tmp_path / "generator.npz")
    z = demo["z"].astype(np.float32)
    np.testing.assert_array_equal(G(z), demo["gan"].generate(z))  # the averaged weights
    found = metrics(tmp_path)
    assert {"score", "frechet", "precision", "recall", "density", "coverage"} <= set(found)
    assert found["classifier"] == mnist_classifier().digest
    run_demo(
        "digits", "--generator", tmp_path / "generator.npz", "--quick", "--out", tmp_path / "d"
    )


# --- What it has learned -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept():
    """What the tests of one lesson share: its variables."""
    return {}


@pytest.fixture
def learned(kept, run_demo, monkeypatch, tmp_path_factory):
    """The lesson's variables, with a hundred digits of the generator's own as the examples."""
    if kept:
        return kept
    z = LATENT.sample(200, np.random.default_rng(5)).astype(np.float32)
    digits = mnist_generator()(z)
    sets = {"train": digits[:100], "test": digits[100:]}
    monkeypatch.setattr(minigan.data, "load_mnist", lambda split, folder: (sets[split], None))
    kept |= run_demo("learned", "--quick", "--out", tmp_path_factory.mktemp("learned"))
    return kept


def test_learned_draws_and_measures(learned, metrics, check_picture):
    folder = learned["out"].folder
    check_picture(folder / "picture.png")
    with Image.open(folder / "animation.gif") as animation:
        assert animation.n_frames == 3
    found = metrics(folder)
    assert found["grey_half_way"]["in pixels"] > found["grey_half_way"]["along the sphere"]
    assert found["strongest_over_weakest"] > 2
    assert found["change"]["strongest"] > found["change"]["weakest"]


def test_what_is_learned_by_heart_would_be_seen(learned):
    examples, unseen = learned["examples"], learned["unseen"]
    assert abs(learned["nearest"](examples[:5], examples)[0]).max() < 1e-6
    distances, places = learned["nearest"](unseen[:5], examples)
    expected = cdist(*(x.reshape(len(x), -1).astype(float) for x in (unseen[:5], examples)))
    np.testing.assert_array_equal(places, expected.argmin(axis=1))
    np.testing.assert_allclose(distances, expected.min(axis=1) / 28, rtol=1e-9)


def test_walks_meet_at_their_ends_and_pixels_fade(learned):
    for ways in (learned["within"], learned["across"]):
        for images in ways.values():
            for end in (0, -1):
                np.testing.assert_allclose(images[:, end], ways["in pixels"][:, end], atol=1e-5)
        ends = ways["in pixels"][:, [0, -1]].mean(axis=1)
        np.testing.assert_allclose(ways["in pixels"][:, learned["half"]], ends, atol=1e-6)


def test_directions_are_those_of_the_jacobian(learned):
    """E JᵀJ of many random dy, against J by differences at the same points."""
    vectors, strengths = learned["vectors"], learned["strengths"]
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(NORMAL), atol=1e-9)
    assert (np.diff(strengths) <= 1e-9).all()
    G = mnist_generator().clone(dtype="float64")
    z = LATENT.sample(100, np.random.default_rng(0))

    def change(direction):
        step = np.zeros(LATENT.dimension)
        step[:NORMAL] = 1e-4 * direction
        return ((G(z + step) - G(z - step)) ** 2).sum() / (4e-8 * len(z))

    by_difference = [change(vectors[index]) for index in (0, -1)]
    assert 0.5 < by_difference[0] / strengths[0] < 2 and by_difference[0] > 3 * by_difference[1]


def test_the_circles_of_the_animation_keep_to_the_sphere(learned):
    a, b = (x[:, : learned["normal"]] for x in (learned["a"], learned["b"]))
    np.testing.assert_allclose((a * b).sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose((a * a).sum(axis=1), (b * b).sum(axis=1))
    np.testing.assert_allclose(learned["turn"](0), learned["turn"](2 * np.pi), atol=1e-4)
