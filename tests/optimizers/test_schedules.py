"""Schedules of the learning rate, by themselves and in a game."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import SGD, ExponentialDecay, LinearDecay, train
from minigan.optimizers import constant

TABLE = [
    # steps, hold, end, factors at 0, 1, 2, ...
    (4, 0, 0, [1, 0.75, 0.5, 0.25, 0, 0]),
    (4, 0.5, 0, [1, 1, 1, 0.5, 0, 0]),
    (4, 0.5, 0.2, [1, 1, 1, 0.6, 0.2, 0.2]),
    (4, 0, 1, [1, 1, 1, 1, 1, 1]),
    (10, 0.5, 0, [1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0]),
    (1, 0, 0, [1, 0]),
]


@pytest.mark.parametrize("steps, hold, end, factors", TABLE)
def test_linear_decay(steps, hold, end, factors):
    schedule = LinearDecay(steps, hold, end)
    np.testing.assert_allclose([schedule(i) for i in range(len(factors))], factors, atol=1e-12)


@pytest.mark.parametrize(
    "steps, hold, end, factors",
    [
        (4, 0, 1 / 16, [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16]),
        (6, 0.5, 0.001, [1, 1, 1, 1, 0.1, 0.01, 0.001, 0.001]),
        (1, 0, 0.5, [1, 0.5]),
        (3, 0.2, 1, [1, 1, 1, 1]),
    ],
)
def test_exponential_decay(steps, hold, end, factors):
    schedule = ExponentialDecay(steps, hold, end)
    np.testing.assert_allclose([schedule(i) for i in range(len(factors))], factors, rtol=1e-12)


@pytest.mark.parametrize("decay", [LinearDecay, ExponentialDecay])
@given(st.integers(1, 10_000), st.floats(0, 0.99), st.floats(1e-6, 1), st.integers(0, 10_000))
def test_decays_fall_within_their_bounds(decay, steps, hold, end, step):
    schedule = decay(steps, hold, end)
    assert end * (1 - 1e-12) <= schedule(step + 1) <= schedule(step) <= 1
    assert schedule(0) == 1 and schedule(steps) == end


def test_an_exponential_decay_cannot_end_at_zero():
    with pytest.raises(ValueError, match="end"):
        ExponentialDecay(10, end=0)


def test_constant():
    assert constant(0) == constant(10**6) == 1


def test_repr():
    assert repr(LinearDecay(100, 0.25)) == "LinearDecay(100, hold=0.25, end=0)"
    assert repr(ExponentialDecay(100)) == "ExponentialDecay(100, hold=0.5, end=0.01)"


def test_a_game_asks_once_per_update_with_its_step(dense_gan):
    asked = []

    def schedule(step):
        asked.append(step)
        return 1.0

    gan = dense_gan(schedule=schedule, discriminator_steps=2)
    list(train(gan, iter([np.ones((4, 2)) * i for i in range(6)]), 3))
    assert asked == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_factor_of_zero_stops_both_players(dense_gan):
    gan = dense_gan(schedule=LinearDecay(2, hold=0), optimizer=SGD)
    batches = iter(np.random.default_rng(0).normal(size=(9, 4, 2)))
    moved = []
    for _ in range(3):
        before = [gan.generator.parameters.copy(), gan.discriminator.parameters.copy()]
        next(train(gan, batches, 1))
        after = [gan.generator.parameters, gan.discriminator.parameters]
        moved.append([not np.array_equal(a, b) for a, b in zip(after, before, strict=True)])
    assert moved == [[True, True], [True, True], [False, False]]
