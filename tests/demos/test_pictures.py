"""The pictures that are kept: of today's lessons, with captions that say what was measured.

The lessons themselves run in test_course.py; demos/pictures.py draws the pictures anew.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import pictures
from support import kept
from support.kept import KEPT, PICTURES, constants, keep, notes

ALL = [(lesson, name) for lesson, names in PICTURES.items() for name in names]

NUMBER = re.compile(r"(?<![\w₀-₉])[−+-]?\d[\d,]*\.?\d*%?")


def leaves(metrics):
    """All numbers in nested lists and dicts."""
    if isinstance(metrics, dict):
        metrics = list(metrics.values())
    if isinstance(metrics, list):
        return [number for part in metrics for number in leaves(part)]
    return [metrics] if isinstance(metrics, (int, float)) and not isinstance(metrics, bool) else []


def is_shown(text, numbers):
    """Whether a number as it is written, "4.61" or "93%", is one of the numbers, rounded."""
    plain = text.replace(",", "").replace("−", "-")
    digits = len(plain.rstrip("%").partition(".")[2])
    value = float(plain.rstrip("%")) / (100 if plain.endswith("%") else 1)
    half = 0.51 * 10.0**-digits / (100 if plain.endswith("%") else 1)
    return any(abs(number - value) <= half for number in numbers)


def test_a_number_as_it_is_written():
    assert is_shown("4.61", [1, 4.614]) and not is_shown("4.61", [4.62, 46.1])
    assert is_shown("93%", [0.926]) and not is_shown("93%", [93.4])
    assert is_shown("−1.760", [-1.7604]) and not is_shown("1.760", [-1.7604])


@pytest.mark.parametrize("lesson, name", ALL)
def test_a_kept_picture_is_of_the_lesson_as_it_is_today(lesson, name):
    found = notes(KEPT / name)
    assert found["Constants"] == constants(lesson), "draw it anew: demos/pictures.py"
    metrics = found["Metrics"]
    assert (metrics["demo"], metrics["seed"], metrics["quick"]) == (lesson, 0, False)
    assert metrics["finished"] and all(metrics.get("claims", {}).values())


def texts(metrics):
    """All strings in nested lists and dicts, the names of figures among them."""
    if isinstance(metrics, dict):
        metrics = [*metrics, *metrics.values()]
    if isinstance(metrics, list):
        return [text for part in metrics for text in texts(part)]
    return [metrics] if isinstance(metrics, str) else []


@pytest.mark.parametrize("lesson, name", ALL)
def test_a_kept_picture_holds_no_path_of_the_machine_that_drew_it(lesson, name):
    assert not [text for text in texts(notes(KEPT / name)["Metrics"]) if Path(text).is_absolute()]


@pytest.mark.parametrize("lesson, name", ALL)
def test_figures_in_captions_are_those_that_the_lesson_measured(lesson, name):
    """Decimals and percentages; whole numbers are mostly settings, such as steps."""
    found = notes(KEPT / name)
    numbers = leaves(found["Metrics"])
    settings = {float(n) for n in re.findall(r"\d*\.?\d+", " ".join(found["Constants"]))}
    for caption in found["Captions"]:
        for text in NUMBER.findall(caption):
            if "." in text.rstrip(".") or "%" in text:
                text = text.rstrip(".")
                assert is_shown(text, [*numbers, *settings]), (caption, text)


def test_all_pictures_are_known_and_shown():
    folder = {path.name for path in KEPT.iterdir()}
    pages = [path.read_text(encoding="utf-8") for path in kept.DEMOS.parent.rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"pictures/([\w.-]+)", page)}
    assert {name for _, name in ALL} <= folder <= shown


# --- The command that draws them -----------------------------------------------------------------


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    """Pictures are kept elsewhere."""
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr(kept, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(pictures, "KEPT", tmp_path / "kept")
    return tmp_path


def draw(path, grey, caption):
    info = PngImagePlugin.PngInfo()
    info.add_text("Captions", json.dumps([caption]))
    Image.fromarray(np.full((4, 4), grey, np.uint8)).save(path, pnginfo=info)


def test_what_differs_is_said(own_folder):
    drawn, there = own_folder / "drawn.png", own_folder / "kept" / "a.png"
    draw(drawn, 3, "estimate 4.6")
    assert pictures.difference(drawn, there) == "new"
    keep(drawn, "xray", {"seed": 0}, "a.png")
    assert pictures.difference(drawn, there) == ""
    found = notes(there)
    assert found["Metrics"] == {"seed": 0} and found["Constants"] == constants("xray")
    draw(drawn, 4, "estimate 4.6")
    assert pictures.difference(drawn, there) == "the same captions, other pixels"
    draw(drawn, 3, "estimate 0.9")
    assert pictures.difference(drawn, there) == (
        "it says ['estimate 0.9'] in place of ['estimate 4.6']"
    )


@pytest.mark.parametrize("held", [True, False])
def test_a_picture_that_contradicts_its_lesson_is_not_kept(held, own_folder, monkeypatch, capsys):
    def run(lesson, options):
        folder = Path(own_folder)
        draw(folder / "picture.png", 5, "title")
        return folder, {"claims": {"It collapses": held}}

    monkeypatch.setattr(pictures, "run", run)
    monkeypatch.setattr("sys.argv", ["pictures.py", "xray"])
    with pytest.raises(SystemExit) as exit:
        pictures.main()
    assert "xray.png: differs: new" in capsys.readouterr().out
    assert (own_folder / "kept" / "xray.png").exists() == held
    assert exit.value.code is None if held else "not borne out: It collapses" in exit.value.code
