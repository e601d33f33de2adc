"""Tests of the lab's demo where there is no display."""

import numpy as np
from PIL import Image


def test_a_quick_run_renders_a_player(run_demo, metrics, tmp_path):
    run_demo("lab", "--quick", "--steps", 2, "--width", 8, "--out", tmp_path)
    text = (tmp_path / "session.html").read_text()
    assert text.count("data:image/png;base64") == 1 + 7 + 1  # start, stages, the second step
    found = metrics(tmp_path)
    assert found["finished"] and found["steps"] == 2 and found["file"] == "session.html"
    assert found["kl"] > found["jensen_shannon"] > 0


def test_a_gif(run_demo, tmp_path):
    arguments = [
        "--quick",
        "--gif",
        "--steps",
        1,
        "--data",
        "moons",
        "--objective",
        "hinge",
        "--width",
        8,
    ]
    run_demo("lab", *arguments, "--out", tmp_path)
    with Image.open(tmp_path / "session.gif") as image:
        assert image.n_frames > 4
        assert np.asarray(image.convert("RGB")).std() > 5
