"""Tests of the toy demo: its files, its options, its arrows."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigan import OBJECTIVES, Record
from support.looks import JUDGED
from support.recipes import RECIPES, REGULARIZERS

TOY = Path(__file__).resolve().parents[2] / "demos" / "toy.py"


def test_a_quick_run_writes_all_files(run_demo, metrics, check_pictures, tmp_path, capsys):
    run_demo("toy", "--quick", "--steps", 40, "--out", tmp_path)
    check_pictures(tmp_path)
    names = {"picture.png", "animation.gif", "checkpoint.npz", "metrics.json"}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert (tmp_path / "picture.png").stat().st_size < 300_000
    found = metrics(tmp_path)
    assert found["demo"] == "toy" and found["finished"]
    assert (found["data"], found["objective"], found["seed"]) == ("ring", "non-saturating", 0)
    assert (found["steps"], found["modes_total"]) == (40, 8)
    assert 0 <= found["modes"] <= 8 and 0 <= found["high_quality"] <= 1
    assert {"reverse_kl", "spread", "width"} <= set(found)
    assert {"discriminator_loss", "generator_loss", "backend"} <= set(found)
    assert found["seconds"] > 0
    assert found["steps_per_second"] == pytest.approx(40 / found["seconds"])
    bar = capsys.readouterr().err
    assert "40/40" in bar and "losses: D" in bar and "/8 modes" in bar


NAMES = [f"{r.objective}, {r.bounded_by}, {r.preset}" for r in RECIPES]


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_every_recipe_runs(recipe, run_demo, metrics, tmp_path):
    """Three steps with a gradient through all of what the recipe names."""
    names = ["--objective", recipe.objective, "--regularizer", recipe.bounded_by]
    names += ["--preset", recipe.preset]
    demo = run_demo("toy", "--quick", "--steps", 3, *names, "--out", tmp_path)
    assert demo["recipe"] is recipe
    gan, moment = demo["gan"], demo["looks"][-1][0]
    assert np.abs(moment.judgement).max() <= 1 and np.abs(moment.push).max() > 0
    matching = recipe.objective == "moment-matching"
    assert hasattr(gan, "discriminator") != matching
    assert gan.generator_optimizer.lr == (recipe.generator_lr or recipe.lr)
    assert np.isnan(demo["losses"][0]).all() == matching and np.isfinite(demo["losses"][1]).all()
    found = metrics(tmp_path)
    assert found["objective"] == recipe.objective
    assert found["regularizer"] == recipe.bounded_by
    if recipe.objective in OBJECTIVES:
        assert type(gan.objective) is OBJECTIVES[recipe.objective]
    if not matching:
        assert gan.discriminator_optimizer.lr == recipe.lr
        first = type(gan.discriminator.layers[1]).__name__
        assert (first == "SpectralNorm") == (recipe.bounded_by == "spectral-norm")
        if recipe.bounded_by in REGULARIZERS and recipe.bounded_by != "none":
            assert repr(gan.regularizer) == repr(recipe.make_regularizer(3)) != "None"


@pytest.mark.usefixtures("without_pictures")
def test_presets(run_demo, tmp_path, monkeypatch):
    """What is sharp trains longer."""

    def last(gan, batches, steps):
        yield Record(steps, 1.0, {"discriminator_loss": 1.0, "generator_loss": 1.0}, None)

    monkeypatch.setattr("minigan.train", last)

    def planned(*arguments):
        return run_demo("toy", *arguments, "--out", tmp_path)["steps"]

    fast, sharp = planned(), planned("--preset", "sharp")
    assert 2 * fast < sharp == planned("--preset", "sharp", "--data", "grid")
    assert planned("--preset", "sharp", "--steps", 7) == 7


@pytest.mark.usefixtures("without_pictures")
def test_a_pair_without_a_recipe_is_refused(run_demo, tmp_path, capsys):
    """In the words of the command line; a finished run stays as it is."""
    run_demo("toy", "--quick", "--steps", 2, "--out", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    names = ["--objective", "minimax", "--regularizer", "clipping"]
    with pytest.raises(SystemExit) as exit:
        run_demo("toy", *names, "--out", tmp_path)
    message = capsys.readouterr().err
    assert exit.value.code == 2 and "minimax goes with r1" in message
    assert "--objective minimax with --regularizer clipping" in message
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("data", ["moons", "ganlab-gaussians"])
def test_data_without_modes_of_one_size(data, run_demo, metrics, tmp_path):
    """One is a curve, the other has two Gaussians of different shapes."""
    run_demo("toy", "--quick", "--steps", 1, "--data", data, "--out", tmp_path)
    found = metrics(tmp_path)
    for key in ("modes", "modes_total", "high_quality", "reverse_kl", "spread", "width"):
        assert found[key] is None


@pytest.mark.usefixtures("without_pictures")
def test_same_seed_same_figures(run_demo, metrics, tmp_path):
    figures = []
    for seed in (1, 1, 2):
        run_demo("toy", "--quick", "--steps", 5, "--seed", seed, "--out", tmp_path)
        figures.append((metrics(tmp_path)["discriminator_loss"], metrics(tmp_path)["modes"]))
    assert figures[0] == figures[1] != figures[2]


@pytest.mark.usefixtures("without_pictures")
def test_the_last_look_has_pieces_as_frequent_as_d_wants_them(run_demo, metrics, tmp_path):
    arguments = ["--quick", "--preset", "sharp", "--steps", 40, "--out", tmp_path]
    demo = run_demo("toy", *arguments)
    gan, latent, weighed = demo["gan"], demo["latent"], demo["weighed"]
    assert gan.latent.uniform and not latent.uniform
    expected = gan.latent.reweighted(weighed, gan.judge(gan.generate(weighed)))
    np.testing.assert_array_equal(latent.weights, expected.weights)
    seen = (demo["observer"].z[:, latent.continuous :] > 0).mean(axis=0)
    np.testing.assert_allclose(seen, latent.weights[0], atol=0.05)
    shown = demo["looks"][-1][0].fake
    drawn = gan.generate(demo["observer"].z) * demo["scale"] + demo["centre"]
    np.testing.assert_allclose(shown, drawn, rtol=1e-6)
    assert demo["looks"][-1][0].step == 40
    assert metrics(tmp_path)["high_quality"] == demo["looks"][-1][1].high_quality


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("preset", ["fast", "sharp"])
def test_interrupted_and_resumed_it_ends_the_same(
    preset, run_demo, interrupt_at, metrics, tmp_path
):
    arguments = ["--quick", "--preset", preset, "--steps", 12, "--out"]
    whole = run_demo("toy", *arguments, tmp_path / "whole")
    with interrupt_at(7), pytest.raises(SystemExit) as exit:
        run_demo("toy", *arguments, tmp_path / "parts")
    assert exit.value.code == 130 and not metrics(tmp_path / "parts")["finished"]
    resumed = run_demo("toy", *arguments, tmp_path / "parts", "--resume")
    for network in "GD":
        assert resumed[network].parameters.tobytes() == whole[network].parameters.tobytes()
    np.testing.assert_array_equal(resumed["losses"], whole["losses"])
    for one, other in zip(resumed["moments"], whole["moments"], strict=True):
        assert one.step == other.step and one.caption == other.caption
        np.testing.assert_array_equal(one.fake, other.fake)
    assert resumed["shares"] == whole["shares"]


@pytest.mark.usefixtures("without_pictures")
def test_resumed_it_goes_on_for_more_steps(run_demo, tmp_path, capsys):
    """Though its schedule, which ends at the last step, is then another."""
    run_demo("toy", "--quick", "--steps", 6, "--out", tmp_path)
    longer = run_demo("toy", "--quick", "--steps", 9, "--out", tmp_path, "--resume")
    assert longer["gan"].steps == 9 and "Going on from step 6" in capsys.readouterr().out


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    "objective", ["non-saturating", "wasserstein", "feature-matching", "moment-matching"]
)
def test_arrows_point_where_the_generators_loss_falls(objective, run_demo, tmp_path):
    arguments = ["--quick", "--steps", 30, "--objective", objective, "--out", tmp_path]
    demo = run_demo("toy", *arguments)
    gan, moment = demo["gan"], demo["moments"][-1]
    fake = gan.generate(demo["z"])
    np.testing.assert_allclose(moment.fake, fake * demo["scale"] + demo["centre"], atol=1e-6)
    player = getattr(gan, "discriminator", gan.generator)
    before = player.gradients.copy()
    demo["observer"].look(30)
    np.testing.assert_array_equal(player.gradients, before)  # looking leaves no trace
    twin = gan if objective == "moment-matching" else gan.clone(dtype="float64")
    fake, x = fake[:JUDGED], demo["observer"].real.astype("float64")
    for i in range(0, 50, 7):
        for k in range(2):
            losses = []
            for h in (1e-6, -1e-6):
                moved = fake.astype("float64")
                moved[i, k] += h
                losses.append(float(twin.feedback(moved, x)[0]))
            slope = (losses[0] - losses[1]) / 2e-6
            assert moment.push[i, k] == pytest.approx(-slope, rel=1e-2, abs=1e-7)


@pytest.mark.usefixtures("without_pictures")
def test_pictures_are_in_the_datas_units(run_demo, tmp_path):
    """The networks see standardised data; pictures and metrics do not."""
    demo = run_demo("toy", "--quick", "--steps", 2, "--data", "ganlab-disjoint", "--out", tmp_path)
    real = demo["real"]
    assert real.mean() == pytest.approx(0.55, abs=0.05) and real.std() < 0.3
    standardised = next(demo["batches"])
    assert abs(standardised.mean()) < 0.2 and standardised.std() == pytest.approx(1, abs=0.2)
    network_units = demo["gan"].generate(demo["z"])
    shown = demo["moments"][-1].fake
    np.testing.assert_allclose((shown - demo["centre"]) / demo["scale"], network_units, atol=1e-5)


@pytest.mark.parametrize("option", ["--data", "--objective", "--backend"])
def test_unknown_names_are_refused(option, run_demo, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        run_demo("toy", option, "nonsense", "--out", tmp_path)
    assert exit.value.code == 2
    assert "nonsense" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_as_a_program_without_a_display(tmp_path):
    """Whatever window system is configured, nothing asks for it."""
    environment = {**os.environ, "MPLBACKEND": "tkagg"}
    environment.pop("DISPLAY", None)

    def run(*arguments):
        command = [sys.executable, str(TOY), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path
        )

    help = run("--help")
    assert help.returncode == 0 and "eight Gaussians" in help.stdout and "--quick" in help.stdout
    assert list(tmp_path.iterdir()) == []
    done = run("--quick", "--steps", "2")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "toy" / "picture.png").exists()


def test_metrics_alone(run_demo, metrics, tmp_path):
    run_demo("toy", "--quick", "--steps", 2, "--no-pictures", "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.npz", "metrics.json"}
    assert metrics(tmp_path)["finished"]
