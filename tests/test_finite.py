"""Training that diverges: the place is named, and nothing that is not finite enters a weight."""

import numpy as np
import pytest

from minigan import (
    OBJECTIVES,
    SGD,
    Dense,
    LeakyReLU,
    Sequential,
    TrainingDiverged,
    WeightClipping,
    train,
)


def plain_gan(make_gan, objective="non-saturating"):
    G = Sequential([Dense(2, 4), LeakyReLU(), Dense(4, 2)], (2,), rng=0)
    D = Sequential([Dense(2, 4), LeakyReLU(), Dense(4, 1)], (2,), rng=1)
    clipping = WeightClipping(1e9)  # a constraint for the objectives that ask for one
    return make_gan(G, D, objective, optimizer=SGD, regularizer=clipping)


def weights(network, *values):
    """Fill the two weight matrices with one number each, and set the biases to zero."""
    for name, array in network.named_parameters().items():
        array[...] = 0 if name.endswith("bias") else values[int(name[0]) // 2]


# how it is broken, value of the samples, in whose step, what is named
DISASTERS = {
    "data": (lambda gan: None, np.nan, "discriminator", "the batch of real samples"),
    "G's weight": (
        lambda gan: weights(gan.generator, 1, np.nan),
        1,
        "discriminator",
        "the generator's parameter 2.weight",
    ),
    "D's weight": (
        lambda gan: weights(gan.discriminator, np.inf, 1),
        1,
        "discriminator",
        "the discriminator's parameter 0.weight",
    ),
    "G's output": (
        lambda gan: weights(gan.generator, 1e30, 1e30),
        1,
        "discriminator",
        r"the output of the generator's layer 2 \(Dense\(4, 2\)\)",
    ),
    "D on real samples": (
        lambda gan: weights(gan.discriminator, -1, 100),
        1e38,
        "discriminator",
        r"the output of the discriminator's layer 2 \(Dense\(4, 1\)\)",
    ),
    "D on fakes": (
        lambda gan: (weights(gan.generator, 1e15, 1e15), weights(gan.discriminator, 1e10, 1e10)),
        0,
        "discriminator",
        r"the output of the discriminator's layer [02] \(Dense",
    ),
    "D's gradient": (
        lambda gan: weights(gan.discriminator, 1e-35, -1e20),
        1e30,
        "discriminator",
        r"the gradient of the discriminator's parameter 0\.weight",
    ),
    "G's gradient": (
        lambda gan: (weights(gan.generator, 1e-15, 1e-15), weights(gan.discriminator, 1e25, 1e20)),
        0,
        "generator",
        "the gradient of the generator's parameter",
    ),
    "the norm": (
        lambda gan: weights(gan.discriminator, 1e-30, 1),
        1e25,
        "discriminator",
        r"the norm of the gradient of the discriminator's parameter 0\.weight",
    ),
}


@pytest.mark.parametrize("name", DISASTERS)
def test_divergence_is_named_before_it_enters_any_weight(name, make_gan, snapshot):
    sabotage, value, player, place = DISASTERS[name]
    gan = plain_gan(make_gan)
    sabotage(gan)
    gan.steps = 41
    before = snapshot(gan)
    x = np.full((6, 2), value, "float32")
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=place) as caught:
        getattr(gan, f"{player}_step")(gan.real(x))
    assert (caught.value.step, caught.value.player) == (42, player)
    assert caught.value.layer in str(caught.value) and "step 42" in str(caught.value)
    after = snapshot(gan)
    for key in before:
        if not key.endswith("gradients") and key != "rng":
            assert after[key] == before[key], key


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_nan_ends_in_the_error_and_in_no_warning_before_it(objective, make_gan):
    """NaN logits reach every objective: a warning, which pytest raises, would hide the error."""
    gan = plain_gan(make_gan, objective)
    weights(gan.discriminator, np.nan, 1)
    for player in ("discriminator", "generator"):
        with pytest.raises(TrainingDiverged, match=r"discriminator's parameter 0\.weight"):
            getattr(gan, f"{player}_step")(np.ones((6, 2), "float32"))


def test_exploding_training_stops_at_the_last_finite_weights(make_gan):
    gan = plain_gan(make_gan)
    gan.discriminator_optimizer.lr = gan.generator_optimizer.lr = 1e9
    x = np.random.default_rng(0).normal(size=(6, 2))
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged) as caught:
        list(train(gan, [x] * 50, 50))
    assert caught.value.step == gan.steps + 1 > 1
    for network in (gan.generator, gan.discriminator):
        assert np.isfinite(network.parameters).all()


def test_bad_data_does_not_enter_the_running_statistics(conv_gan):
    gan, x = conv_gan(), np.random.default_rng(0).normal(size=(6, 4, 4, 1))
    gan.step(iter([x]))
    x[3, 2, 1, 0] = np.nan
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match="batch of real samples"):
        gan.step(iter([x]))
    for network in (gan.generator, gan.discriminator):
        assert np.isfinite(network.parameters).all() and np.isfinite(network.buffers).all()


def test_bad_data_is_refused_on_the_host(make_gan):
    """NaN, infinity, and what becomes infinite in the networks' dtype; good data arrive in it."""
    gan = plain_gan(make_gan)
    gan.steps = 8
    good = gan.real(np.array([[1.0, 2.0]]))
    assert good.dtype == np.float32 and good.shape == (1, 2)
    for value in (np.nan, np.inf, 1e39):
        with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=r"step 9.*the batch"):
            gan.real(np.full((1, 2), value))
