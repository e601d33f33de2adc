"""Tests of the tables of results: what is run, what is kept, what is shown."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

import minigan.data
import minigan.metrics
from minigan.metrics import classifier
from minigan.weights import LATENT, mnist_generator

pytestmark = [
    pytest.mark.usefixtures("without_pictures"),
    pytest.mark.filterwarnings("ignore:the best bandwidth:UserWarning"),  # of images in stripes
]


@pytest.fixture
def runs(monkeypatch, run_demo):
    """The demos run in this process; the list tells which, and `fail` names some that fail.

    To save time only some do; of the others the files are made up.
    """
    started = []

    def run(command, **options):
        arguments = [str(part) for part in command[2:]]
        started.append(arguments)
        if any(word in arguments for word in run.fail):
            return SimpleNamespace(returncode=1, stderr="first line\ntraining diverged\n")
        if {"sharp", "minimax", "hinge", "mlp", "gmmn"} & set(arguments):
            run_demo(Path(command[1]).stem, *arguments)
        else:
            folder = Path(arguments[-1])
            folder.mkdir(parents=True)
            np.save(folder / "samples.npy", np.zeros((30, 28, 28, 1), np.float32))
            (folder / "metrics.json").write_text(
                '{"finished": true, "seconds": 1.2}', encoding="utf-8"
            )
        return SimpleNamespace(returncode=0, stderr="")

    run.fail = []
    monkeypatch.setattr(subprocess, "run", run)
    return SimpleNamespace(started=started, run=run)


@pytest.fixture
def stand_in(monkeypatch):
    """Images of one bright stripe each, instead of digits."""

    def load(split, data_dir=None, name="mnist"):
        rng = np.random.default_rng(len(split))
        n = 1200 if split == "train" else 250
        images = rng.uniform(-1, -0.8, (n, 28, 28, 1)).astype(np.float32)
        labels = rng.integers(10, size=n)
        images[np.arange(n), 2 * labels + 4] += 1.5
        return images, labels

    monkeypatch.setattr(minigan.data, "load_mnist", load)
    monkeypatch.setattr(classifier, "load_mnist", load)
    return load


def rows(folder, table=0):
    """heading or first cell -> cells, of a table in table.md."""
    text = (folder / "table.md").read_text(encoding="utf-8").split("\n\n")[table]
    lines = [[c.strip() for c in line.strip("|").split("|")] for line in text.strip().splitlines()]
    return {cells[0]: cells[1:] for cells in lines}


def test_a_toy_table_is_trained_once(run_demo, runs, metrics, tmp_path, capsys):
    arguments = ["ring", "--quick", "--steps", 2, "--seeds", 2, "--seed", 5, "--out", tmp_path]
    names = run_demo("results", *arguments)["RECIPES_OF_TOYS"]
    assert names.keys() >= minigan.OBJECTIVES.keys()
    assert len(runs.started) == 2 * len(names)
    assert metrics(tmp_path)["finished"] and capsys.readouterr().out.count("± ") > 20
    table = rows(tmp_path)
    assert set(table) == {"ring", "---", "real data", *names}
    assert all(table[name][-1] == "2 of 2" for name in names)
    assert table["real data"][0] == "8.0 ± 0.0"
    assert 98 < float(table["real data"][1].split()[0]) < 100

    found = [metrics(folder) for folder in (tmp_path / "runs").glob("*hinge*")]
    assert {(m["data"], m["objective"], m["seed"], m["steps"]) for m in found} == {
        ("ring", "hinge", 5, 2),
        ("ring", "hinge", 6, 2),
    }
    shares = [100 * m["high_quality"] for m in found]
    assert table["hinge"][1] == f"{np.mean(shares):.2f} ± {stats.sem(shares):.2f}"

    runs.started.clear()
    run_demo("results", *arguments)
    capsys.readouterr()
    assert runs.started == [] and rows(tmp_path) == table
    # Interrupted: one run is missing, one has a checkpoint and is not finished.
    first, second = sorted((tmp_path / "runs").glob("*minimax*"))
    shutil.rmtree(first)
    text = (second / "metrics.json").read_text(encoding="utf-8")
    (second / "metrics.json").write_text(
        text.replace('"finished": true', '"finished": false'), encoding="utf-8"
    )
    run_demo("results", *arguments)
    assert len(runs.started) == 2
    assert all("minimax" in arguments for arguments in runs.started)
    assert capsys.readouterr().out.count("Going on from step 2.") == 1
    assert [c for c in rows(tmp_path)["minimax"][:4]] == table["minimax"][:4]  # the same bits
    run_demo("results", *arguments[:-1], tmp_path, "--steps", 3, "--seeds", 1)
    assert len(runs.started) == 2 + len(names)  # other options, other runs


def test_a_failed_run_is_told_in_its_row_and_by_the_status(run_demo, runs, tmp_path, capsys):
    runs.run.fail = ["hinge"]
    with pytest.raises(SystemExit, match="1 runs failed") as exit:
        run_demo("results", "ring", "--quick", "--steps", 2, "--seeds", 1, "--out", tmp_path)
    assert exit.value.code  # text or a number: not 0
    assert "--objective hinge" in (told := capsys.readouterr().out)
    assert "failed: toy.py" in told and "training diverged (status 1)" in told
    table = rows(tmp_path)
    assert table["hinge"] == ["–"] * 6 + ["0 of 1; training diverged (status 1)"]
    assert table["minimax"][-1] == "1 of 1"


def test_one_run_has_no_error(run_demo, runs, tmp_path):
    """Neither NaN nor infinity nor an empty cell: the figure alone."""
    run_demo("results", "ring", "--quick", "--steps", 2, "--seeds", 1, "--out", tmp_path)
    for name, cells in rows(tmp_path).items():
        if name not in ("ring", "---"):
            assert all(re.fullmatch(r"–|[\d.]+", text) for text in cells[:-1]), cells
    assert not re.search("nan|inf", (tmp_path / "table.md").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("stand_in")
def test_images_are_trained_and_scored(run_demo, runs, metrics, tmp_path, capsys):
    images = minigan.data.load_mnist("test")[0][:60]
    np.save(tmp_path / "copies.npy", images)
    (tmp_path / "run").mkdir()
    np.save(tmp_path / "run" / "samples.npy", np.full_like(images, 0.5))
    arguments = ["--quick", "--steps", 1, "--image-seeds", 1, "--out", tmp_path / "out"]
    sets = ["mnist", tmp_path / "copies.npy", tmp_path / "run"]
    demo = run_demo("results", *sets, *arguments)
    assert [a[:2] for a in runs.started] == [v[:2] for v in demo["MNIST"].values()]
    assert all("--resume" in arguments for arguments in runs.started)
    table = rows(tmp_path / "out")
    names = [name.rsplit(", ", 1) for name in table if name.endswith(" s")]
    assert [name for name, _ in names] == list(demo["MNIST"])
    assert {"MLP", "DCGAN", "WGAN-GP", "GMMN"} < demo["MNIST"].keys()
    score, frechet, precision, *_, parzen = table[str(tmp_path / "copies.npy")]
    assert abs(float(score) - float(table["test images"][0])) < 0.2
    assert float(precision) > 0.5 and float(frechet) < 20
    assert parzen.count("±") == 1
    blank = table[str(tmp_path / "run")]
    assert blank[0] == "1.00" and float(blank[1]) > float(frechet)
    assert table["test images"][-1] == "–"  # they would be scored on themselves
    assert f"by classifier {minigan.metrics.mnist_classifier().digest[:8]}" in (
        capsys.readouterr().out
    )

    pool, asked = images[:50], images[:3]  # blurred: the mean of the nearest
    order = cdist(asked.reshape(3, -1), pool.reshape(50, -1)).argsort(axis=1)[:, :4]
    assert (order[:, 0] == [0, 1, 2]).all()
    expected = [pool[nearest].mean(axis=0) for nearest in order]
    np.testing.assert_allclose(demo["blurred"](asked, pool, 4), expected, atol=1e-6)


@pytest.mark.usefixtures("stand_in")
def test_images_of_several_seeds(run_demo, tmp_path, monkeypatch):
    """Each seed is scored for itself; mean and standard error of the figures."""

    def run(command, **options):
        folder, seed = Path(command[-1]), int(command[command.index("--seed") + 1])
        folder.mkdir(parents=True)
        rng = np.random.default_rng(seed)
        np.save(folder / "samples.npy", rng.uniform(-1, 1, (60, 28, 28, 1)).astype(np.float32))
        text = f'{{"finished": true, "seconds": {seed}}}'
        (folder / "metrics.json").write_text(text, encoding="utf-8")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    arguments = ["mnist", "--quick", "--seed", 4, "--image-seeds", 3, "--out", tmp_path]
    demo = run_demo("results", *arguments)
    judge = minigan.metrics.mnist_classifier()
    features = judge(minigan.data.load_mnist("train")[0][: 5 * demo["QUICK_SAMPLES"]])[1]
    folders = sorted((tmp_path / "runs").glob("*gmmn*"))
    found = [
        minigan.metrics.image_scores(np.load(folder / "samples.npy"), features, judge).frechet
        for folder in folders
    ]
    row = rows(tmp_path)["GMMN, 5 s"]
    assert row[1] == f"{np.mean(found):.2f} ± {stats.sem(found):.2f}" and len(folders) == 3


def test_stacked_digits(run_demo, tmp_path, monkeypatch):
    """A run per game and seed; what real digits reach, once per seed; who fails has a row."""
    started = []

    def run(command, **options):
        arguments = [str(part) for part in command[2:]]
        started.append(arguments)
        game, seed = arguments[1], int(arguments[arguments.index("--seed") + 1])
        if game == "packing":
            return SimpleNamespace(returncode=1, stderr="diverged\n")
        row = {"modes": 100 * seed, "kl": 0.5, "sure": 0.25, "seconds": 3.0}
        real = {"modes": 1000, "kl": 0.02, "sure": 0.99}
        folder = Path(arguments[-1])
        folder.mkdir(parents=True)
        found = {"finished": True, "games": {"real": real, game: row}}
        (folder / "metrics.json").write_text(json.dumps(found), encoding="utf-8")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SystemExit, match="2 runs failed"):
        run_demo("results", "stacked", "--seed", 1, "--image-seeds", 2, "--out", tmp_path)
    table = rows(tmp_path)
    assert table["no cure"] == ["150.0 ± 50.0", "0.500 ± 0.000", "25.0 ± 0.0", "3 ± 0", "2 of 2"]
    assert table["real training images"][:2] == ["1000.0 ± 0.0", "0.020 ± 0.000"]
    assert table["real training images"][3:] == ["–", "2 of 2"]
    assert table["packing"] == ["–"] * 4 + ["0 of 2; diverged (status 1)"]
    longer = [arguments for arguments in started if "20000" in arguments]
    assert len(longer) == 2 and all("R1" in arguments for arguments in longer)
    assert len(started) == 10 and not any("--resume" in arguments for arguments in started)


@pytest.mark.usefixtures("stand_in")
def test_one_generator_by_the_width_of_its_noise(run_demo, runs, metrics, tmp_path):
    """The same noise, but for its width: the pieces that it chooses stay."""
    demo = run_demo("results", "widths", "--quick", "--out", tmp_path)
    names = [f"noise × {width:g}" for width in demo["WIDTHS"]]
    assert runs.started == [] and set(names) < set(rows(tmp_path))
    assert set(names) < metrics(tmp_path)["scores"]["widths"]["score"].keys()
    z = LATENT.sample(demo["QUICK_SAMPLES"], np.random.default_rng(0)).astype(np.float32)
    sets, G = demo["images_of_widths"](), mnist_generator()
    normal = LATENT.continuous
    for name, width in zip(names, demo["WIDTHS"], strict=True):
        narrowed = np.concatenate([np.float32(width) * z[:, :normal], z[:, normal:]], axis=1)
        np.testing.assert_allclose(sets[name][0], G(narrowed), atol=1e-4)


BROKEN = {
    "cannot be read": lambda path: path.write_bytes(b"no array"),
    r"expected floats \(N, 28, 28, 1\), got float64 \(2, 784\)": np.zeros((2, 784)),
    "got uint8": np.zeros((2, 28, 28, 1), np.uint8),
    r"numbers in \[-1, 1\]": np.full((2, 28, 28, 1), 2.0),
    r"numbers in \[-1, 1\] ?": np.full((2, 28, 28, 1), np.nan),
    "cannot be read: Object arrays": np.array([{}]),
    "cannot be read: .*No such file": lambda path: None,
}


@pytest.mark.usefixtures("stand_in")
def test_a_model_that_failed_has_a_row(run_demo, runs, tmp_path, monkeypatch):
    runs.run.fail = ["--model"]  # all of them

    class Judge:
        digest, log_likelihood, standard_error = "0" * 64, 1.0, 1.0
        score = frechet = precision = recall = density = coverage = 1.0

        def __call__(self, images):
            return None, None

    for name in ("mnist_classifier", "image_scores", "parzen_score"):
        monkeypatch.setattr(minigan.metrics, name, lambda *images, **options: Judge())
    with pytest.raises(SystemExit, match="10 runs failed"):
        run_demo("results", "mnist", "--quick", "--image-seeds", 2, "--out", tmp_path / "out")
    assert rows(tmp_path / "out")["WGAN-GP"][0] == "failed: training diverged (status 1)"


@pytest.mark.parametrize("message", BROKEN)
def test_what_is_no_image_file_is_refused_before_anything_runs(
    message, run_demo, runs, tmp_path, capsys
):
    path, content = tmp_path / "a.npy", BROKEN[message]
    content(path) if callable(content) else np.save(path, content)
    with pytest.raises(SystemExit) as exit:
        run_demo("results", "ring", path, "--out", tmp_path / "out")
    told = capsys.readouterr().err
    assert exit.value.code == 2 and re.search(message, told) and str(path) in told
    assert runs.started == [] and not (tmp_path / "out").exists()


def test_a_home_folder_is_found(run_demo, runs, tmp_path, monkeypatch, capsys):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    np.save(tmp_path / "mine.npy", np.zeros((2, 28, 28), np.float32))
    with pytest.raises(SystemExit):
        run_demo("results", "~/mine.npy", "--out", tmp_path / "out")
    assert f"{tmp_path / 'mine.npy'}: expected floats (N, 28, 28, 1)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("MINIGAN_DATA"), reason="MINIGAN_DATA names no folder")
def test_on_the_real_images(run_demo, tmp_path):
    """The classifier of the package sees that blurred images are not the real ones."""
    np.save(tmp_path / "black.npy", np.full((40, 28, 28, 1), -1.0, np.float32))
    run_demo("results", tmp_path / "black.npy", "--quick", "--out", tmp_path / "out")
    table = rows(tmp_path / "out")
    frechet = {name: float(cells[1]) for name, cells in table.items() if cells[1][0].isdigit()}
    assert frechet["training images"] < frechet["the same, blurred"]
    assert frechet["the same, blurred"] < frechet[str(tmp_path / "black.npy")]
    real, blurred = (table[k][-1].split()[0] for k in ("training images", "the same, blurred"))
    assert float(blurred) > float(real)  # what the Parzen window thinks of them
