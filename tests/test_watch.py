"""Divergence that is noticed late, as on a GPU: the right place is named, and nothing is ruined."""

import numpy as np
import pytest

from minigan import (
    SGD,
    Adam,
    BatchNorm,
    CycleGAN,
    Dense,
    LeakyReLU,
    MomentMatching,
    NormalLatent,
    RMSProp,
    Sequential,
    TrainingDiverged,
    train,
)
from minigan.backend import NumpyBackend
from minigan.finite import finite_on_host

BAD_STEP = 4


class Patient(NumpyBackend):
    """NumPy, but the host looks as seldom as at a GPU, and the looks are counted."""

    def __init__(self, patience):
        super().__init__()
        self.patience, self.looks = patience, []

    def read_flags(self, flags):
        self.looks.append(len(flags))
        return super().read_flags(flags)


def build(make_gan, patience, optimizer=Adam):
    shared = {"dtype": "float64", "backend": Patient(patience)}
    G = Sequential([Dense(2, 4), LeakyReLU(), Dense(4, 2)], (2,), rng=0, **shared)
    D = Sequential([Dense(2, 4), LeakyReLU(), Dense(4, 1)], (2,), rng=1, **shared)
    return make_gan(G, D, "least-squares", optimizer=optimizer, average_decay=0.9)


def batches(bad_step, size=1e300):
    """Good batches, but for one that is finite and too large for any loss."""
    rng = np.random.default_rng(3)
    for step in range(1, 100):
        yield rng.normal(size=(6, 2)) * (size if step == bad_step else 1)


def state(gan):
    vectors = [
        gan.generator.parameters,
        gan.discriminator.parameters,
        gan.average.network.parameters,
    ]
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        vectors += optimizer.state.values()
    return [vector.copy() for vector in vectors]


def diverge(gan, steps=30):
    """Train until TrainingDiverged; the error and how many records came before it."""
    records = []
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged) as caught:
        records.extend(train(gan, batches(BAD_STEP), steps))
    return caught.value, len(records)


@pytest.mark.parametrize("optimizer", [SGD, RMSProp, Adam])
@pytest.mark.parametrize(("patience", "steps"), [(2, 30), (7, 30), (1000, 30), (1000, BAD_STEP)])
def test_late_looks_find_the_same_and_leave_the_same(patience, steps, optimizer, make_gan):
    prompt, late = (build(make_gan, n, optimizer) for n in (1, patience))
    expected, error = diverge(prompt)[0], diverge(late, steps)[0]
    assert (error.step, error.player) == (BAD_STEP, "discriminator")
    assert str(error) == str(expected) and "gradient of the discriminator's" in error.layer
    for a, b in zip(state(prompt), state(late), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_host_looks_as_seldom_as_it_may(make_gan):
    gan = build(make_gan, 7)
    list(train(gan, batches(None), 10))
    assert gan.generator.backend.looks == [7, 7, 6]  # two updates a step; the rest at the end
    assert build(make_gan, 1).generator.backend.looks == []


def test_patience_changes_no_number(make_gan):
    prompt, late = build(make_gan, 1), build(make_gan, 7)
    for gan in (prompt, late):
        list(train(gan, batches(None), 20))
    for a, b in zip(state(prompt), state(late), strict=True):
        np.testing.assert_array_equal(a, b)


def test_whoever_reads_a_bad_figure_is_told_at_once(make_gan):
    gan = build(make_gan, 1000)
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged) as caught:
        for record in train(gan, batches(BAD_STEP), 30):
            assert np.isfinite(record.discriminator_loss)
    assert caught.value.step == BAD_STEP == gan.steps


def test_training_can_go_on_after_it(make_gan):
    gan = build(make_gan, 7)
    diverge(gan)
    before = state(gan)
    list(train(gan, batches(None), 3))
    assert all((a != b).any() for a, b in zip(before, state(gan), strict=True))


def moment_matching(patience):
    G = Sequential([Dense(2, 2)], (2,), rng=0, dtype="float64", backend=Patient(patience))
    return MomentMatching(G, SGD(G), bandwidths=[1.0], latent=NormalLatent(2), rng=0)


def test_moment_matching_too():
    prompt, late = moment_matching(1), moment_matching(1000)
    (_, before), (error, records) = diverge(prompt), diverge(late)
    assert (before, records) == (BAD_STEP - 1, 30)
    assert (error.step, error.player) == (BAD_STEP, "generator")
    np.testing.assert_array_equal(late.generator.parameters, prompt.generator.parameters)


def test_cycle_gan_too():
    shared = {"dtype": "float64", "backend": Patient(1000)}
    networks = [Sequential([Dense(2, n)], (2,), rng=n, **shared) for n in (2, 2, 1, 1)]
    game = CycleGAN(*networks, optimizers=[SGD(network) for network in networks])
    pairs = ((x, x) for x in batches(BAD_STEP))
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged) as caught:
        list(train(game, pairs, 30))
    assert (caught.value.step, caught.value.player) == (BAD_STEP, "critic_a")
    for network in networks:
        assert np.isfinite(network.parameters).all()


def test_bad_data_is_refused_on_the_host():
    good = finite_on_host([[1, 2]], "float32", 9, "discriminator", "the batch")
    assert good.dtype == np.float32 and good.shape == (1, 2)
    for value in (np.nan, np.inf, 1e39):  # the last is infinite in float32
        with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match=r"step 9.*the batch"):
            finite_on_host(np.full((1, 2), value), "float32", 9, "discriminator", "the batch")


def test_running_statistics_are_updated_whether_or_not_anybody_looks(make_gan):
    shared = {"backend": Patient(1000)}
    G = Sequential([Dense(2, 3), BatchNorm(3), Dense(3, 2)], (2,), rng=0, **shared)
    D = Sequential([Dense(2, 1)], (2,), rng=1, **shared)
    gan, before = make_gan(G, D), G.buffers.copy()
    list(train(gan, batches(None), 1))
    assert (G.buffers != before).all()
