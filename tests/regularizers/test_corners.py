"""Gradients of zero, layers that refuse a penalty, weight clipping, and bad arguments."""

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    BatchNorm,
    Dense,
    Dropout,
    LeakyReLU,
    OneSidedPenalty,
    Sequential,
    WeightClipping,
)
from minigan.regularizers import Regularizer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zero_gradient_is_finite(kind, penalty, dtype, critic, batches):
    """Bug 8: at ‖g‖ = 0 the square root has no derivative; an all-zero critic is at that point."""
    layers, shape = kind(LeakyReLU)
    network = critic(layers, shape).clone(dtype=dtype)
    network.parameters[...] = 0
    real, fake = batches(shape).astype(dtype)
    value = penalty(3.0).penalize(network, real, fake, np.random.default_rng(0))
    assert value == (3 if penalty in (WGANGP, DRAGAN) else 0)
    assert np.isfinite(network.gradients).all() and value.dtype == dtype


def test_some_zero_gradients_leave_the_others_right(penalty):
    """Samples where every unit of a ReLU is off count in the mean and have no gradient."""
    network = Sequential([Dense(1, 2), LeakyReLU(0), Dense(2, 1)], (1,), rng=0, dtype="float64")
    network.parameters[...] = [0.7, 1.9, 0, 0, 0.5, 1.1, 0.3]
    x = np.array([[1.0], [-1.0], [2.0], [-2.0]])
    regularizer = penalty(3.0)
    value = regularizer.add_penalty(network, x)
    gradient = network.gradients.copy()
    network.zero_gradients()
    on = regularizer.add_penalty(network, x[::2])
    zero = regularizer.rho(np.zeros((1, 1)))[0].item()
    assert value == pytest.approx((on + 3 * zero) / 2, 1e-12)
    np.testing.assert_allclose(gradient, network.gradients / 2, rtol=1e-12)
    assert gradient.any()


@pytest.mark.parametrize("layer, why", [(BatchNorm, "batch norm"), (Dropout, "every pass")])
def test_layers_that_refuse_a_penalty(penalty, layer, why, game):
    """Bug 8: batch norm under a gradient penalty; said when the game is made, not later."""
    bad = BatchNorm(4) if layer is BatchNorm else Dropout(0.5)
    layers = [Dense(3, 4), LeakyReLU(), bad, Dense(4, 1)]
    with pytest.raises(ValueError, match=rf"layer 2: {layer.__name__}\(.*gradient penalty.*{why}"):
        game(layers, (3,), penalty())


@pytest.mark.parametrize("regularizer", [None, WeightClipping(0.1)], ids=repr)
def test_batch_norm_and_dropout_without_a_penalty(regularizer, game):
    made = game([Dense(3, 4), BatchNorm(4), Dropout(), Dense(4, 1)], (3,), regularizer)
    made.step(iter([np.ones((4, 3))]))


def test_regularizer_does_nothing():
    network = Sequential([Dense(2, 1)], (2,), rng=0)
    before, nothing = network.parameters.copy(), Regularizer()
    nothing.check(network)
    nothing.constrain(network)
    assert nothing.penalize(network, None, None, None) == 0
    np.testing.assert_array_equal(network.parameters, before)


# --- Weight clipping -----------------------------------------------------------------------------


def test_weight_clipping():
    network = Sequential([Dense(30, 20), Dense(20, 1)], (30,), rng=0)
    before = network.parameters.copy()
    WeightClipping(0.1).constrain(network)
    np.testing.assert_array_equal(network.parameters, np.clip(before, -0.1, 0.1).astype("float32"))
    assert abs(before).max() > 0.1


def test_weight_clipping_in_a_game(game):
    made = game([Dense(3, 8), LeakyReLU(), Dense(8, 1)], (3,), WeightClipping(0.05), "wasserstein")
    made.step(iter([np.random.default_rng(0).normal(size=(4, 3))]))
    assert abs(made.discriminator.parameters).max() <= np.float32(0.05)
    assert abs(made.generator.parameters).max() > 0.05


# --- Arguments -----------------------------------------------------------------------------------


def test_names():
    shown = [repr(r) for r in (WGANGP(), OneSidedPenalty(5), DRAGAN(1.5), R1(), R2(2))]
    assert shown == ["WGANGP(10)", "OneSidedPenalty(5)", "DRAGAN(1.5)", "R1(10)", "R2(2)"]
    assert repr(WeightClipping()) == "WeightClipping(0.01)"


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "10", True])
def test_bad_weight(penalty, weight):
    with pytest.raises((ValueError, TypeError), match="weight"):
        penalty(weight)


@pytest.mark.parametrize("every", [0, -1, 1.5, None])
def test_bad_every(penalty, every):
    with pytest.raises((ValueError, TypeError), match="every"):
        penalty(every=every)


@pytest.mark.parametrize("limit", [0, -0.1, float("nan"), float("inf"), None])
def test_bad_limit(limit):
    with pytest.raises((ValueError, TypeError), match="limit"):
        WeightClipping(limit)
