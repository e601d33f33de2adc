"""`CycleGAN`: gradients of all four networks, the cycle, and parts that do not fit."""

import numpy as np
import pytest

from minigan import (
    OBJECTIVES,
    R1,
    R2,
    SGD,
    WGANGP,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    CycleGAN,
    Dense,
    Flatten,
    LeakyReLU,
    Sequential,
    Sigmoid,
    Tanh,
    TrainingDiverged,
    WeightClipping,
    compare_gradients,
    gradcheck,
    train,
)
from minigan.backend import NumpyBackend

NAMES = CycleGAN.players


def dense(dtype="float64"):
    """A of 2 features, B of 3."""

    def network(inputs, outputs, seed):
        layers = [Dense(inputs, 6), Tanh(), Dense(6, outputs)]
        return Sequential(layers, (inputs,), rng=seed, dtype=dtype)

    return [network(2, 3, 1), network(3, 2, 2), network(2, 1, 3), network(3, 1, 4)]


def images(dtype="float64"):
    """A of images (4, 4, 1), B of images (2, 2, 2)."""

    def network(layers, shape, seed):
        return Sequential(layers, shape, rng=seed, dtype=dtype)

    return [
        network([Conv2d(1, 2, 3, 2, 1), BatchNorm(2), Tanh()], (4, 4, 1), 1),
        network([ConvTranspose2d(2, 1, 4, 2, 1), Tanh()], (2, 2, 2), 2),
        network([Conv2d(1, 2, 3, 2, 1), LeakyReLU(), Flatten(), Dense(8, 1)], (4, 4, 1), 3),
        network([Flatten(), Dense(8, 5), Tanh(), Dense(5, 1)], (2, 2, 2), 4),
    ]


def build(networks, objective="least-squares", *, optimizer=SGD, lr=1e-2, **options):
    return CycleGAN(
        *networks, objective, optimizers=[optimizer(n, lr) for n in networks], **options
    )


def batch(networks, n=4, seed=5):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, *network.input_shape)) for network in networks[:2]]


def flat(game, names, vector):
    """name -> view for the given networks' parameters or gradients."""
    return {
        f"{name} {key}": view
        for name in names
        for key, view in getattr(getattr(game, name), f"named_{vector}")().items()
    }


def check(game, names, loss, **options):
    loss()
    by_hand = {name: g.copy() for name, g in flat(game, names, "gradients").items()}
    report = compare_gradients(loss, flat(game, names, "parameters"), by_hand, **options)
    assert report.passed and report.relative_error < 1e-6, str(report)


@pytest.mark.parametrize("make", [dense, images])
@pytest.mark.parametrize("objective", ["least-squares", "relativistic-average", "hinge"])
def test_gradients_of_the_translators(make, objective):
    networks = make()
    game, (a, b) = build(networks, objective), batch(networks)
    check(
        game,
        NAMES[:2],
        lambda: game.translator_gradients(a, b)["generator_loss"],
        max_entries=4,
    )


@pytest.mark.parametrize("make", [dense, images])
@pytest.mark.parametrize("objective", ["least-squares", "relativistic-average", "hinge"])
def test_gradients_of_the_critics(make, objective):
    networks = make()
    game, (a, b) = build(networks, objective), batch(networks)
    for name in NAMES[2:]:
        check(
            game,
            [name],
            lambda name=name: game.critic_gradients(a, b)[f"{name}_loss"],
            max_entries=4,
        )


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_losses_by_definition(weight):
    networks = dense()
    F, G, D_a, D_b = networks
    game, (a, b) = build(networks, cycle_weight=weight), batch(networks)
    figures = game.translator_gradients(a, b)
    cycle = abs(G(F(a)) - a).mean() + abs(F(G(b)) - b).mean()
    adversarial = ((D_b(F(a)) - 1) ** 2).mean() / 2 + ((D_a(G(b)) - 1) ** 2).mean() / 2
    assert figures["cycle_loss"] == pytest.approx(cycle, 1e-12)
    assert figures["adversarial_loss"] == pytest.approx(adversarial, 1e-12)
    assert figures["generator_loss"] == pytest.approx(adversarial + weight * cycle, 1e-12)
    figures = game.critic_gradients(a, b)
    for name, D, real, fake in (("critic_a", D_a, a, G(b)), ("critic_b", D_b, b, F(a))):
        expected = ((D(real) - 1) ** 2).mean() / 2 + (D(fake) ** 2).mean() / 2
        assert figures[f"{name}_loss"] == pytest.approx(expected, 1e-12)


def test_the_cycle_of_inverse_maps_is_zero():
    """F doubles, G halves: nothing to close, and no gradient from the cycle."""
    networks = [Sequential([Dense(2, 2)], (2,), rng=0, dtype="float64") for _ in range(2)]
    networks += [Sequential([Dense(2, 1)], (2,), rng=0, dtype="float64") for _ in range(2)]
    for network, factor in zip(networks, (2, 0.5), strict=False):
        network.parameters[...] = 0
        network.named_parameters()["0.weight"][...] = factor * np.eye(2)
    for critic in networks[2:]:
        critic.parameters[...] = 0
    game = build(networks, "hinge")
    figures = game.translator_gradients(*batch(networks))
    assert figures["cycle_loss"] == 0 == figures["generator_loss"]
    assert not networks[0].gradients.any() and not networks[1].gradients.any()


def test_gradients_are_set_not_added_to():
    networks = dense()
    game, (a, b) = build(networks), batch(networks)

    def gradients():
        game.critic_gradients(a, b)
        game.translator_gradients(a, b)
        return np.concatenate([network.gradients for network in networks])

    once = gradients()
    np.testing.assert_array_equal(gradients(), once)


@pytest.mark.parametrize("objective", sorted(set(OBJECTIVES) - {"wasserstein"}))
def test_who_moves(objective):
    """Critics in their half of the step, translators in theirs; nobody else's gradients change."""
    networks = dense()
    game, (a, b) = build(networks, objective), batch(networks)
    F, G, D_a, D_b = networks
    for mine, others, gradients in (
        ((D_a, D_b), (F, G), game.critic_gradients),
        ((F, G), (D_a, D_b), game.translator_gradients),
    ):
        for network in networks:
            network.gradients[...] = 7
        before = [network.parameters.copy() for network in networks]
        gradients(a, b)
        assert all((network.gradients == 7).all() for network in others)
        assert not any((network.gradients == 7).any() for network in mine)
        for network, kept in zip(networks, before, strict=True):
            np.testing.assert_array_equal(network.parameters, kept)


def test_a_step_moves_all_four():
    networks = dense("float32")
    game = build(networks)
    before = [network.parameters.copy() for network in networks]
    game.step(iter([batch(networks)]))
    for network, kept in zip(networks, before, strict=True):
        assert (network.parameters != kept).mean() > 0.9
    assert all(getattr(game, f"{name}_optimizer").steps == 1 for name in NAMES)


def test_the_cycle_loss_falls():
    """A ring of points and its rotated, scaled image: each cycle closes in a short training."""
    rng = np.random.default_rng(0)

    def network(outputs, seed):
        return Sequential([Dense(2, 16), LeakyReLU(), Dense(16, outputs)], (2,), rng=seed)

    game = build([network(2, 1), network(2, 2), network(1, 3), network(1, 4)], optimizer=Adam)

    def pair():
        a, b = (rng.normal(size=(32, 2)) for _ in range(2))
        return a, 0.5 * b @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 1

    records = list(train(game, (pair() for _ in range(200)), 200))
    assert game.steps == 200
    first, last = ([r.cycle_loss for r in part] for part in (records[:10], records[-10:]))
    assert np.mean(last) < 0.2 * np.mean(first)
    shown = set(records[0]._figures)
    assert shown == {
        *("critic_a_loss", "critic_b_loss"),
        *("generator_loss", "adversarial_loss", "cycle_loss"),
        *(f"{name}_gradient_norm" for name in NAMES),
    }


def test_same_seed_same_bits():
    def run():
        networks = images("float32")
        game = build(networks)
        list(train(game, iter([batch(networks)] * 3), 3))
        return [network.parameters.tobytes() for network in networks]

    assert run() == run()


def test_schedule_scales_the_step():
    def moved(factor):
        networks = dense()
        before = networks[2].parameters.copy()
        build(networks, schedule=lambda step: factor).step(iter([batch(networks)]))
        return networks[2].parameters - before

    np.testing.assert_allclose(moved(0.5), moved(1.0) / 2, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("make", [dense, images])
@pytest.mark.parametrize("domain, named", [(0, "critic_a.*samples a"), (1, "critic_b.*samples b")])
def test_bad_samples_enter_nothing(domain, named, make):
    """No weight, and no running statistics either."""
    networks = make()
    game, pair = build(networks), batch(networks)
    pair[domain][0] = np.nan
    before = [(network.parameters.copy(), network.buffers.copy()) for network in networks]
    with pytest.raises(TrainingDiverged, match=f"step 1.*{named}"):
        game.step(iter([pair]))
    for network, (parameters, buffers) in zip(networks, before, strict=True):
        np.testing.assert_array_equal(network.parameters, parameters)
        np.testing.assert_array_equal(network.buffers, buffers)


@pytest.mark.parametrize("position, named", [(1, "critic_a"), (2, "critic_a"), (3, "critic_b")])
def test_divergence_stops_before_any_update(position, named):
    networks = dense()
    game = build(networks)
    networks[position].parameters[0] = np.nan
    before = [network.parameters.copy() for network in networks]
    with pytest.raises(TrainingDiverged, match=f"step 1.*{named}"):
        game.step(iter([batch(networks)]))
    for network, kept in zip(networks, before, strict=True):
        np.testing.assert_array_equal(network.parameters, kept)


@pytest.mark.parametrize("position", range(4))
def test_shapes_that_do_not_fit(position):
    networks = dense()
    outputs = networks[position].output_shape[0]
    networks[position] = Sequential([Dense(4, outputs)], (4,), rng=0, dtype="float64")
    with pytest.raises(ValueError, match=r"do not fit each other.*a_to_b"):
        build(networks)


@pytest.mark.parametrize("position", range(2))
def test_a_translator_into_another_domain(position):
    networks = dense()
    inputs = networks[position].input_shape[0]
    networks[position] = Sequential([Dense(inputs, 7)], (inputs,), rng=0, dtype="float64")
    with pytest.raises(ValueError, match="do not fit each other"):
        build(networks)


def test_optimizers_belong_to_their_networks():
    networks = dense()
    optimizers = [SGD(n) for n in networks]
    for i, name in enumerate(NAMES):
        swapped = [*optimizers[:i], optimizers[i - 1], *optimizers[i + 1 :]]
        with pytest.raises(ValueError, match=f"optimizer of {name}"):
            CycleGAN(*networks, optimizers=swapped)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_four_optimizers(count):
    networks = dense()
    optimizers = [SGD(n) for n in (*networks, networks[0])][:count]
    with pytest.raises(ValueError, match=f"one each for a_to_b, .*critic_b, got {count}"):
        CycleGAN(*networks, optimizers=optimizers)


def critic(*layers, **options):
    return Sequential(list(layers), (2,), **({"rng": 3, "dtype": "float64"} | options))


# the critic of A that is at fault, further arguments, what is raised
UNFIT = {
    "two logits": (critic(Dense(2, 2)), {}, ValueError, r"critic_a must end in \(1,\), not \(2,\)"),
    "a sigmoid": (critic(Dense(2, 1), Sigmoid()), {}, ValueError, "critic_a ends in a Sigmoid"),
    "float32": (
        critic(Dense(2, 1), dtype="float32"),
        *({}, ValueError, "dtypes differ: .*critic_a float32, critic_b float64"),
    ),
    "another backend": (
        critic(Dense(2, 1), backend=NumpyBackend()),
        *({}, ValueError, "critic_b and objective must share one backend"),
    ),
    "no constraint": (
        critic(Dense(2, 1)),
        *({"objective": "wasserstein"}, ValueError, "has no minimum without a Lipschitz"),
    ),
    "batch norm under a penalty": (
        critic(Dense(2, 3), BatchNorm(3), Dense(3, 1)),
        *({"regularizer": R1()}, ValueError, "layer 1: BatchNorm.* gradient penalty"),
    ),
    "no regularizer": (critic(Dense(2, 1)), {"regularizer": 3}, TypeError, "a Regularizer, got 3"),
    "no schedule": (critic(Dense(2, 1)), {"schedule": 0.5}, TypeError, "schedule: expected a fun"),
    "no rng": (critic(Dense(2, 1)), {"rng": None}, TypeError, "rng"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_parts_that_a_gan_would_refuse(name):
    at_fault, options, error, message = UNFIT[name]
    networks = dense()
    networks[2] = at_fault
    with pytest.raises(error, match=message):
        build(networks, **options)


def test_no_network_twice():
    networks = [critic(Dense(2, 2)), critic(Dense(2, 2)), critic(Dense(2, 1)), None]
    networks[3] = networks[2]
    with pytest.raises(ValueError, match="critic_a and critic_b are the same network"):
        build(networks)


def test_an_optimizer_is_an_optimizer():
    networks = dense()
    optimizers = [*[SGD(n) for n in networks[:3]], "adam"]
    with pytest.raises(TypeError, match="optimizer of critic_b: expected an Optimizer, got 'adam'"):
        CycleGAN(*networks, optimizers=optimizers)


@pytest.mark.parametrize("penalty", [WGANGP(3.0), R1(3.0), R2(3.0)], ids=repr)
def test_critics_under_a_penalty(penalty):
    networks = dense()
    game, (a, b) = build(networks, "wasserstein", regularizer=penalty), batch(networks)
    for name in NAMES[2:]:

        def loss(name=name):
            game.rng = np.random.default_rng(0)
            return game.critic_gradients(a, b)[f"{name}_loss"]

        check(game, [name], loss, max_entries=4)


def test_clipped_critics():
    networks = dense()
    game = build(networks, "wasserstein", regularizer=WeightClipping(0.05))
    game.step(iter([batch(networks)]))
    largest = [abs(network.parameters).max() for network in networks]
    assert largest[2] == largest[3] == 0.05 < min(largest[:2])


@pytest.mark.parametrize(
    "bad, message",
    [
        (np.ones((4, 2)), r"batches: expected pairs \(a, b\), got ndarray"),
        ((np.ones((4, 2)),) * 3, r"batches: expected pairs \(a, b\)"),
        (
            (np.ones((4, 2)), np.ones((4, 2))),
            r"samples b: expected shape \(N, 3\) with N > 0, got \(4, 2\)",
        ),
        (
            (np.ones((4, 3)), np.ones((4, 3))),
            r"samples a: expected shape \(N, 2\) with N > 0, got \(4, 3\)",
        ),
    ],
)
def test_a_bad_batch_changes_nothing(bad, message):
    networks = dense()
    game = build(networks)
    before = [network.parameters.copy() for network in networks]
    with pytest.raises(ValueError, match=message):
        game.step(iter([bad]))
    for network, kept in zip(networks, before, strict=True):
        np.testing.assert_array_equal(network.parameters, kept)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "10"])
def test_bad_cycle_weight(weight):
    with pytest.raises((ValueError, TypeError), match="cycle_weight"):
        build(dense(), cycle_weight=weight)


def test_unknown_objective():
    with pytest.raises(ValueError, match="unknown objective"):
        build(dense(), "cycle")


# --- The identity loss ---------------------------------------------------------------------------


def of_one_shape():
    """A and B of 2 features, both translators with smooth layers."""
    shapes = (2, 2, 1), (2, 2, 2), (2, 1, 3), (2, 1, 4)
    return [
        Sequential([Dense(i, 6), Tanh(), Dense(6, o)], (i,), rng=seed, dtype="float64")
        for i, o, seed in shapes
    ]


def test_the_identity_loss_by_definition():
    networks, (a, b) = of_one_shape(), np.random.default_rng(5).normal(size=(2, 6, 2))
    F, G = networks[:2]
    plain = build(networks, cycle_weight=2.0).translator_gradients(a, b)
    game = build(networks, cycle_weight=2.0, identity_weight=3.0)
    found = game.translator_gradients(a, b)
    identity = abs(F(b) - b).mean() + abs(G(a) - a).mean()
    assert found["generator_loss"] == pytest.approx(plain["generator_loss"] + 3 * identity, 1e-12)
    report = gradcheck(game, a, b, max_entries=6)
    assert report.passed, str(report)


def test_the_identity_loss_needs_samples_of_one_shape():
    with pytest.raises(ValueError, match=r"identity_weight: expected 0 .* \(2,\) and \(3,\)"):
        build(dense(), identity_weight=1.0)
    with pytest.raises(ValueError, match="identity_weight"):
        build(of_one_shape(), identity_weight=-1)
