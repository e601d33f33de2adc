"""Tests of the lab's window by clicks and keys, and of its recording, without a display."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseEvent

from lab import Experiment, Recording, Settings, View, Window
from minigan.plotting import picture, save_player

SMALL = {"width": 8, "batch": 16}


@pytest.fixture
def window():
    figure = picture(14, 8)
    window = Window(figure, Settings(**SMALL))
    figure.canvas.draw()
    figure.canvas.draw_idle = lambda: None  # most of the time; what is drawn is tested below
    return window


def click(window, axes, x=0.5, y=0.5):
    """Press and release the mouse at a place given in shares of the axes."""
    canvas = window.figure.canvas
    place = axes.transAxes.transform((x, y))
    for kind in ("button_press_event", "button_release_event"):
        canvas.callbacks.process(kind, MouseEvent(kind, canvas, *place, button=1))


def press(window, key):
    canvas = window.figure.canvas
    canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", canvas, key))


def choose(window, name, label):
    radio = window.choices[name]
    x, y = next(t.get_position() for t in radio.labels if t.get_text() == label)
    click(window, radio.ax, x + 0.02, y)


def test_buttons_move_the_game(window):
    experiment = window.experiment
    click(window, window.buttons["One step"].ax)
    assert experiment.steps == 1 and len(experiment.divergences) == 1
    D, G = experiment.gan.discriminator, experiment.gan.generator
    before = D.parameters.copy(), G.parameters.copy()
    click(window, window.buttons["Only D"].ax)
    assert (D.parameters != before[0]).any() and (G.parameters == before[1]).all()
    click(window, window.buttons["Only G"].ax)
    assert experiment.steps == 2
    click(window, window.buttons["Start again"].ax)
    assert window.experiment is not experiment and window.experiment.steps == 0


def test_keys_are_the_buttons_keys(window):
    press(window, "right")
    assert window.experiment.steps == 1
    press(window, "g")
    assert window.experiment.steps == 2
    press(window, "x")
    assert window.experiment.steps == 2


def test_play_and_pause(window):
    window.tick()
    assert window.experiment.steps == 0  # not playing yet
    click(window, window.buttons["Play / pause"].ax)
    for _ in range(4):
        window.tick()
    assert window.playing and window.experiment.steps >= 4
    assert len(window.experiment.divergences) == 1
    press(window, " ")
    assert not window.playing


def test_slow_motion_shows_every_stage_and_is_finished_by_any_move(window):
    titles = []
    for _ in range(8):
        click(window, window.buttons["Slow motion"].ax)
        titles.append(window.view.title.get_text())
    assert titles[0].startswith("D's step") and titles[6].startswith("G's step: G moves")
    assert titles[7] == "Step 1"
    press(window, "m")
    press(window, "right")
    assert window.experiment.steps == 3  # the step taken apart, then one more


def test_choices_begin_a_new_session(window):
    for name, label in [("data", "moons"), ("noise", "uniform"), ("optimizer", "sgd")]:
        choose(window, name, label)
        assert getattr(window.experiment.settings, name) == label
    assert window.experiment.settings.data == "moons"


def test_a_choice_that_cannot_be_is_explained_and_taken_back(window):
    experiment = window.experiment
    choose(window, "objective", "wasserstein")
    assert "Lipschitz" in window.message.get_text()
    assert window.experiment is experiment
    assert window.choices["objective"].value_selected == "non-saturating"
    choose(window, "regularizer", "wgan-gp")
    choose(window, "objective", "wasserstein")
    assert window.experiment.settings.objective == "wasserstein"
    assert window.message.get_text() == ""


def test_sliders(window):
    experiment = window.experiment
    window.sliders["generator_lr"].set_val(-2)
    window.sliders["discriminator_steps"].set_val(3)
    assert (
        window.experiment is experiment
        and experiment.gan.generator_optimizer.lr == pytest.approx(0.01)
    )
    assert experiment.gan.discriminator_steps == 3
    window.sliders["layers"].set_val(3)
    assert window.experiment is not experiment and window.experiment.settings.layers == 3
    assert window.experiment.settings.generator_lr == pytest.approx(0.01)


def test_points_drawn_with_the_mouse(window):
    click(window, window.view.plane, 0.25, 0.5)
    assert window.experiment.settings.data == "ring"  # no drawing before it is chosen
    choose(window, "data", "drawn")
    assert "click" in window.message.get_text()
    click(window, window.view.plane, 0.25, 0.5)
    click(window, window.view.plane, 0.75, 0.25)
    settings = window.experiment.settings
    assert settings.data == "drawn"
    np.testing.assert_allclose(settings.points, [(0.25, 0.5), (0.75, 0.25)], atol=0.01)
    choose(window, "data", "ring")
    choose(window, "data", "drawn")
    click(window, window.view.plane, 0.5, 0.5)
    assert len(window.experiment.settings.points) == 1


def test_divergence_stops_the_game_with_a_message(window):
    window.toggle()
    window.experiment.gan.generator.parameters[:] = np.nan
    window.tick()
    assert not window.playing and "diverged" in window.message.get_text()


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_view_draws_what_a_look_shows(dimension):
    figure, experiment = picture(10, 6), Experiment(Settings(noise_dimension=dimension, **SMALL))
    view, pixels = View(figure, experiment), []
    for shows in ({"real"}, {"real", "fake"}, {"real", "fake", "push"}, {"verdict"}, {"mesh"}):
        view.show(experiment.look(shows=frozenset(shows)))
        figure.canvas.draw()
        pixels.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    look = experiment.look()
    view.show(look)
    for dots, points in ((view._real, look.real), (view._fake, look.fake)):
        np.testing.assert_array_equal(dots.get_offsets(), points)
    changed = [(a != b).any() for a, b in pairwise(pixels)]
    assert changed == [True, True, True, True]


@pytest.mark.slow
def test_a_recording_as_one_html_file(tmp_path):
    figure, experiment = picture(5, 3), Experiment(Settings(**SMALL))
    recording, path = Recording(figure, experiment), tmp_path / "session.html"
    shown = []

    def draw(look):
        shown.append(look.title or look.step)
        recording.draw(look)

    save_player(figure, path, draw, recording.frames(5, every=2, slow=0))
    text = path.read_text()
    assert text.count("data:image/png;base64") == len(shown) and "<script" in text
    assert "http" not in text.replace("http://www.w3.org", "")  # nothing is loaded from elsewhere
    assert '.fa-play::before { content: "▶" }' in text
    assert shown[-2:] == [4, 5] and experiment.steps == 5
    assert [p.name for p in tmp_path.iterdir()] == ["session.html"]


def test_a_recording_begins_in_slow_motion():
    experiment = Experiment(Settings(**SMALL))
    looks = list(Recording(picture(5, 3), experiment).frames(2, every=1, slow=1))
    titles = list(dict.fromkeys(look.title for look in looks))
    assert titles[0] == "Before the first step" and len(titles) == 9
    assert looks[-1].step == 2 and "KL" in looks[-1].text
