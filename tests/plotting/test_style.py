"""Tests of the look of pictures and of how they are written."""

import json
import os

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from minigan.files import replacing
from minigan.plotting import captions, minus, picture, save_animation, save_picture
from minigan.plotting.style import FAKE, REAL, STYLE, styled


def test_a_picture_has_the_size_and_the_colours_asked_for(tmp_path):
    figure = picture(3, 2)
    axes = figure.subplots()
    for y, colour in (([0, 1], REAL), ([1, 0], FAKE)):
        axes.plot([0, 1], y, color=colour, linewidth=STYLE["lines.linewidth"])
    save_picture(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.size) == ("PNG", (450, 300))
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 16)}
    for colour in (REAL, FAKE):  # survive the reduction to 256 colours
        assert tuple(round(255 * part) for part in to_rgb(colour)) in colours


def test_captions_are_noted_in_the_file_and_ticks_are_not(tmp_path):
    figure = picture(3, 2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label="a line")
    axes.set(title="W = 0.819", xlabel="step")
    axes.legend()
    axes.text(0, 0, "hidden", visible=False)
    figure.suptitle("−1")
    save_picture(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        noted = json.loads(image.text["Captions"])
    assert sorted(noted) == sorted(["W = 0.819", "step", "a line", "−1"])
    assert sorted(captions(figure)) == sorted(noted)
    assert minus("-1.5, 2") == "−1.5, 2"


def test_an_animation_shows_the_frames_in_order_and_the_last_one_longer(tmp_path):
    figure = picture(1, 1)
    greys = [0.0, 0.4, 0.9]
    save_animation(
        figure, tmp_path / "a.gif", lambda grey: figure.set_facecolor(str(grey)), iter(greys)
    )
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.format, image.n_frames, image.info["loop"]) == ("GIF", 3, 0)
        shown, durations = [], []
        for k in range(3):
            image.seek(k)
            shown.append(image.convert("RGB").getpixel((50, 50))[0] / 255)
            durations.append(image.info["duration"])
    np.testing.assert_allclose(shown, greys, atol=0.02)
    assert durations[0] == durations[1] < durations[2]


def test_frames_do_not_lie_on_top_of_each_other(tmp_path):
    figure, counts = picture(1, 1), []

    def draw(_):
        figure.subplots()
        counts.append(len(figure.axes))

    save_animation(figure, tmp_path / "a.gif", draw, range(3))
    assert counts == [1, 1, 1]


def test_an_animation_needs_a_frame(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        save_animation(picture(1, 1), tmp_path / "a.gif", print, [])
    assert list(tmp_path.iterdir()) == []


def test_replacing_gives_all_or_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        with open(temporary, "w") as file:
            file.write("half of the n")
        assert os.path.dirname(temporary) == str(tmp_path)  # a rename within one file system
        assert path.read_text(encoding="utf-8") == "old"
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]

    with replacing(path) as temporary, open(temporary, "w") as file:
        file.write("new")
    assert path.read_text(encoding="utf-8") == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_style_holds_inside_and_the_users_settings_stay():
    mine = {"axes.spines.top": True, "font.size": 7}
    with matplotlib.rc_context(mine):

        @styled
        def inside():
            return matplotlib.rcParams["font.size"]

        assert inside() == STYLE["font.size"] != 7
        assert matplotlib.rcParams["font.size"] == 7
        assert not picture(1, 1).axes
