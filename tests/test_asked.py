"""`train` without a loop: nothing is trained, and that is said."""

import gc
import warnings

import numpy as np
import pytest

from minigan import GAN, SGD, Dense, NormalLatent, Sequential, TrainingDiverged, train
from minigan.data import Batches, toy


@pytest.fixture
def game():
    G, D = (Sequential([Dense(2, n)], (2,), rng=n) for n in (2, 1))
    optimizers = {"generator_optimizer": SGD(G), "discriminator_optimizer": SGD(D)}
    return GAN(G, D, "minimax", latent=NormalLatent(2), rng=0, **optimizers)


@pytest.fixture
def batches():
    return Batches(toy("ring"), 4, 0)


def test_a_training_that_nobody_asked_for_warns_where_it_is_dropped(game, batches):
    with pytest.warns(RuntimeWarning, match="trained nothing: it runs in a loop, `for") as told:
        train(game, batches, 10)
        gc.collect()
    assert [warning.filename for warning in told] == [__file__] and game.steps == 0
    records = train(game, batches, 1)
    assert "in_a_for_loop" in repr(records)  # what a notebook shows
    next(records)


@pytest.mark.parametrize("use", [list, next, lambda records: [*zip((1, 2), records, strict=False)]])
def test_one_that_was_asked_does_not(game, batches, use):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        use(train(game, batches, 3))
        gc.collect()
    assert told == [] and game.steps > 0


def test_nor_one_that_failed(game):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(TrainingDiverged):
            next(train(game, iter([np.full((4, 2), np.nan, "float32")]), 3))
        gc.collect()
    assert told == []


def test_arguments_are_checked_at_once(game, batches):
    with pytest.raises(ValueError, match="steps: expected at least 0, got -1"):
        train(game, batches, -1)
