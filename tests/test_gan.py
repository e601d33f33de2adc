"""The game: complete gradients, who moves in which step, samples, the loop."""

import copy

import numpy as np
import pytest

from minigan import (
    OBJECTIVES,
    R1,
    SGD,
    BatchNorm,
    Dense,
    Dropout,
    NormalLatent,
    Pack,
    Sequential,
    Softplus,
    Tanh,
    UniformLatent,
    WeightAverage,
    WeightClipping,
    gradcheck,
    train,
)

KINDS = pytest.mark.parametrize("kind", ["dense", "conv"])
EVERY_OBJECTIVE = pytest.mark.parametrize("objective", OBJECTIVES)


@pytest.fixture(scope="session")
def game(dense_gan, conv_gan):
    """game(kind, objective, **options): a game that may be played, and a batch of real samples."""

    def build(kind, objective="non-saturating", **options):
        if objective == "wasserstein":
            options = {"regularizer": WeightClipping(0.5)} | options
        gan = {"dense": dense_gan, "conv": conv_gan}[kind](objective, **options)
        return gan, np.random.default_rng(5).normal(size=(6, *gan.discriminator.input_shape))

    return build


def networks(player, gan):
    """The player's network, and the one that stands still in its step."""
    both = gan.discriminator, gan.generator
    return both if player == "discriminator" else both[::-1]


# --- Gradients of the complete steps -------------------------------------------------------------


@KINDS
@EVERY_OBJECTIVE
def test_both_steps_are_differentiated_rightly(kind, objective, game):
    gan, x = game(kind, objective)
    rng = np.random.default_rng(8)
    for network in (gan.generator, gan.discriminator):  # no γ of 1 and β of 0 to hide an error
        network.parameters[...] = rng.normal(0, 1.5, network.parameters.shape)
    report = gradcheck(gan, x, rng=1, max_entries=6)
    assert report.passed and report.relative_error < 1e-6, str(report)
    expected = {f"discriminator {name}" for name in gan.discriminator.named_parameters()}
    expected |= {f"generator {name}" for name in gan.generator.named_parameters()}
    assert {row.name for row in report.rows} == expected


SPECIAL = {
    "dropout": ([Dense(2, 6), Dropout(0.5), Softplus(), Dense(6, 1)], {}),
    "R1": ([Dense(2, 6), Tanh(), Dense(6, 1)], {"regularizer": R1(2.0)}),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_discriminators_with_something_special(name, make_gan):
    layers, options = SPECIAL[name]
    D = Sequential([copy.copy(layer) for layer in layers], (2,), rng=0, dtype="float64")
    G = Sequential([Dense(3, 4), Tanh(), Dense(4, 2)], (3,), rng=1, dtype="float64")
    x = np.random.default_rng(2).normal(size=(5, 2))
    report = gradcheck(make_gan(G, D, **options), x, rng=3, max_entries=10)
    assert report.passed, str(report)


@KINDS
def test_gradients_do_not_add_up_over_steps(kind, game):
    """Each step starts from nothing: without an update in between, the gradients are the same."""
    gan, x = game(kind)
    z = gan.noise(len(x))
    for player in ("discriminator", "generator"):
        mine, _ = networks(player, gan)
        gradients = []
        for _ in range(2):
            getattr(gan, f"{player}_gradients")(x, z)
            gradients.append(mine.gradients.copy())
        np.testing.assert_allclose(*gradients, rtol=1e-12)


def test_the_generators_step_leaves_the_discriminators_gradients_alone(game):
    gan, x = game("dense")
    gan.discriminator.gradients[...] = 3
    gan.generator_gradients(x, gan.noise(6))
    assert (gan.discriminator.gradients == 3).all()


# --- Who moves -----------------------------------------------------------------------------------


@KINDS
@EVERY_OBJECTIVE
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_every_parameter_of_the_player_moves_and_none_of_the_other(kind, objective, player, game):
    """Bug 1: a generator whose largest weight change was 0, and a test that did not look."""
    gan, x = game(kind, objective)
    mine, other = networks(player, gan)
    before, still = mine.parameters.copy(), other.parameters.copy()
    getattr(gan, f"{player}_step")(x)
    moved = mine.parameters != before
    if player == "discriminator" and objective.startswith(("wasserstein", "hinge", "relativistic")):
        moved = moved[:-1]  # the height of a critic, its last bias, is in no difference of logits
    assert moved.all()
    np.testing.assert_array_equal(other.parameters, still)
    steps = gan.discriminator_optimizer.steps, gan.generator_optimizer.steps
    assert steps == ((1, 0) if player == "discriminator" else (0, 1))


def test_a_step_lowers_the_players_own_loss(game):
    """On the same samples and with a small rate, whatever the player: both minimise."""
    for objective in OBJECTIVES:
        gan, x = game("dense", objective, optimizer=lambda network: SGD(network, 1e-4))
        z = gan.noise(6)
        for player in ("discriminator", "generator"):
            step, name = getattr(gan, f"{player}_gradients"), f"{player}_loss"
            before = step(x, z)[name]
            getattr(gan, f"{player}_optimizer").step()
            assert step(x, z)[name] < before, (objective, player)


def test_running_statistics_of_the_discriminator(make_gan):
    """Its step shows it the real batch and then the fake one, each with statistics of its own."""
    D = Sequential([BatchNorm(2, momentum=0.25), Dense(2, 1)], (2,), rng=0, dtype="float64")
    G = Sequential([Dense(3, 2)], (3,), rng=1, dtype="float64")
    gan = make_gan(G, D)
    x, z = np.random.default_rng(2).normal(5, 2, (6, 2)), gan.noise(6)
    fake = G(z)
    gan.discriminator_gradients(x, z)
    mean, var = D.named_buffers().values()
    np.testing.assert_allclose(mean, 0.75 * 0.25 * x.mean(0) + 0.25 * fake.mean(0))
    expected = 0.75 * (0.75 + 0.25 * x.var(0, ddof=1)) + 0.25 * fake.var(0, ddof=1)
    np.testing.assert_allclose(var, expected)


def test_weight_clipping_binds_the_discriminator_only(game):
    gan, x = game("dense", "wasserstein", regularizer=WeightClipping(0.01))
    before = gan.generator.parameters.copy()
    gan.discriminator_step(x)
    assert abs(gan.discriminator.parameters).max() <= 0.01
    assert abs(before).max() > 0.01
    np.testing.assert_array_equal(gan.generator.parameters, before)
    assert repr(gan.regularizer) == "WeightClipping(0.01)"


# --- Samples -------------------------------------------------------------------------------------


@KINDS
def test_sampling_disturbs_nothing(kind, game, snapshot):
    gan, x = game(kind)
    gan.discriminator_step(x)
    before = snapshot(gan)
    samples = gan.sample(5, np.random.default_rng(0))
    assert samples.shape == (5, *gan.generator.output_shape) and samples.dtype == np.float64
    assert samples.flags.writeable and samples.flags.c_contiguous
    np.testing.assert_array_equal(gan.sample(5, 0), samples)  # a seed will do
    assert not np.array_equal(gan.sample(5, 1), samples)
    assert snapshot(gan) == before


def test_samples_are_the_generator_in_evaluation(game):
    gan, x = game("dense")
    gan.discriminator_step(x)
    z = np.random.default_rng(0).normal(size=(2500, 3))
    np.testing.assert_allclose(gan.generate(z), gan.generator(z), rtol=1e-12)
    np.testing.assert_array_equal(gan.sample(2500, 0), gan.generate(z))


@KINDS
def test_the_judge_is_the_discriminator_in_evaluation(kind, game, snapshot):
    gan, x = game(kind)
    gan.discriminator_step(x)
    before = snapshot(gan)
    x = np.random.default_rng(0).normal(size=(1500, *gan.discriminator.input_shape))
    logits = gan.judge(x)
    assert logits.shape == (1500,) and type(logits) is np.ndarray
    np.testing.assert_allclose(logits[:, None], gan.discriminator(x), rtol=1e-9, atol=1e-12)
    assert snapshot(gan) == before


def test_the_judge_of_packs(dense_gan):
    """One logit for each, of as many samples as there are."""
    gan = dense_gan("non-saturating")
    features = gan.discriminator.input_shape[0]
    D = Sequential([Pack(2), Dense(2 * features, 1)], (features,), rng=0, dtype="float64")
    gan.discriminator = D
    x = np.random.default_rng(0).normal(size=(2050, features))
    np.testing.assert_allclose(gan.judge(x), D(x)[:, 0], rtol=1e-9, atol=1e-12)
    assert gan.judge(x).shape == (1025,)
    with pytest.raises(ValueError, match="a batch of 3 cannot be packed by 2"):
        gan.judge(x[:3])


def test_samples_belong_to_the_caller(game):
    """No later step writes into a sample, an output, or a slice of one."""
    gan, x = game("conv")
    held = [gan.sample(4, 0), gan.generator(gan.noise(4))[1:, ::2], gan.discriminator(x)[-1:]]
    expected = [array.copy() for array in held]
    for record in train(gan, iter([x] * 10), 10):
        held.append(gan.sample(4, record.step)[..., 0])
        expected.append(held[-1].copy())
    for array, copied in zip(held, expected, strict=True):
        np.testing.assert_array_equal(array, copied)


@pytest.mark.parametrize("latent, moments", [(NormalLatent, (0, 1)), (UniformLatent, (0, 1 / 3))])
def test_latent(latent, moments):
    z = latent(3).sample(20_000, np.random.default_rng(0))
    assert z.shape == (20_000, 3) and z.dtype == np.float64
    np.testing.assert_allclose([z.mean(), z.var()], moments, atol=0.02)
    assert latent is NormalLatent or (abs(z).max() <= 1 and abs(z).max() > 0.99)
    assert repr(latent(3)) == f"{latent.__name__}(3)"
    assert abs(np.corrcoef(z.T) - np.eye(3)).max() < 0.05


# --- The loop ------------------------------------------------------------------------------------


def test_records(game):
    gan, x = game("dense", discriminator_steps=2)
    batches = iter([x, 2 * x, x, 3 * x])
    records = train(gan, batches, 2)
    assert gan.steps == 0  # nothing happens before a record is asked for
    first = next(records)
    assert gan.steps == first.step == 1 and first.seconds > 0
    assert (gan.discriminator_optimizer.steps, gan.generator_optimizer.steps) == (2, 1)
    second = next(records)
    assert second.step == 2 and next(batches, None) is None and next(records, None) is None
    names = [f"{player}_{figure}" for player in ("discriminator", "generator")
             for figure in ("loss", "gradient_norm")]  # fmt: skip
    for name in [*names, "real_logit", "fake_logit"]:
        value = getattr(second, name)
        assert type(value) is float and np.isfinite(value) and f"{name}=" in repr(second)
    assert repr(second).startswith("Record(step=2, ")
    with pytest.raises(AttributeError, match="discriminator_loss"):
        _ = second.accuracy


def test_a_records_figures_are_those_of_the_step(game):
    gan, x = game("dense")
    twin, _ = game("dense")
    record = next(train(gan, iter([x]), 1))
    figures = twin.discriminator_step(x) | twin.generator_step(x)
    assert {name: getattr(record, name) for name in figures} == figures
    assert record.discriminator_gradient_norm == np.linalg.norm(twin.discriminator.gradients)
    assert record.generator_gradient_norm == np.linalg.norm(twin.generator.gradients)


@pytest.mark.parametrize("objective", ["minimax", "least-squares"])
def test_figures_by_hand(objective, game):
    """Both networks run in training mode, each batch by itself, and losses are means."""
    gan, x = game("conv", objective)
    G, D = gan.generator.clone(), gan.discriminator.clone()
    z = gan.noise(len(x))
    fake = G.forward(z)[0]
    r, f = D.forward(x)[0], D.forward(fake)[0]
    expected = {
        "discriminator_loss": gan.objective.discriminator(r, f)[0],
        "real_logit": r.mean(),
        "fake_logit": f.mean(),
        "generator_loss": gan.objective.generator(f)[0],
    }
    figures = gan.discriminator_gradients(x, z) | gan.generator_gradients(x, z)
    for name, value in expected.items():
        np.testing.assert_allclose(figures[name], value, rtol=1e-12, err_msg=name)


def test_a_record_can_be_copied(game):
    gan, x = game("dense")
    record = next(train(gan, iter([x]), 1))
    assert copy.copy(record).generator_loss == record.generator_loss
    assert copy.deepcopy(record).step == 1


def test_training_goes_on_where_it_stopped(game):
    data = np.random.default_rng(0).normal(size=(6, 6, 2))
    whole, parts = game("dense")[0], game("dense")[0]
    list(train(whole, iter(data), 6))
    for part in (data[:2], data[2:5], data[5:]):
        assert [record.step for record in train(parts, iter(part), len(part))][-1] == parts.steps
    np.testing.assert_array_equal(whole.generator.parameters, parts.generator.parameters)
    np.testing.assert_array_equal(whole.discriminator.parameters, parts.discriminator.parameters)


def test_a_list_of_batches_will_do_and_zero_steps_are_none(game):
    gan, x = game("dense")
    assert list(train(gan, [x], 0)) == [] and gan.steps == 0
    assert len(list(train(gan, [x, x], 2))) == 2


def test_batches_that_run_out_are_named(game):
    gan, x = game("dense")
    with pytest.raises((ValueError, TypeError), match="batch"):
        list(train(gan, [x], 2))


def test_a_clone_is_the_same_game_in_another_precision(game):
    gan, x = game("dense", dtype="float32")
    twin = gan.clone("float64")
    z = gan.noise(6)
    for player in ("discriminator", "generator"):
        figures = [
            getattr(g, f"{player}_gradients")(g.asarray(x), g.asarray(z)) for g in (gan, twin)
        ]
        for name, value in figures[0].items():
            np.testing.assert_allclose(value, figures[1][name], rtol=1e-4, atol=1e-5)
        single, double = (networks(player, g)[0].gradients for g in (gan, twin))
        assert single.dtype == np.float32 and double.dtype == np.float64
        np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-5)
    assert isinstance(game("dense", average_decay=0.9)[0].average, WeightAverage)
