"""`ConditionalGAN`: labels beside noise and samples, gradients, one-hot vectors and errors."""

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    GAN,
    R1,
    R2,
    SGD,
    WGANGP,
    Adam,
    BatchNorm,
    ConditionalGAN,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LayerNorm,
    LeakyReLU,
    NormalLatent,
    OneSidedPenalty,
    Reshape,
    Sequential,
    Tanh,
    TrainingDiverged,
    WeightClipping,
    gradcheck,
    train,
)
from minigan.games.conditional import Conditioned

CLASSES = 3
LABELS = np.array([0, 2, 1, 1])
KINDS = {  # G's layers for 2 + 3 inputs, D's for one sample and 3 classes, the shape of a sample
    "dense": (
        lambda: [Dense(5, 6), Tanh(), Dense(6, 2)],
        lambda: [Dense(5, 6), LayerNorm(6), Tanh(), Dense(6, 1)],
        (2,),
    ),
    "image": (
        lambda: [Dense(5, 8), Reshape(2, 2, 2), Tanh(), ConvTranspose2d(2, 1, 2)],
        lambda: [Conv2d(4, 3, 2), LeakyReLU(), Flatten(), Dense(12, 1)],
        (3, 3, 1),
    ),
    "batch norm": (
        lambda: [Dense(5, 6), BatchNorm(6), Tanh(), Dense(6, 2)],
        lambda: [Dense(5, 6), BatchNorm(6), Tanh(), Dense(6, 1)],
        (2,),
    ),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def build(kind="dense", objective="non-saturating", *, dtype="float64", optimizer=SGD, **options):
    generator, discriminator, shape = KINDS[kind]
    G = Sequential(generator(), (5,), rng=1, dtype=dtype)
    D = Sequential(discriminator(), (*shape[:-1], shape[-1] + CLASSES), rng=2, dtype=dtype)
    optimizers = {
        "generator_optimizer": optimizer(G),
        "discriminator_optimizer": optimizer(D),
    }
    options = {"latent": NormalLatent(2), "rng": 0, "classes": CLASSES} | optimizers | options
    return ConditionalGAN(G, D, objective, **options)


def samples(kind, n=4):
    return np.random.default_rng(3).normal(size=(n, *KINDS[kind][2]))


PENALTIES = [WGANGP(3.0), OneSidedPenalty(3.0), DRAGAN(3.0), R1(2.0), R2(2.0)]


@kinds
def test_gradient(kind):
    game = build(kind)
    report = gradcheck(game.given(game.one_hot(LABELS)), samples(kind), max_entries=5)
    assert report.passed and report.relative_error < 1e-6, str(report)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("kind", ["dense", "image"])
def test_gradient_with_a_penalty(kind, penalty):
    game = build(kind, "wasserstein", regularizer=penalty)
    game.discriminator.parameters[...] *= 2  # slopes above 1 for the one-sided penalty
    report = gradcheck(game.given(game.one_hot(LABELS)), samples(kind), max_entries=2)
    assert report.passed and report.relative_error < 1e-6, str(report)


@kinds
def test_labels_enter_as_features_or_channels(kind):
    game, x = build(kind), samples(kind)
    joined, _ = game.given(game.one_hot(LABELS)).discriminator.steps[0].forward(x, True)
    assert joined.shape == (4, *game.discriminator.input_shape)
    np.testing.assert_array_equal(joined[..., :-CLASSES], x)
    for sample, label in zip(joined, LABELS, strict=True):
        channels = sample[..., -CLASSES:].reshape(-1, CLASSES)
        np.testing.assert_array_equal(channels, np.tile(np.eye(CLASSES)[label], (len(channels), 1)))


@pytest.mark.parametrize("kind", ["dense", "image"])
def test_is_the_game_on_joined_samples(kind):
    """A network with its labels fixed is the network on [x, y], forward and backward."""
    game, x = build(kind), samples(kind)
    labels = game.one_hot(LABELS)
    D = game.discriminator
    seen = Conditioned(D, labels)
    logits, caches = seen.forward(x)
    joined = np.concatenate(
        [x, np.broadcast_to(labels.reshape(4, *[1] * (x.ndim - 2), 3), (*x.shape[:-1], 3))], axis=-1
    )
    expected, expected_caches = D.forward(joined)
    np.testing.assert_array_equal(logits, expected)
    dy = np.ones_like(logits)
    np.testing.assert_array_equal(
        seen.backward(dy, caches), D.backward(dy, expected_caches)[..., :-CLASSES]
    )


def test_a_penalty_leaves_the_labels_out():
    """D(x, y) = ⟨a, x⟩ + ⟨b, y⟩: the slope in x is ‖a‖, whatever b is."""
    D = Sequential([Dense(5, 1)], (5,), rng=0, dtype="float64")
    D.named_parameters()["0.weight"][...] = np.array([[3.0, 4.0, 50.0, 60.0, 70.0]]).T
    seen = Conditioned(D, np.eye(3)[LABELS])
    x = samples("dense")
    value = WGANGP(2.0).penalize(seen, x, x + 1, np.random.default_rng(0))
    assert value == pytest.approx(2 * (5 - 1) ** 2)
    expected = 2 * 2 * (5 - 1) * np.array([0.6, 0.8, 0, 0, 0])
    np.testing.assert_allclose(D.named_gradients()["0.weight"][:, 0], expected, atol=1e-12)


@pytest.mark.parametrize(
    "regularizer", [None, WeightClipping(0.1), *PENALTIES], ids=lambda r: repr(r)
)
@pytest.mark.parametrize("kind", ["dense", "image"])
def test_trains_with_every_regularizer(kind, regularizer):
    objective = "non-saturating" if regularizer is None else "wasserstein"
    game = build(kind, objective, regularizer=regularizer, dtype="float32")
    before = game.generator.parameters.copy(), game.discriminator.parameters.copy()
    batches = iter([(samples(kind), LABELS)] * 2)
    records = list(train(game, batches, 2))
    assert game.steps == 2 and np.isfinite(records[-1].discriminator_loss)
    assert (game.generator.parameters != before[0]).any()
    assert (game.discriminator.parameters != before[1]).any()
    if isinstance(regularizer, WeightClipping):
        assert abs(game.discriminator.parameters).max() <= np.float32(0.1)


def test_discriminator_steps_and_average():
    """k batches a step; the averaged weights follow G's."""
    game = build(discriminator_steps=3, average_decay=0.5)
    batches = iter([(samples("dense"), LABELS)] * 7)
    list(train(game, batches, 2))
    assert len(list(batches)) == 1
    assert (game.discriminator_optimizer.steps, game.generator_optimizer.steps) == (6, 2)
    assert (game.average.network.parameters != game.generator.parameters).any()
    z = np.zeros((4, 2))
    np.testing.assert_allclose(
        game.generate(z, LABELS), Conditioned(game.average.network, np.eye(3)[LABELS]).forward(z)[0]
    )


def test_each_player_moves_alone():
    game = build()
    given = game.given(game.one_hot(LABELS))
    G, D = game.generator, game.discriminator
    before = G.parameters.copy(), D.parameters.copy()
    given.discriminator_step(samples("dense"))
    np.testing.assert_array_equal(G.parameters, before[0])
    assert (D.parameters != before[1]).any()
    before = G.parameters.copy(), D.parameters.copy(), D.gradients.copy()
    given.generator_step(samples("dense"))
    np.testing.assert_array_equal(D.parameters, before[1])
    np.testing.assert_array_equal(D.gradients, before[2])
    assert (G.parameters != before[0]).any()


def test_learns_which_label_is_where():
    """Two classes around −1.5 and 1.5: G puts its samples where their label says."""
    rng = np.random.default_rng(0)
    G = Sequential([Dense(4, 16), LeakyReLU(), Dense(16, 1)], (4,), rng=1)
    D = Sequential([Dense(3, 16), LeakyReLU(), Dense(16, 1)], (3,), rng=2)
    game = ConditionalGAN(
        G,
        D,
        "non-saturating",
        classes=2,
        latent=NormalLatent(2),
        rng=3,
        generator_optimizer=Adam(G, 5e-3),
        discriminator_optimizer=Adam(D, 5e-3),
    )

    def batch():
        labels = rng.integers(2, size=64)
        return rng.normal(3 * labels[:, None] - 1.5, 0.3), labels

    list(train(game, (batch() for _ in range(300)), 300))
    labels = np.repeat([0, 1], 200)
    x = game.sample(labels, 4)[:, 0]
    assert x[:200].mean() < -0.7 and x[200:].mean() > 0.7


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind_of_integer", ["int64", "int32", "uint8"])
def test_one_hot(dtype, kind_of_integer):
    found = build(dtype=dtype).one_hot(LABELS.astype(kind_of_integer))
    np.testing.assert_array_equal(found, np.eye(CLASSES)[LABELS])
    assert found.dtype == dtype


@pytest.mark.parametrize(
    "labels",
    [np.array([0.0, 1.0]), np.array([True, False]), np.array([[0, 1]]), np.array(1)],
    ids=["floats", "booleans", "two axes", "no axis"],
)
def test_labels_are_integers(labels):
    with pytest.raises(TypeError, match=r"labels: expected integers \(N,\)"):
        build().one_hot(labels)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], [200, 1]])
def test_labels_in_range(labels):
    game = build()
    with pytest.raises(ValueError, match="labels: expected 0 to 2"):
        game.one_hot(np.array(labels))
    with pytest.raises(ValueError, match="labels"):
        game.sample(np.array(labels), 0)


@kinds
def test_samples(kind):
    """More of them than a chunk, each by its own label; the same seed gives the same."""
    game = build(kind, dtype="float32")
    labels = np.arange(1500) % CLASSES
    x = game.sample(labels, 5)
    assert x.shape == (1500, *KINDS[kind][2]) and x.dtype == "float32"
    np.testing.assert_array_equal(x, game.sample(labels, 5))
    z = game.latent.sample(1500, np.random.default_rng(5))
    for i in (0, 1023, 1024, 1499):
        one = game.generate(z[i : i + 1], labels[i : i + 1])
        np.testing.assert_allclose(one[0], x[i], rtol=1e-5, atol=1e-6)
    other = game.generate(z, (labels + 1) % CLASSES)
    assert (other != x).any(axis=tuple(range(1, x.ndim))).all()


def test_same_seed_same_bits():
    def run():
        game = build(dtype="float32", regularizer=WGANGP(), objective="wasserstein")
        list(train(game, iter([(samples("dense"), LABELS)] * 3), 3))
        return game.generator.parameters.tobytes(), game.discriminator.parameters.tobytes()

    assert run() == run()


@pytest.mark.parametrize("where", ["generator", "discriminator", "real samples"])
def test_divergence_is_named(where):
    game, x = build(), samples("dense")
    if where == "real samples":
        x[1] = np.nan
    else:
        getattr(game, where).named_parameters()["0.weight"][0, 0] = np.nan
    before = game.discriminator.parameters.copy()
    expected = pytest.raises(TrainingDiverged, match=f"step 1.*discriminator's step.*{where}")
    with np.errstate(all="ignore"), expected:
        game.step(iter([(x, LABELS)]))
    np.testing.assert_array_equal(game.discriminator.parameters, before)


def test_a_clone_is_a_game_for_the_same_labels():
    game = build(dtype="float32")
    twin = game.given(game.one_hot(LABELS)).clone("float64")
    assert twin.generator.dtype == twin.discriminator.labels.dtype == "float64"
    assert not np.shares_memory(twin.generator.gradients, game.generator.gradients)
    x = samples("dense")
    np.testing.assert_allclose(
        twin.discriminator.forward(x)[0],
        game.given(game.one_hot(LABELS)).discriminator.forward(x.astype("float32"))[0],
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("classes, error", [(1, ValueError), (0, ValueError), (2.5, TypeError)])
def test_bad_classes(classes, error):
    with pytest.raises(error, match="classes"):
        build(classes=classes)


def test_networks_that_do_not_see_the_labels():
    with pytest.raises(ValueError, match=r"generator takes \(5,\), it will be given \(6,\)"):
        build(classes=4)
    G = Sequential([Dense(5, 2)], (5,), rng=0)
    D = Sequential([Dense(2, 1)], (2,), rng=0)
    with pytest.raises(ValueError, match=r"discriminator takes \(2,\), it will be shown \(5,\)"):
        ConditionalGAN(
            G,
            D,
            "hinge",
            classes=3,
            latent=NormalLatent(2),
            rng=0,
            generator_optimizer=SGD(G),
            discriminator_optimizer=SGD(D),
        )


def test_batch_norm_refuses_a_penalty():
    with pytest.raises(ValueError, match=r"layer 1: BatchNorm.*gradient penalty"):
        build("batch norm", regularizer=R1())


@pytest.mark.parametrize("n", [1, 3, 5])
def test_labels_for_another_batch(n, snapshot):
    """More or fewer than samples, and one, which would broadcast; nothing has changed by then."""
    game = build("batch norm", optimizer=Adam)
    before = snapshot(game)
    with pytest.raises(ValueError, match=f"labels: expected one per sample, 4, got {n}"):
        game.step(iter([(samples("batch norm"), np.zeros(n, int))]))
    assert snapshot(game) == before


@pytest.mark.parametrize("n, labels", [(4, 3), (3, 4), (1024, 1500), (1500, 1024)])
def test_as_many_labels_as_latent_vectors(n, labels):
    with pytest.raises(ValueError, match=f"labels: expected one per sample, {n}, got {labels}"):
        build().generate(np.zeros((n, 2)), np.zeros(labels, int))


@pytest.mark.parametrize("bad", [np.ones((4, 2)), (np.ones((4, 2)),), None], ids=["x", "1", "None"])
def test_batches_are_pairs(bad):
    with pytest.raises(ValueError, match=r"batches: expected pairs \(x, labels\)"):
        build().step(iter([bad]))


def test_labels_may_be_a_list():
    game = build()
    np.testing.assert_array_equal(game.one_hot([0, 2, 1]), np.eye(3)[[0, 2, 1]])
    np.testing.assert_array_equal(game.sample([0, 2], 1), game.sample(np.array([0, 2]), 1))
    game.step(iter([(samples("dense"), LABELS.tolist())]))
    with pytest.raises(TypeError, match=r"labels: expected integers \(N,\)"):
        game.one_hot(["a", "b"])


def test_without_classes_it_is_another_game():
    """The labels matter: with one of them changed, so do logits and gradients."""
    game, x = build(), samples("dense")
    z = np.random.default_rng(1).normal(size=(4, 2))
    found = []
    for labels in (LABELS, LABELS[::-1]):
        game.given(game.one_hot(labels.copy())).discriminator_gradients(x, z)
        found.append(game.discriminator.gradients.copy())
    assert abs(found[0] - found[1]).max() > 1e-3
    assert isinstance(game.given(game.one_hot(LABELS)), GAN)
