"""Warnings about hopeless training: each sign is told, once, and only when it stays."""

import warnings

import numpy as np
import pytest

from minigan import (
    Adam,
    Dense,
    LeakyReLU,
    Record,
    ReLU,
    Sequential,
    TrainingDiverged,
    train,
)
from minigan.data import Batches, toy
from minigan.diagnosis.health import TrainingWarning, watched
from minigan.finite import first_bad_gradient


@pytest.fixture
def game(make_gan):
    """A game of plain layers; make_game(objective, lr)."""

    def make_game(objective="minimax", lr=1e-3, optimizer=Adam, **options):
        def network(outputs, activation, seed):
            layers = [Dense(2, 16), activation(), Dense(16, 16), activation(), Dense(16, outputs)]
            return Sequential(layers, (2,), rng=seed)

        G, D = network(2, ReLU, 0), network(1, LeakyReLU, 1)
        optimizers = {"generator_optimizer": optimizer(G, lr)}
        optimizers["discriminator_optimizer"] = optimizer(D, lr)
        return make_gan(G, D, objective, **optimizers, **options)

    return make_game


def told(game, records, every=10):
    """The warnings' texts, and whether the records came through unchanged."""
    records = list(records)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert list(watched(game, iter(records), every)) == records
    assert {warning.category for warning in caught} <= {TrainingWarning}
    assert {warning.filename for warning in caught} <= {__file__}  # where the loop is
    return [str(warning.message) for warning in caught]


def records(steps, **figures):
    """Made-up records: each figure a number, or a function of the step."""
    for step in range(1, steps + 1):
        now = {n: f(step) if callable(f) else f for n, f in {"real_logit": 1.0, **figures}.items()}
        yield Record(step, 0.1, now, None)


def after(start, value, before=1.0, until=10**9):
    return lambda step: value if start < step <= until else before


def figures(loss=1.3, G=1.0, D=1.0, logit=-1.0):
    return {
        "discriminator_loss": loss,
        "fake_logit": logit,
        "generator_gradient_norm": G,
        "discriminator_gradient_norm": D,
    }


SIGNS = {
    "flat D": (figures(after(20, 1e-3), after(20, 1e-4)), "step 50: the discriminator is sure"),
    "sure D": (figures(after(20, 1e-3), logit=after(20, -9)), "step 50: the discriminator is sure"),
    "exploding G": (figures(G=after(20, 1e5)), "step 50: the gradient of the generator explodes"),
    "exploding D": (figures(D=after(20, 1e5)), "step 50: the gradient of the discriminator expl"),
}
HEALTHY = {
    "a sure D, but G learns": figures(after(20, 1e-3), after(20, 1e-2)),
    "a logit far from 0, but D errs elsewhere": figures(logit=after(20, -9)),
    "a small gradient, but D cannot tell": figures(1.3, after(20, 1e-5)),
    "a bad moment": figures(after(20, 1e-3, until=40), after(20, 1e-4, until=40)),
    "a steep moment": figures(G=after(20, 1e6, until=40)),
    "two bad moments": figures(G=lambda step: 1e9 if step % 50 > 30 and step > 50 else 1.0),
    "one step in each look": figures(G=lambda step: 1e9 if step % 10 == 0 and step > 20 else 1.0),
    "no gradient at first": figures(G=after(20, 1.0, before=0.0)),
}


@pytest.mark.parametrize("name", SIGNS)
def test_a_sign_that_stays_is_told_once(name, game):
    numbers, message = SIGNS[name]
    found = told(game(), records(200, **numbers))
    assert len(found) == 1 and found[0].startswith(message), found


@pytest.mark.parametrize("name", HEALTHY)
def test_no_sign_no_warning(name, game):
    assert told(game(), records(200, **HEALTHY[name])) == []


def test_an_explosion_names_the_largest_gradient(game):
    game = game()
    game.generator.gradients.fill(1)
    game.generator.named_gradients()["2.weight"][...] = 1e9
    found = told(game, records(60, **SIGNS["exploding G"][0]))
    assert "most of it in 2.weight (what to do: " in found[0]


def test_a_wasserstein_critic_has_no_loss_to_saturate_at(make_gan, build_game):
    game, _ = build_game("penalty")
    assert told(game, records(100, **figures(-3.0, after(20, 1e-4)))) == []


def test_a_gradient_that_is_small_is_not_dead(game):
    game = game()
    game.generator.gradients.fill(1)
    game.generator.named_gradients()["0.weight"][...] = -1e-30
    game.generator.named_gradients()["0.bias"][...] = 0
    assert told(game, records(60, **figures())) == []


def test_dead_layers_are_named(game):
    game = game()
    game.generator.named_parameters()["0.bias"][...] = -1e3  # every ReLU is off
    batches = Batches(toy("ring"), 16, np.random.default_rng(0))
    found = told(game, train(game, batches, 40))
    assert len(found) == 1
    assert "step 30: the generator is dead up to layer 2 (Dense(16, 16))" in found[0]


def test_a_layer_that_wakes_up_is_not_told(game):
    game = game()
    bias = game.generator.named_parameters()["0.bias"]
    bias[...] = -1e3
    batches = Batches(toy("ring"), 16, np.random.default_rng(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for record in watched(game, train(game, batches, 60), 10):
            bias[...] = 0 if record.step == 25 else bias


@pytest.mark.parametrize(
    ("objective", "saturates"),
    [("minimax", True), ("absolute-error", True), ("non-saturating", False), ("hinge", False)],
)
def test_a_discriminator_far_ahead(objective, saturates, game):
    """Real samples far from all fakes, a G that hardly moves: D soon is sure everywhere.

    Whether G can still learn then is what the objectives differ in.
    """
    game = game(objective, lr=1e-2)
    game.generator_optimizer.lr = 1e-7
    batches = Batches(np.full((16, 2), 3.0), 16, np.random.default_rng(0))
    found = told(game, train(game, batches, 400), every=20)
    assert len(found) == saturates
    assert all("the discriminator is sure everywhere" in text for text in found)


@pytest.mark.parametrize("objective", ["minimax", "non-saturating", "least-squares"])
def test_ordinary_training_is_not_disturbed(objective, game):
    game = game(objective)
    batches = Batches(toy("ring"), 64, np.random.default_rng(0))
    assert told(game, train(game, batches, 300), every=10) == []


def test_every_game_can_be_watched(kind, build_game):
    game, batches = build_game(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(watched(game, train(game, batches, 12), 10))) == 12


@pytest.mark.parametrize(
    ("kind", "name"),
    [("cycle", "critic_b"), ("moment matching", "generator"), ("critic", "discriminator")],
)
def test_games_without_a_common_step_name_the_first_bad_number(kind, name, build_game):
    game, batches = build_game(kind)
    getattr(game, name).named_parameters()["3.weight"][1, 0] = np.nan
    place = rf"{name}'s parameter 3\.weight"
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=place) as caught:
        list(train(game, batches, 1))
    assert caught.value.step == 1 and caught.value.player == name


def test_gradients_that_explode_only_together(make_gan):
    """Each array's norm is finite in float32, their sum of squares is not."""
    G = Sequential([Dense(2, 2), Dense(2, 2)], (2,), rng=0)
    G.gradients.fill(0.9e19)
    with np.errstate(over="ignore"):
        assert not np.isfinite(G.backend.norm(G.gradients))
        assert first_bad_gradient(G, "the generator") is None
        G.named_gradients()["0.weight"][...] = 2e19
        named = "the norm of the gradient of the generator's parameter 0.weight"
        assert first_bad_gradient(G, "the generator") == named
