"""An interrupt in the middle of a step: the game can go on, and all its counters agree."""

import numpy as np
import pytest

from minigan import SGD, CycleGAN, Dense, MomentMatching, NormalLatent, Sequential, train
from minigan.optimizers import Optimizer


def of_four(seed):
    networks = [Sequential([Dense(2, n)], (2,), rng=seed) for n in (2, 2, 1, 1)]
    return CycleGAN(*networks, optimizers=[SGD(network) for network in networks])


def of_one(seed):
    G = Sequential([Dense(2, 2)], (2,), rng=seed)
    return MomentMatching(G, SGD(G), bandwidths=[1.0], latent=NormalLatent(2), rng=seed)


@pytest.fixture(params=["two", "five steps of D", "four", "one"])
def game(request, dense_gan):
    two = {"two": 1, "five steps of D": 5}
    if request.param in two:
        return dense_gan(discriminator_steps=two[request.param], dtype="float32")
    return {"four": of_four, "one": of_one}[request.param](0)


def updates(game):
    """Of each player, how many updates its optimizer has counted."""
    return {player: getattr(game, f"{player}_optimizer").steps for player in game.players}


def test_the_counters_are_those_of_the_last_whole_step(game, monkeypatch):
    def batches():
        while True:
            x = np.ones((4, 2), "float32") + np.arange(4, dtype="float32")[:, None]
            yield (x, x) if len(game.players) == 4 else x

    step, left = Optimizer.step, [0]

    def interrupted(optimizer, factor=1.0):
        step(optimizer, factor)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(Optimizer, "step", interrupted)
    for _ in train(game, batches(), 1):
        pass
    one = updates(game)
    for place in range(1, sum(one.values()) + 1):  # after each update of a step
        left[0], before = place, game.steps
        with pytest.raises(KeyboardInterrupt):
            next(train(game, batches(), 1))
        assert game.steps == before
        assert updates(game) == {player: n * before for player, n in one.items()}
        left[0] = 0
        next(train(game, batches(), 1))
        assert updates(game) == {player: n * game.steps for player, n in one.items()}
