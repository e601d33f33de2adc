"""Tests that each scene of the lab shows what its text says, and that its cure helps."""

from dataclasses import replace

import numpy as np
import pytest

from lab import Experiment, Settings
from lab.look import look
from lab.scenes import find_scene

pytestmark = pytest.mark.slow


def played(settings, steps, measured=1):
    """The experiment after so many steps, measured as often on the way in its last half."""
    experiment = settings if isinstance(settings, Experiment) else Experiment(settings)
    for i in range(steps):
        experiment.step()
        if (i + 1) % (steps // (2 * measured)) == 0 and i >= steps // 2:
            experiment.measure()
    return experiment


def kl(experiment, last):
    return [row[1] for row in experiment.divergences][-last:]


def test_the_game_that_goes_well():
    experiment = played(find_scene("well").settings, 1500)
    _, modes, quality = experiment.coverage[-1]
    assert modes == 8 and quality > 0.1 and kl(experiment, 1)[0] < 0.5
    losses = [row[1] for row in list(experiment.history)[-100:]]
    assert abs(np.mean(losses) - 2 * np.log(2)) < 0.15


def test_collapse_and_its_cure():
    experiment = played(find_scene("collapse").settings, 800, measured=4)
    before = kl(experiment, 4)
    assert min(before) > 3 and max(row[1] for row in experiment.coverage) <= 4
    experiment.adjust(discriminator_lr=0.004)
    played(experiment, 1200, measured=4)
    assert max(kl(experiment, 2)) < min(before) / 2


def test_gradients_vanish_and_come_back():
    sick = find_scene("vanishing").settings
    sizes = []
    for settings in (sick, replace(sick, objective="non-saturating")):
        experiment = played(settings, 400)
        sizes.append(np.median(np.linalg.norm(look(experiment).push, axis=1)))
    assert np.mean([row[1] for row in list(experiment.history)[-50:]]) > 0.1
    assert sizes[0] < 1e-2 and sizes[1] > 1


def test_a_critic_without_a_leash_and_with_one():
    sick = find_scene("unleashed").settings
    experiment = played(sick, 800, measured=4)
    losses = np.array([row[1] for row in experiment.history])
    assert losses.max() > 1 and losses.min() < -1 and min(kl(experiment, 4)) > 2.5
    cured = played(replace(sick, regularizer="wgan-gp"), 800, measured=4)
    assert np.mean(kl(cured, 2)) < np.mean(kl(experiment, 4)) / 1.5


def test_circles_and_smaller_ones():
    experiment = played(find_scene("oscillation").settings, 1200, measured=6)
    wild = kl(experiment, 6)
    experiment.adjust(generator_lr=3e-4, discriminator_steps=3)
    played(experiment, 800, measured=6)
    assert max(wild) > 3 and np.mean(kl(experiment, 6)) < np.mean(wild) / 2


def test_the_head_start_is_the_game_that_goes_well():
    assert find_scene("trained").settings == replace(find_scene("well").settings, head_start=2000)
    assert Settings().head_start == 0
