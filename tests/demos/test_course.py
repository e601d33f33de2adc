"""Every lesson of the course in its quick form: its pictures, and what its figures say."""

import ast
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

import minigan.plotting
from support.kept import KEPT, PICTURES, notes

DEMOS = Path(__file__).resolve().parents[2] / "demos"
LESSONS = {
    "minimal_gan": ["picture.png"],
    "density_estimation": ["picture.png"],
    "pushforward": ["picture.png"],
    "backprop_by_hand": ["network.png", "checks.png"],
    "transposed_convolution": ["matrix.png", "scatter.png", "checkerboard.png", "cure.png"],
    "xray": ["picture.png"],
    "vanishing_gradients": ["picture.png"],
    "saddle_point": ["best_d.png", "circles.png"],
    "wasserstein": ["picture.png"],
    "moment_matching": ["picture.png"],
    "mode_collapse": ["picture.png"],
    "ranks": ["picture.png"],
}


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """lesson(name) -> the folder of one quick run, which all tests of that lesson share."""
    folders = {}

    def run(name, run_demo):
        if name not in folders:
            folder = tmp_path_factory.mktemp(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(minigan.plotting, "save_picture", saved(folder))
                run_demo(name, "--quick", "--out", folder)
            folders[name] = folder
        return folders[name]

    return run


def saved(folder, save=minigan.plotting.save_picture):
    """`save_picture`, which also notes the smallest text of each figure, in a file of the folder.

    In pixels, where the picture is shown 800 pixels wide, as on a page.
    """

    def save_and_note(figure, path):
        save(figure, path)
        sizes = [t.get_size() for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
        pixels = min(sizes) / 72 * 800 / max(figure.get_size_inches()[0], 5.3)
        with (folder / "sizes.txt").open("a") as file:
            file.write(f"{path.name} {pixels:.1f}\n")

    return save_and_note


@pytest.fixture
def found(lesson, run_demo):
    """found(name) -> the metrics of the quick run."""
    return lambda name: json.loads(
        (lesson(name, run_demo) / "metrics.json").read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("name", LESSONS)
def test_pictures_show_something(name, lesson, run_demo, found, capsys):
    folder = lesson(name, run_demo)
    names = {path.name for path in folder.iterdir()} - {"sizes.txt"}
    assert names == {*LESSONS[name], "metrics.json"}
    for picture in LESSONS[name]:
        path = folder / picture
        assert path.stat().st_size < 300_000
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        wide = pixels.shape[1] == (750 if name == "minimal_gan" else 1200)
        assert pixels.shape[0] >= 290 and wide and pixels.std() > 5
        # no panel is empty: in every quarter of the width something is drawn
        for part in np.array_split(pixels, 4, axis=1):
            assert (part < 128).any()
    metrics = found(name)
    assert metrics["demo"] == name and metrics["finished"]


def template(caption):
    """A caption with # in place of each number, up to a colon: claims are for full runs."""
    return re.sub(r"[−+]?\d[\d,]*(\.\d+)?( · 10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?", "#", caption.partition(": ")[0])


@pytest.mark.parametrize("name", LESSONS)
def test_kept_pictures_have_the_captions_that_the_lesson_writes_today(name, lesson, run_demo):
    for kept, drawn in PICTURES[name].items():
        written = {template(text) for text in notes(lesson(name, run_demo) / drawn)["Captions"]}
        found = {template(text) for text in notes(KEPT / kept)["Captions"]}
        assert written == found, "draw it anew: demos/pictures.py"


@pytest.mark.parametrize("name", LESSONS)
def test_all_text_can_be_read_and_numbers_have_minus_signs(name, lesson, run_demo):
    folder = lesson(name, run_demo)
    for line in (folder / "sizes.txt").read_text(encoding="utf-8").splitlines():
        picture, pixels = line.split()
        assert float(pixels) >= 12, picture
    for picture in LESSONS[name]:
        for text in notes(folder / picture)["Captions"]:
            assert not re.search(r"(^|[^\w])-\d|e-\d", text), text


@pytest.mark.parametrize("name", sorted(set(LESSONS) - {"minimal_gan"}))
def test_every_lesson_says_what_to_look_at_and_to_try(name):
    source = (DEMOS / f"{name}.py").read_text(encoding="utf-8")
    lesson = ast.get_docstring(ast.parse(source))
    for part in ("What to look at", "What to try next", "akes ", "Files: ", "metrics.json"):
        assert part in lesson, part
    assert source.count("\n# %% ") >= 3
    assert all(picture in lesson for picture in LESSONS[name])


def classes(folder):
    """The names of all classes that the files below a folder define, one per definition.

    But for the exercises, whose classes take the place of the library's of that name.
    """
    files = [path for path in sorted(folder.rglob("*.py")) if "exercises" not in path.parts]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    return [n.name for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]


def test_one_name_means_one_thing():
    """No demo has a Recipe or Settings of its own, nor a class that is named as the library's."""
    ours = classes(DEMOS)
    assert {"Recipe", "Settings"} <= set(ours)
    assert len(ours) == len(set(ours)) and not set(ours) & set(classes(DEMOS.parent / "minigan"))


# --- What the figures say; those of training are loose, since quick runs hardly train ------------


def test_density_estimation(found):
    m = found("density_estimation")
    models = m["models"]
    parzen = next(name for name in models if name.startswith("Parzen"))
    neighbours = next(name for name in models if "neighbours" in name)
    likelihood = {n: f["log_likelihood"][0] for n, f in models.items() if "log_likelihood" in f}
    assert likelihood["truth"] > likelihood[parzen] > likelihood["Gaussian"] + 0.3
    assert abs(likelihood["mixture of 3 Gaussians"] - likelihood["truth"]) < 0.02
    assert models[neighbours]["area"] > 1.05 and "wasserstein" not in models[neighbours]
    assert set(models["GAN"]) == {"wasserstein"}
    assert models["mixture of 3 Gaussians"]["area"] == pytest.approx(1, abs=1e-4)
    assert m["standard_error"] == pytest.approx(math.sqrt(m["p"] * (1 - m["p"]) / 1000))
    assert abs(m["p"] - 0.4) < 3 * m["standard_error"]  # weights 0.3 and half of 0.2 lie above 0
    assert all(m["claims"].values())  # none of them is about the GAN, the only one that trains


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.filterwarnings("ignore:the best bandwidth:UserWarning")
def test_density_estimation_of_few_points(run_demo, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        run_demo("density_estimation", "--points", 2, "--out", tmp_path)
    assert exit.value.code == 2 and "--points: expected at least 3" in capsys.readouterr().err
    run_demo("density_estimation", "--quick", "--steps", 1, "--points", 3, "--out", tmp_path)


def test_pushforward(found):
    m = found("pushforward")
    distance = m["wasserstein"]
    assert all(distance[name] < 0.02 for name in distance if name != "network")
    assert distance["network"] > 0.05  # 20 steps: hardly trained
    assert m["claims"]["The samples are right"] is False


def test_backprop_by_hand(found):
    m = found("backprop_by_hand")
    assert m["errors"]["right"] < 1e-9 and m["errors"]["wrong"] > 0.1
    assert m["passed"] == {"right": True, "wrong": False}
    before = ["x₁", "x₂", "a₁", "a₂", "W₁₁", "W₁₂", "W₂₁", "W₂₂", "b₁", "b₂"]
    assert sorted(m["wrong"]) == sorted(before)  # all before the mistake, and nothing behind it


def test_transposed_convolution(found):
    m = found("transposed_convolution")
    assert m["transposed"] and m["sizes_agree"]
    assert m["adjoint"][0] == m["adjoint"][1] != 0  # whole numbers: no rounding
    for name, uneven in m["uneven"].items():
        kernel = int(name.split()[1].rstrip(","))
        assert (uneven == 0) == (kernel % 2 == 0), name
    before, _ = zip(*m["rough"].values(), strict=True)
    assert before[0] > 2 * before[2] and all(early > late for early, late in m["rough"].values())


def test_xray(found):
    m = found("xray")
    named = {name: " ".join(findings) for name, findings in m["findings"].items()}
    assert named["healthy"] == ""
    assert named["sigmoids"].startswith("vanishing gradient")
    assert named["large weights"].startswith("exploding gradient")
    assert named["dead units"].startswith("dead units: layer 5, ReLU()")
    assert named["wrong backward pass"].startswith("wrong gradient: layer 5, ForgetfulReLU()")
    assert 0.1 < m["factors"]["healthy"] < 10 and m["factors"]["sigmoids"] < 0.01


def test_vanishing_gradients(found):
    m = found("vanishing_gradients")
    assert m["after"]["minimax"] < m["before"]["minimax"] / 3
    assert m["after"]["non-saturating"] > m["before"]["non-saturating"]
    assert m["push_on_fakes"]["minimax"] < m["push_on_fakes"]["non-saturating"] / 10
    assert m["after"]["Wasserstein"] > 0.3 > m["after"]["minimax"]


def test_ranks(found):
    """One sum makes ranks one process, unless batch norm takes its means on each alone."""
    errors = found("ranks")["errors"]
    assert max(errors["without batch norm"]) < 1e-14
    assert min(errors["batch norm of each rank alone"]) > 0.1


def test_saddle_point(found):
    m = found("saddle_point")
    distances = m["distances"]
    assert distances["simultaneous steps"] > 1.5
    assert distances["their average"] < 0.2
    assert distances["R1, γ = 0.5"] < 1e-6 and distances["10 steps of D"] < 1e-6
    assert m["minus_log_4"] == pytest.approx(-math.log(4), abs=1e-6)
    assert m["value"] <= m["value_of_best"] < 0  # nobody beats the best
    assert m["value_if_equal"] <= m["minus_log_4"] + 1e-9


def test_wasserstein(found):
    m = found("wasserstein")
    assert 0.7 < m["exact"] < 1  # from around 0 to a circle of radius 1
    assert m["estimates"]["spectral norm"] < m["exact"]
    assert set(m["estimates"]) == set(m["mean_slope"]) and all(m["mean_slope"].values())


def test_moment_matching(found):
    m = found("moment_matching")
    assert all(loss > m["floor"][name] > 0 for name, loss in m["loss"].items())
    assert m["claims"]["The wide kernel pushes neighbours alike, the narrow one does not"]
    assert all(found > m["wasserstein_among_data"] > 0 for found in m["wasserstein"].values())


def test_mode_collapse(found, lesson, run_demo):
    m = found("mode_collapse")
    games = {"no cure", "fading noise", "D sees far"}
    assert set(m["modes"]) == set(m["high_quality"]) == games
    assert all(0 <= modes <= 8 for modes in m["modes"].values())
    assert not any(m["claims"].values())  # 16 steps: nothing is claimed that has not happened
    drawn = notes(lesson("mode_collapse", run_demo) / "picture.png")["Captions"]
    kept = notes(KEPT / "mode_collapse.png")["Captions"]
    assert not any("all 8" in text for text in drawn) and any("all 8" in text for text in kept)
