"""Tests of the lab's settings: what can be asked for, by a command line, a link or a page."""

from urllib.parse import parse_qsl

import pytest

from lab.scenes import SCENES, find_scene
from lab.settings import CHOICES, LIMITS, Settings
from lab.words import DATA_WORDS, LABELS, OBJECTIVE_WORDS, REGULARIZER_WORDS


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"data": "cube"}, "data: expected one of ring, .*, got 'cube'"),
        ({"data": "drawn"}, "no point has been drawn"),
        ({"data": ["ring"]}, "data: expected one of"),
        ({"generator_layers": 0}, "generator_layers: expected at least 1, got 0"),
        ({"discriminator_width": 10**9}, "discriminator_width: expected at most 256"),
        ({"generator_width": "1e9"}, "generator_width: expected a whole number, got '1e9'"),
        ({"batch": 10**400}, "batch: expected at most 1024, got 1000"),
        ({"generator_lr": "nan"}, "generator_lr: expected a number in"),
        ({"generator_lr": 0}, "generator_lr: expected a number in"),
        ({"generator_optimizer": "lion"}, "generator_optimizer: expected one of"),
        ({"points": ".".join(["5050"] * 10_000)}, "points: expected at most 400, got 10000"),
        ({"points": [[0.5, 0.5]]}, "points: expected xxyy.xxyy"),
        ({"points": "50505"}, "points: expected xxyy.xxyy"),
        ({"points": "5٣50"}, "points: expected xxyy.xxyy"),
        ({"objective": "wasserstein"}, "wasserstein needs a regularizer"),
        ({"__class__": "x"}, "settings: expected data, .*, got"),
        (["ring"], "settings: expected data"),
        (None, "settings: expected data"),
        (
            {"generator_width": 256, "generator_layers": 6, "batch": 1024, "generator_steps": 10},
            "times the work",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_with_a_sentence(wrong, message):
    with pytest.raises(ValueError, match=message) as refusal:
        Settings.parse(wrong)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("wrong", [{"batch": True}, {"batch": 3.5}, {"generator_lr": [1]}])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(TypeError, match="expected a"):
        Settings.parse(wrong)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_link_holds_all_settings(scene):
    assert Settings.parse(dict(parse_qsl(scene.settings.link()))) == scene.settings
    assert Settings.parse(scene.settings.raw()) == scene.settings
    assert find_scene(scene.name) is scene


def test_a_link_holds_what_was_drawn():
    drawn = Settings(data="drawn", points=((0.0, 1.0), (50 / 99, 1 / 99)), generator_lr=3e-4)
    assert drawn.link() == "data=drawn&points=0099.5001&generator_lr=0.0003"
    assert Settings.parse({"data": "drawn", "points": "0099.5001"}).points == drawn.points
    assert Settings().link() == ""


def test_an_unknown_scene_is_refused():
    with pytest.raises(ValueError, match=r"scene: expected one of well, .*, got 'x"):
        find_scene("x" * 1000)


def test_every_setting_and_choice_is_explained():
    assert set(LABELS) == {*CHOICES, *LIMITS} == set(vars(Settings())) - {"points"}
    assert set(DATA_WORDS) <= set(CHOICES["data"])
    assert set(OBJECTIVE_WORDS) == set(CHOICES["objective"])
    assert set(REGULARIZER_WORDS) == set(CHOICES["regularizer"])
