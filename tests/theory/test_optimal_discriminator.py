"""Goodfellow et al. 2014, section 4, measured: D* = p / (p + q), and its value 2 JS − log 4.

A discriminator is trained between two fixed densities on the line, with fresh samples in every
batch. What it learned is then integrated against the exact densities: no sampling error there.
"""

import math

import numpy as np
import pytest
from scipy import integrate

from minigan import Adam, Dense, LinearDecay, Sequential, Tanh, train
from minigan.data import Batches
from minigan.data.distributions import GaussianMixture
from minigan.games.critic import CriticGame

STEPS, BATCH = 1400, 512
PAIRS = {
    "shifted": (GaussianMixture([[-1.0]], 1.0), GaussianMixture([[1.0]], 1.0)),
    "two modes against one": (
        GaussianMixture([[-2.0], [2.0]], 0.7, [0.3, 0.7]),
        GaussianMixture([[0.0]], 1.5),
    ),
    "three modes against two": (
        GaussianMixture([[-3.0], [0.0], [3.0]], 0.6),
        GaussianMixture([[-1.5], [1.5]], 0.8),
    ),
    "equal": (GaussianMixture([[-2.0], [1.0]], 0.7, [0.4, 0.6]),) * 2,
}
GRID = np.linspace(-12, 12, 4801)


def network(rng):
    layers = [Dense(1, 64), Tanh(), Dense(64, 64), Tanh(), Dense(64, 1)]
    return Sequential(layers, (1,), rng=rng)


def densities(pair):
    return [distribution.density(GRID[:, None]) for distribution in PAIRS[pair]]


def logits(D):
    return D(GRID[:, None].astype("float32"))[:, 0].astype("float64")


def error(D, pair):
    """∫ |D − D*| (p + q) / 2 dx: the mean over what the discriminator is shown."""
    p, q = densities(pair)
    total = p + q
    optimal = np.divide(p, total, out=np.zeros_like(p), where=total > 0)
    found = 1 / (1 + np.exp(-logits(D)))
    return integrate.simpson(abs(found - optimal) * total / 2, x=GRID)


def value(D, pair):
    """E_p log D + E_q log(1 − D)."""
    (p, q), r = densities(pair), logits(D)
    return -integrate.simpson(p * np.logaddexp(0, -r) + q * np.logaddexp(0, r), x=GRID)


def jensen_shannon(pair):
    """½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p + q) / 2, by adaptive quadrature."""
    p, q = PAIRS[pair]

    def integrand(x):
        a, b = p.log_density([[x]])[0], q.log_density([[x]])[0]
        m = np.logaddexp(a, b) - math.log(2)
        return (math.exp(a) * (a - m) + math.exp(b) * (b - m)) / 2

    return integrate.quad(integrand, -12, 12, limit=200, points=[-3, -1, 0, 1, 3])[0]


@pytest.fixture(scope="module", params=PAIRS)
def trained(request):
    """A pair's name, its trained discriminator, and the error it began with."""
    p, q = PAIRS[request.param]
    rng = np.random.default_rng(0)
    D = network(rng)
    start = error(D, request.param)
    real, fake = (Batches(source, BATCH, rng.spawn(1)[0]) for source in (p, q))
    optimizer, schedule = Adam(D, 3e-3, betas=(0.9, 0.999)), LinearDecay(STEPS, hold=0.3)
    game = CriticGame(D, "minimax", optimizer, fake, rng=rng, schedule=schedule)
    for _ in train(game, real, STEPS):
        pass
    return request.param, D, start


def test_discriminator_becomes_p_over_p_plus_q(trained):
    pair, D, start = trained
    assert error(D, pair) < 0.02
    assert error(D, pair) < start / 4


def test_value_gives_the_jensen_shannon_divergence(trained):
    pair, D, _ = trained
    found, exact = (value(D, pair) + math.log(4)) / 2, jensen_shannon(pair)
    assert found <= exact + 1e-6  # D* has the largest value of all
    assert found == pytest.approx(exact, abs=0.004)
    assert (exact < 1e-12) == (pair == "equal")


def test_value_at_the_equilibrium_is_minus_log_4(trained):
    pair, D, _ = trained
    at_equilibrium = abs(value(D, pair) + math.log(4)) < 0.001
    assert at_equilibrium == (pair == "equal")
