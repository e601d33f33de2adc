"""Tests of the MNIST demo; only the first needs the real images."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import minigan.data
from minigan import OBJECTIVES, BatchNorm, Hinge, MomentMatching, NonSaturating, Wasserstein
from minigan.data.idx import encode_idx
from minigan.runs.network_file import read_network
from support.image_models import noted_latent

MODELS = ["mlp", "dcgan", "dcgan-r1", "wgan-gp", "gmmn"]
IN_PIECES = {"dcgan-r1", "wgan-gp"}  # noise in pieces
MNIST = Path(__file__).resolve().parents[2] / "demos" / "mnist.py"
FILES = {
    "picture.png",
    "samples.png",
    "walk.png",
    "animation.gif",
    "checkpoint.npz",
    "generator.npz",
    "metrics.json",
}


@pytest.mark.skipif(not os.environ.get("MINIGAN_DATA"), reason="MINIGAN_DATA names no folder")
@pytest.mark.usefixtures("without_pictures")
def test_on_the_real_images(run_demo, metrics, tmp_path):
    demo = run_demo("mnist", "--quick", "--out", tmp_path)
    assert demo["images"].shape == (60000, 28, 28, 1)
    assert metrics(tmp_path)["finished"]


@pytest.fixture
def stand_in(monkeypatch):
    """Bright squares on black, instead of digits."""
    images = np.full((1000, 28, 28, 1), -1, np.float32)
    images[:, 8:20, 8:20] = np.random.default_rng(0).uniform(0, 1, (1000, 1, 1, 1))
    load = lambda split, data_dir, name="mnist": (images, np.zeros(1000, int))  # noqa: E731
    monkeypatch.setattr(minigan.data, "load_mnist", load)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    "model", [m if m == "mlp" else pytest.param(m, marks=pytest.mark.slow) for m in MODELS]
)
def test_a_quick_run_writes_all_files(model, run_demo, metrics, check_pictures, tmp_path, capsys):
    arguments = ["--quick", "--steps", 6, "--model", model, "--samples", 7]
    demo = run_demo("mnist", *arguments, "--out", tmp_path)
    check_pictures(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == FILES | {"samples.npy"} | (
        {"pieces.png"} if model in IN_PIECES else set()
    )
    samples = np.load(tmp_path / "samples.npy", allow_pickle=False)
    assert (samples.shape, samples.dtype) == ((7, 28, 28, 1), np.float32)
    assert -1 <= samples.min() < samples.max() <= 1
    found = metrics(tmp_path)
    assert (found["demo"], found["model"], found["steps"]) == ("mnist", model, 6)
    assert {"discriminator_loss", "generator_loss", "seconds", "steps_per_second"} <= set(found)
    objectives = {"wgan-gp": "wasserstein", "gmmn": "moment-matching"}
    assert found["objective"] == objectives.get(model, "non-saturating")
    if model == "gmmn":
        assert isinstance(demo["gan"], MomentMatching)
        assert found["discriminator_loss"] is None and found["generator_loss"] > 0
    else:
        assert demo["gan"].discriminator.output_shape == (1,)
        assert found["discriminator_loss"] is not None
    assert "6/6" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_in", "without_pictures")
@pytest.mark.parametrize("model", ["mlp", "dcgan-r1"])
@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective(model, objective, run_demo, metrics, tmp_path):
    arguments = ["--quick", "--steps", 2, "--model", model, "--objective", objective]
    game = run_demo("mnist", *arguments, "--out", tmp_path)["gan"]
    assert metrics(tmp_path)["objective"] == objective
    assert type(game.objective) is OBJECTIVES[objective]


@pytest.mark.usefixtures("stand_in", "without_pictures")
@pytest.mark.parametrize(
    ("arguments", "objective", "regularizer", "discriminator_steps"),
    [
        ((), NonSaturating, "R1(0.25, every=8)", 1),
        (("--objective=wasserstein",), Wasserstein, "R1(0.25, every=8)", 1),
        (("--model=dcgan",), NonSaturating, None, 1),
        (("--model=dcgan", "--objective=wasserstein"), Wasserstein, "WeightClipping(0.01)", 5),
        (("--model=wgan-gp",), Wasserstein, "WGANGP(10, every=4)", 1),
        (("--model=wgan-gp", "--objective=hinge"), Hinge, "WGANGP(10, every=4)", 1),
    ],
)
def test_what_keeps_each_critic_in_bounds(
    arguments, objective, regularizer, discriminator_steps, run_demo, tmp_path
):
    demo = run_demo("mnist", *arguments, "--quick", "--steps", 1, "--out", tmp_path)
    game = demo["gan"]
    assert type(game.objective) is objective
    assert game.discriminator_steps == discriminator_steps
    if regularizer:
        assert repr(game.regularizer) == regularizer
    mixes = any(isinstance(layer, BatchNorm) for layer in game.discriminator.layers)
    assert mixes == ("--model=dcgan" in arguments)  # penalties are on each sample's own slope


@pytest.mark.usefixtures("stand_in", "without_pictures")
def test_the_kernel_of_gmmn_is_the_one_of_its_paper(run_demo, tmp_path):
    demo = run_demo("mnist", "--quick", "--steps", 1, "--model", "gmmn", "--out", tmp_path)
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 6, 28, 28, 1)).astype(np.float32)
    y[3:] *= 0.3

    def mean_kernel(a, b):  # as Li et al. 2015 write it, of pixels in [0, 1]
        squares = cdist(*((c.reshape(6, -1) + 1) / 2 for c in (a, b)), "sqeuclidean")
        return sum(np.exp(-squares / (2 * sigma)) for sigma in (2, 5, 10, 20, 40, 80)).mean()

    expected = mean_kernel(x, x) + mean_kernel(y, y) - 2 * mean_kernel(x, y)
    assert demo["gan"].feedback(y, x)[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("objective", ["wasserstein", "non-saturating"])
@pytest.mark.usefixtures("stand_in")
def test_without_a_discriminator_there_is_no_objective(objective, run_demo, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        run_demo("mnist", "--model", "gmmn", "--objective", objective, "--out", tmp_path)
    message = capsys.readouterr().err
    assert exit.value.code == 2
    assert f"--objective {objective}: this model has no discriminator" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("stand_in")
def test_noise_that_does_not_fit_is_refused(run_demo, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        run_demo("mnist", "--model", "gmmn", "--latent", "mixture", "--out", tmp_path)
    assert exit.value.code == 2 and "--latent mixture: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("stand_in", "without_pictures")
@pytest.mark.parametrize("model", ["dcgan-r1", "gmmn"])
def test_interrupted_and_resumed_it_ends_the_same(model, run_demo, interrupt_at, tmp_path):
    arguments = ["--quick", "--model", model, "--steps", 6, "--samples", 5, "--out"]
    whole = run_demo("mnist", *arguments, tmp_path / "whole")
    with interrupt_at(3), pytest.raises(SystemExit) as exit:
        run_demo("mnist", *arguments, tmp_path / "parts")
    assert exit.value.code == 130
    run_demo("mnist", *arguments, tmp_path / "parts", "--resume")
    samples = [np.load(tmp_path / part / "samples.npy") for part in ("whole", "parts")]
    np.testing.assert_array_equal(*samples)
    assert whole["session"].saved == 6


@pytest.mark.usefixtures("stand_in", "without_pictures")
@pytest.mark.parametrize("latent", ["uniform", "normal", "mixture"])
def test_the_walk_stays_where_the_noise_is(latent, run_demo, tmp_path):
    arguments = ["--quick", "--steps", 1, "--model", "mlp", "--latent", latent]
    demo = run_demo("mnist", *arguments, "--out", tmp_path)
    a, b = demo["z"][:2]
    normal = demo["latent"].continuous

    def between(a, b, t):
        return demo["between"](demo["latent"], a, b, t)

    np.testing.assert_allclose([between(a, b, 0), between(a, b, 1)], [a, b], atol=1e-12)
    middle = between(a, b, 0.5)
    if latent == "uniform":
        np.testing.assert_allclose(middle, (a + b) / 2)
        return
    assert normal == (80 if latent == "mixture" else 100)
    np.testing.assert_allclose(middle[normal:], (a + b)[normal:] / 2)  # from piece to piece
    a, b = (c[:normal] / np.linalg.norm(c[:normal]) for c in (a, b))  # on the sphere: in angle
    m = between(a, b, 0.5)
    assert np.linalg.norm(m) == pytest.approx(1)
    assert m @ a == pytest.approx(m @ b)
    assert np.linalg.norm(middle[:normal]) > 0.8 * normal**0.5  # straight: about 0.7


@pytest.mark.usefixtures("stand_in", "without_pictures")
def test_a_row_of_samples_for_each_piece(run_demo, tmp_path):
    demo = run_demo("mnist", "--quick", "--steps", 1, "--model", "dcgan-r1", "--out", tmp_path)
    assert demo["latent"].components == 20
    pieces = demo["pieces"].reshape(20, 12, 44)
    units = 3 * np.eye(20)[:, None]
    np.testing.assert_array_equal(pieces[:, :, 24:], np.tile(units, (1, 12, 1)))
    assert pieces[..., :24].std() == pytest.approx(1, abs=0.05)  # as wide as in training


@pytest.mark.usefixtures("stand_in", "without_pictures")
@pytest.mark.parametrize("model", ["dcgan-r1", "wgan-gp"])
def test_pieces_are_as_frequent_as_d_wants_them(model, run_demo, tmp_path):
    """By the log odds of D; a critic has none. The file of the generator knows."""
    demo = run_demo("mnist", "--quick", "--steps", 3, "--model", model, "--out", tmp_path)
    latent, trained = demo["latent"], demo["gan"].latent
    assert trained.uniform and repr(trained) == "MixtureLatent(44, 20, scale=3)"
    if model == "wgan-gp":
        assert latent is trained
    else:
        fakes = demo["gan"].generate(demo["weighed"])
        p = 1 / (1 + np.exp(-demo["D"](fakes)[:, 0].astype(float)))  # D(x)
        pieces = demo["weighed"][:, 24:] > 0
        odds = (p / (1 - p)) @ pieces
        np.testing.assert_allclose(latent.weights[0], odds / odds.sum(), rtol=1e-4)
        assert not latent.uniform
    G, notes = read_network(tmp_path / "generator.npz")
    assert repr(noted_latent(G, notes)) == repr(latent)


@pytest.mark.usefixtures("stand_in", "without_pictures")
@pytest.mark.parametrize("latent", ["normal", "mixture"])
def test_spread_narrows_the_samples_noise_alone(latent, run_demo, metrics, tmp_path):
    def run(spread):
        arguments = ["--quick", "--steps", 2, "--model", "mlp", "--latent", latent]
        demo = run_demo("mnist", *arguments, "--spread", spread, "--samples", 9, "--out", tmp_path)
        assert metrics(tmp_path)["spread"] == spread
        return demo, np.load(tmp_path / "samples.npy", allow_pickle=False)

    (wide, samples), (narrow, others) = run(1.0), run(0.5)
    k = wide["latent"].continuous
    np.testing.assert_allclose(narrow["z"][:, :k], 0.5 * wide["z"][:, :k])
    np.testing.assert_array_equal(narrow["z"][:, k:], wide["z"][:, k:])
    np.testing.assert_array_equal(narrow["losses"], wide["losses"])  # training has all of it
    assert (samples != others).any(axis=(1, 2, 3)).all()


@pytest.mark.usefixtures("stand_in", "without_pictures")
@pytest.mark.parametrize("data", ["mnist", "fashion-mnist"])
def test_the_classifier_judges_digits_alone(data, run_demo, metrics, tmp_path, capsys):
    arguments = ["--quick", "--steps", 1, "--model", "mlp", "--data", data, "--out", tmp_path]
    run_demo("mnist", *arguments)
    found, said = metrics(tmp_path), capsys.readouterr().out
    assert found["data"] == data
    if data != "mnist":
        assert "score" not in found and "Fréchet" not in said
        return
    assert f"Score {found['score']:.2f}, Fréchet distance {found['frechet']:.2f}" in said
    assert f"recall {found['recall']:.3f}, by {found['classifier'][:8]}." in said


@pytest.mark.usefixtures("stand_in")
def test_stopped_early_there_are_samples_to_see(run_demo, interrupt_at, tmp_path):
    arguments = ["--quick", "--model", "mlp", "--steps", 8, "--out", tmp_path]
    with interrupt_at(3), pytest.raises(SystemExit):
        run_demo("mnist", *arguments)
    assert (tmp_path / "samples.png").stat().st_size > 10_000
    assert not (tmp_path / "picture.png").exists()


def idx_files(folder, images, labels):
    folder.mkdir()
    for word, array in (("images-idx3", images), ("labels-idx1", labels)):
        (folder / f"train-{word}-ubyte").write_bytes(encode_idx(array.astype(np.uint8)))


@pytest.mark.usefixtures("without_pictures")
def test_another_set_of_the_family(run_demo, metrics, tmp_path, capsys):
    """Any folder of idx files, of any number of images, by any name."""
    rng = np.random.default_rng(0)
    shapes = rng.integers(256, size=(70, 28, 28)), rng.integers(7, size=70)
    idx_files(tmp_path / "shapes", *shapes)
    arguments = ["--quick", "--steps", 1, "--model", "mlp", "--data", "shapes", "--data-dir"]
    for folder in (tmp_path, tmp_path / "shapes"):
        demo = run_demo("mnist", *arguments, folder, "--out", tmp_path / "out")
        np.testing.assert_allclose(demo["images"][..., 0], shapes[0] / 127.5 - 1, atol=1e-6)
        assert "SHA-256" in capsys.readouterr().err
    assert metrics(tmp_path / "out")["data"] == "shapes"


@pytest.mark.parametrize("named", [True, False])
def test_without_mnist_there_is_a_message(named, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment.pop("MINIGAN_DATA", None)
    for variable in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"):
        environment[variable] = str(tmp_path / "home")
    environment["https_proxy"] = "http://127.0.0.1:9"  # nobody listens: fails at once
    command = [sys.executable, str(MNIST), "--quick", "--out", str(tmp_path / "out")]
    command += ["--data-dir", str(tmp_path / "nowhere")] if named else []
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "train-images-idx3-ubyte" in done.stderr and "What to do" in done.stderr
    assert ("nowhere" if named else "no mirror") in done.stderr


def test_unknown_names_are_refused(run_demo, tmp_path, capsys):
    for option in ("--model", "--objective", "--latent", "--spread"):
        with pytest.raises(SystemExit) as exit:
            run_demo("mnist", option, "nonsense", "--out", tmp_path)
        assert exit.value.code == 2
        assert "nonsense" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
