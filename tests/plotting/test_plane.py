"""Tests of the picture of a GAN on 2-D data."""

import numpy as np
import pytest
from matplotlib.quiver import Quiver

from minigan.plotting import Moment, draw_frame, draw_moment, draw_moments, picture

EXTENT = (-2.0, 2.0, -1.0, 3.0)


def moment(push, judgement=None, step=3):
    fake = np.random.default_rng(0).standard_normal((20, 2))
    judgement = np.zeros((4, 4)) if judgement is None else judgement
    return Moment(step, fake, np.asarray(push, float), judgement, "a caption")


def arrows(axes):
    (quiver,) = (c for c in axes.collections if isinstance(c, Quiver))
    return np.stack([quiver.X, quiver.Y], axis=1), np.stack([quiver.U, quiver.V], axis=1)


def test_the_first_row_of_the_judgement_is_the_lower_edge():
    figure = picture(3, 3)
    axes = figure.subplots()
    judgement = np.repeat([[-1.0], [1.0]], 2, axis=1)  # y = -1: fake, y = 3: real
    draw_moment(
        axes, Moment(0, np.empty((0, 2)), np.empty((0, 2)), judgement), EXTENT, np.empty((0, 2))
    )
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    for y, colour in ((-0.9, "orange"), (2.9, "blue")):
        column, up = axes.transData.transform([0.0, y]).round().astype(int)
        red, _, blue, _ = pixels[len(pixels) - up, column].astype(int)
        assert (red > blue + 50) if colour == "orange" else (blue > red + 50)


def test_arrows_start_at_the_fakes_keep_their_direction_and_stay_short():
    push = np.random.default_rng(1).standard_normal((8, 2)) * 1e-6
    shown = moment(push)
    axes = picture(3, 3).subplots()
    draw_moment(axes, shown, EXTENT, shown.fake)
    start, arrow = arrows(axes)
    np.testing.assert_array_equal(start, shown.fake[:8])
    cosine = (
        (arrow * push).sum(axis=1) / np.linalg.norm(arrow, axis=1) / np.linalg.norm(push, axis=1)
    )
    np.testing.assert_allclose(cosine, 1)
    length = np.linalg.norm(arrow, axis=1)
    assert length.max() == pytest.approx(0.1 * 4)
    weak = np.argsort(np.linalg.norm(push, axis=1))[:4]
    ratio = length[weak] / np.linalg.norm(push[weak], axis=1)
    np.testing.assert_allclose(ratio, ratio[0])  # lengths can be compared


@pytest.mark.parametrize("push", [np.zeros((3, 2)), np.empty((0, 2))])
def test_no_push_no_arrow(push):
    axes = picture(3, 3).subplots()
    draw_moment(axes, moment(push), EXTENT, np.zeros((1, 2)))
    assert not arrows(axes)[1].any()


@pytest.mark.parametrize("shares", [(), [(0, 0.5, 0.0), (3, 1.0, 0.9)]])
def test_a_picture_holds_all_moments_and_the_curves(shares):
    figure = picture(9, 6)
    moments = [moment(np.ones((2, 2)), step=step) for step in (0, 1500, 3)]
    losses = np.ones((2, 3))
    draw_moments(figure, moments, EXTENT, np.zeros((4, 2)), losses, shares=shares)
    figure.canvas.draw()
    titles = [axes.get_title() for axes in figure.axes]
    assert [t for t in titles if t.startswith("step")] == ["step 0", "step 1,500", "step 3"]
    assert titles.count("Losses") == 1
    assert titles.count("Coverage of the modes") == bool(shares)


def test_nothing_moves_between_frames():
    figure, places = picture(8, 4), []
    for step, scale in ((0, 1.0), (3, 1e4)):
        figure.clear()
        draw_frame(
            figure,
            moment(np.ones((2, 2)), step=step),
            EXTENT,
            np.zeros((4, 2)),
            np.full((2, 3), scale),
        )
        figure.canvas.draw()
        places.append([axes.get_position(original=True).bounds for axes in figure.axes])
    assert places[0] == places[1]
