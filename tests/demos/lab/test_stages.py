"""Tests of slow motion: the same step to the last bit, its own numbers, and lines that exist."""

import numpy as np
import pytest

from lab import Experiment, Settings
from lab.settings import CHOICES
from lab.stages import excerpt, stages
from minigan.gan import GAN

SMALL = {"generator_width": 8, "discriminator_width": 8, "batch": 16}


def weights(experiment):
    gan = experiment.gan
    return np.concatenate([gan.generator.parameters, gan.discriminator.parameters])


@pytest.mark.parametrize(
    "options", [{}, {"discriminator_steps": 3, "objective": "hinge", "regularizer": "wgan-gp"}]
)
def test_slow_motion_is_the_same_step_to_the_last_bit(options):
    plain, slow = (Experiment(Settings(**SMALL, **options)) for _ in range(2))
    for _ in range(3):
        plain.step()
        found = list(stages(slow))
        np.testing.assert_array_equal(weights(plain), weights(slow))
    assert plain.history == slow.history
    assert len(found) == 6 * slow.gan.discriminator_steps + 5
    assert all(stage.title and stage.text and stage.formula and stage.code for stage in found)


@pytest.mark.parametrize("regularizer", ["none", "wgan-gp", "clipping"])
def test_the_numbers_are_those_of_the_librarys_own_step(regularizer):
    """The figures that `GAN.discriminator_step` and `generator_step` return, to the last bit."""
    plain, slow = (Experiment(Settings(regularizer=regularizer, **SMALL)) for _ in range(2))
    plain.step()
    list(stages(slow))
    x = plain.next_batch()
    figures = plain.discriminator_step(x) | plain.generator_step()
    numbers = {}
    for stage in stages(slow):
        for name, value in stage.numbers.items():
            numbers[f"norm of {stage.title[0]}" if name == "norm" else name] = value
    names = {
        "loss of D": "discriminator_loss", "loss of G": "generator_loss", "mean r": "real_logit",
        "mean f": "fake_logit", "norm of D": "discriminator_gradient_norm",
        "norm of G": "generator_gradient_norm",
    }  # fmt: skip
    for name, figure in names.items():
        assert numbers[name] == float(figures[figure]), name


def test_the_means_before_and_after_are_ds_own():
    experiment = Experiment(Settings(**SMALL))
    for stage in stages(experiment):
        if "D moves" in stage.title:
            logits = experiment.gan.discriminator(experiment.to_networks(stage.look.real))
            mean = (1 / (1 + np.exp(-logits.astype(np.float64)))).mean()
            assert stage.numbers["mean D of real, after"] == pytest.approx(mean, rel=1e-4)
            assert stage.numbers["mean D of real, after"] != stage.numbers["mean D of real"]


@pytest.mark.parametrize("objective", CHOICES["objective"])
@pytest.mark.parametrize("optimizer", CHOICES["generator_optimizer"])
def test_every_game_can_be_taken_apart(objective, optimizer):
    """Each marked line is in the source: `excerpt` refuses others."""
    settings = Settings(
        objective=objective, regularizer="clipping", generator_optimizer=optimizer,
        discriminator_optimizer=optimizer, generator_lr=1e-4, discriminator_lr=1e-4, **SMALL,
    )  # fmt: skip
    for stage in stages(Experiment(settings)):
        assert all(np.isfinite(value) for value in stage.numbers.values())
        for code in stage.code:
            assert code["file"].startswith("minigan/") and '"""' not in "".join(code["lines"])


def test_an_excerpt_of_a_line_that_is_not_there_is_refused():
    code = excerpt(GAN.feedback, "D.backward(")
    assert [code["lines"][i].strip() for i in code["marked"]] == [
        "return loss, D.backward(d_logits, cache)"
    ]
    with pytest.raises(ValueError, match=r"GAN.feedback: expected a line with 'D.forwards'"):
        excerpt(GAN.feedback, "D.forwards")
