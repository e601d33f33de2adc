"""An update is all or nothing: what is not finite changes nothing, and training goes on after it.

Every kind of game trains for two steps, meets something bad, and must then be, to the last bit,
what it was before the player's update: parameters and running statistics of all networks, averaged
weights, the optimizers' vectors and counters.
"""

import numpy as np
import pytest

from minigan import (
    GAN,
    R1,
    SGD,
    WGANGP,
    Adam,
    BatchNorm,
    ConditionalGAN,
    CycleGAN,
    Dense,
    Dropout,
    FeatureMatchingGAN,
    LayerNorm,
    LeakyReLU,
    MomentMatching,
    NormalLatent,
    RMSProp,
    Sequential,
    SpectralNorm,
    Tanh,
    TrainingDiverged,
    WeightClipping,
    train,
)
from minigan.games.critic import CriticGame

N, LABELS = 6, np.array([0, 1, 2, 0, 1, 2])
RNG = np.random.default_rng


def network(inputs, outputs, seed):
    layers = [Dense(inputs, 5), BatchNorm(5), LeakyReLU(), Dropout(0.1), Dense(5, outputs)]
    return Sequential(layers, (inputs,), rng=seed)


def layer_norm(inputs, outputs, seed):
    layers = [Dense(inputs, 5), LayerNorm(5), Tanh(), Dense(5, outputs)]
    return Sequential(layers, (inputs,), rng=seed)


def spectral(inputs, outputs, seed):
    layers = [SpectralNorm(Dense(inputs, 5)), Tanh(), SpectralNorm(Dense(5, outputs))]
    return Sequential(layers, (inputs,), rng=seed)


def players(kind, objective="non-saturating", *, extra=0, D=None, optimizer=Adam, **options):
    def build(schedule):
        G, critic = network(3 + extra, 2, 1), D or network
        critic = critic(2 + extra, 1, 2)
        optimizers = {"generator_optimizer": optimizer(G, 1e-3)}
        optimizers["discriminator_optimizer"] = optimizer(critic, 1e-3)
        common = {"latent": NormalLatent(3), "rng": 0, "schedule": schedule}
        return kind(G, critic, objective, **optimizers, **common, **options)

    return build


def moment_matching(schedule):
    G = network(3, 2, 1)
    options = {"bandwidths": [1.0], "latent": NormalLatent(3), "rng": 0, "schedule": schedule}
    return MomentMatching(G, Adam(G), **options)


def cycle(schedule):
    networks = [network(2, outputs, seed) for seed, outputs in enumerate((2, 2, 1, 1))]
    optimizers = [Adam(network) for network in networks]
    return CycleGAN(*networks, optimizers=optimizers, rng=0, schedule=schedule)


def critic(schedule):
    D, fakes = network(2, 1, 0), RNG(5)
    forever = (fakes.normal(size=(N, 2)) for _ in range(100))
    return CriticGame(D, "minimax", Adam(D), forever, rng=0, schedule=schedule)


GAMES = {
    "plain": players(GAN),
    "momentum": players(GAN, optimizer=lambda network, lr: SGD(network, lr, momentum=0.9)),
    "average": players(GAN, average_decay=0.9),
    "two steps of D": players(GAN, "least-squares", average_decay=0.5, discriminator_steps=2),
    "clipping": players(
        GAN, "wasserstein", D=layer_norm, optimizer=RMSProp, regularizer=WeightClipping(0.5)
    ),
    "penalty": players(GAN, "wasserstein", D=layer_norm, regularizer=WGANGP(), average_decay=0.9),
    "lazy penalty": players(GAN, "minimax", D=layer_norm, regularizer=R1(every=2)),
    "spectral norm": players(GAN, "hinge", D=spectral),
    "conditional": players(ConditionalGAN, classes=3, extra=3, average_decay=0.9),
    "feature matching": players(FeatureMatchingGAN, layer=3),
    "moment matching": moment_matching,
    "cycle": cycle,
    "critic": critic,
}


class Schedule:
    """1, but for one value, which is given at the update that it is set for, counted from 1."""

    def __init__(self):
        self.value, self.at = 1.0, 0

    def __call__(self, step):
        self.at -= 1
        return self.value if self.at == 0 else 1.0


def of_kind(kind, x):
    """What this game's step takes, for samples x."""
    if kind == "conditional":
        return x, LABELS[: len(x)]
    return (x, x[::-1].copy()) if kind == "cycle" else x


@pytest.fixture(params=GAMES)
def kind(request):
    return request.param


@pytest.fixture
def game(kind):
    """A game of that kind, after two steps, with a `Schedule`."""
    game = GAMES[kind](Schedule())
    play(game, kind, [good(seed) for seed in range(2 * updates_of_first(game))], 2)
    return game


def good(seed):
    return RNG(seed).normal(size=(N, 2)).astype("float32")


def updates_of_first(game):
    return getattr(game, "discriminator_steps", 1)


def play(game, kind, samples, steps=1):
    list(train(game, (of_kind(kind, x) for x in samples), steps))


def state(game):
    """name -> bytes or number, for all that an update may change."""
    found = {"steps": game.steps}
    for player in game.players:
        net, optimizer = getattr(game, player), getattr(game, f"{player}_optimizer")
        found[player] = net.parameters.tobytes()
        found[f"{player}'s statistics"] = net.buffers.tobytes()
        found[f"{player}'s updates"] = optimizer.steps
        found[f"{player}'s optimizer"] = [v.tobytes() for v in optimizer.state.values()]
    if game.average is not None:
        average = game.average.network
        found["average"] = average.parameters.tobytes(), average.buffers.tobytes()
        found["averaged"] = game.average.updates
    return found


def all_finite(game):
    networks = [*game.networks, *([game.average.network] if game.average else [])]
    return all(np.isfinite([*n.parameters, *n.buffers]).all() for n in networks)


def one_number(value):
    """A good batch but for one number."""
    x = good(7)
    x[2, 1] = value
    return x


@pytest.fixture
def refused(game, kind):
    """refused(samples, match): the error of the next step, which changed nothing."""

    def refuse(samples, match=""):
        before = state(game)
        with pytest.raises(TrainingDiverged, match=match) as caught:
            play(game, kind, samples)
        assert state(game) == before
        assert caught.value.step == 3 and caught.value.player in game.players
        assert f"step 3, in the {caught.value.player}'s step: {caught.value.layer}" in str(
            caught.value
        )
        goes_on(game, kind)
        return caught.value

    return refuse


def goes_on(game, kind):
    """Good batches are trained on as ever."""
    before = state(game)
    play(game, kind, [good(seed) for seed in range(7, 7 + updates_of_first(game))])
    assert state(game) != before and all_finite(game)
    for player in game.players:
        assert state(game)[player] != before[player]


# Batches ---------------------------------------------------------------------------------------

SEES_THE_SAMPLES = {"cycle": "critic_a", "moment matching": "generator"}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_batch_that_is_not_finite_is_seen_by_no_network(value, refused, kind):
    error = refused([one_number(value)], "the batch of .*samples")
    assert error.player == SEES_THE_SAMPLES.get(kind, "discriminator")


@pytest.mark.parametrize("value", [1e20, -3e38], ids=["1e20", "the largest"])
def test_one_huge_number_in_a_batch(value, game, kind):
    """Finite, as fill values are: its square is not, nor the variance of its batch.

    Either all of the step is finite, and so is what it leaves; or it is refused as a whole.
    """
    before = state(game)
    try:
        play(game, kind, [one_number(value), good(3)])
    except TrainingDiverged as error:
        assert error.step == 3 and error.player in game.players
        assert state(game) == before
    assert all_finite(game)
    goes_on(game, kind)


@pytest.mark.parametrize(
    "kind",
    [
        *("plain", "momentum", "average", "two steps of D", "conditional", "feature matching"),
        *("cycle", "critic"),
    ],
)
def test_a_huge_number_under_batch_norm_is_refused_and_its_place_named(kind, refused):
    named = r"the discriminator's running statistic 1\.running_var"
    if kind == "cycle":  # a -> F's batch norm, before any critic's
        named = r"a_to_b's running statistic 1\.running_var"
    refused([one_number(1e20)], named)


# Updates, one by one ---------------------------------------------------------------------------

TWO = [["discriminator"], ["generator"]]
UPDATES = dict.fromkeys(GAMES, TWO) | {
    "two steps of D": [TWO[0], *TWO],
    "moment matching": [["generator"]],
    "cycle": [["critic_a", "critic_b"], ["a_to_b", "b_to_a"]],
    "critic": [["discriminator"]],
}
each_update = pytest.mark.parametrize(
    ("kind", "at"), [(kind, at) for kind in GAMES for at in range(1, len(UPDATES[kind]) + 1)]
)


def watch(game, monkeypatch, at=0, spoil=None):
    """A list that gets the state before each update; spoil(game, figures) comes in the `at`-th."""
    states = []

    def watched(original):
        def gradients(self, *inputs):
            states.append(state(game))
            figures = original(self, *inputs)
            if len(states) == at:
                spoil(self, figures)
            return figures

        return gradients

    for name in ("discriminator", "generator", "critic", "translator"):
        if hasattr(type(game), f"{name}_gradients"):
            method = watched(getattr(type(game), f"{name}_gradients"))
            monkeypatch.setattr(type(game), f"{name}_gradients", method)
    return states


def samples_of(game):
    return [good(seed) for seed in range(3, 3 + updates_of_first(game))]


def gradient_of(player, value):
    def spoil(game, figures):
        gradients = getattr(game, player).gradients
        gradients[2] = value
        figures[f"{player}_gradient_norm"] = game.backend.norm(gradients)

    return spoil


BAD = {
    "NaN": (np.nan, "the gradient of .*{player}'s parameter 0.weight"),
    "infinite": (-np.inf, "the gradient of .*{player}'s parameter 0.weight"),
    "its square is infinite": (1e30, "the norm of the gradient of .*{player}'s parameter 0.weight"),
}


@each_update
@pytest.mark.parametrize("bad", BAD)
def test_a_gradient_that_overflows(bad, kind, at, game, monkeypatch):
    """The last of the players that move together: the first of them must wait for it."""
    player = UPDATES[kind][at - 1][-1]
    value, named = BAD[bad]
    with monkeypatch.context() as patched:
        states = watch(game, patched, at, gradient_of(player, value))
        with pytest.raises(TrainingDiverged, match=named.format(player=player)) as caught:
            play(game, kind, samples_of(game))
    assert (caught.value.step, caught.value.player) == (3, player)
    assert len(states) == at and state(game) == states[-1]
    moved = sum(states[-1][f"{p}'s updates"] - states[0][f"{p}'s updates"] for p in game.players)
    assert moved == sum(len(players) for players in UPDATES[kind][: at - 1])  # what is done stays
    goes_on(game, kind)


@each_update
def test_a_loss_that_is_not_finite(kind, at, game, monkeypatch):
    def spoil(game, figures):
        figures.update({name: np.float32(np.nan) for name in figures if name.endswith("loss")})

    with monkeypatch.context() as patched:
        states = watch(game, patched, at, spoil)
        with pytest.raises(TrainingDiverged, match=r"step 3.*the loss") as caught:
            play(game, kind, samples_of(game))
    assert caught.value.player == UPDATES[kind][at - 1][0] and state(game) == states[-1]
    goes_on(game, kind)


@each_update
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_any_other_error(error, kind, at, game, monkeypatch):
    """Raised after the forward passes, which have moved the running statistics."""

    def spoil(game, figures):
        raise error

    with monkeypatch.context() as patched:
        states = watch(game, patched, at, spoil)
        with pytest.raises(error):
            play(game, kind, samples_of(game))
    now = state(game)
    assert len(states) == at
    for name in now:
        if not (error is KeyboardInterrupt and name.endswith("updates")):
            assert now[name] == states[-1][name], name  # `train` takes back an interrupted step's
    goes_on(game, kind)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1e300], ids=repr)
@each_update
def test_a_schedule_that_gives_no_rate_for_one_update(value, kind, at, game, monkeypatch):
    players = UPDATES[kind][at - 1]
    game.schedule.value, game.schedule.at = value, at
    with monkeypatch.context() as patched:
        states = watch(game, patched)
        with pytest.raises(ValueError, match=f"learning rate of the {players[0]} at step 3"):
            play(game, kind, samples_of(game))
    assert len(states) == at and state(game) == states[-1]
    goes_on(game, kind)


@each_update
@pytest.mark.parametrize("lr", [np.nan, np.inf, -1e-3])
def test_a_rate_that_is_none(lr, kind, at, game, monkeypatch):
    """Of the last of the players that move together: the first of them must wait for it."""
    player = UPDATES[kind][at - 1][-1]
    at = 1 + [players[-1] for players in UPDATES[kind]].index(player)  # the first update of his
    optimizer = getattr(game, f"{player}_optimizer")
    before, optimizer.lr = optimizer.lr, lr
    with monkeypatch.context() as patched:
        states = watch(game, patched)
        with pytest.raises(ValueError, match=f"learning rate of the {player} at step 3"):
            play(game, kind, samples_of(game))
    assert len(states) == at and state(game) == states[-1]
    optimizer.lr = before
    goes_on(game, kind)


@pytest.mark.parametrize("player", [0, -1])
@pytest.mark.parametrize("position", [0, -1])
def test_a_network_that_overflows_on_the_way(player, position, game, kind):
    """Weights that are finite, and an output that is not: the layer is named, where it began."""
    player = game.players[player]
    network = getattr(game, player)
    layer = network.layers[position]
    kept, buffers = network.parameters.copy(), network.buffers.copy()
    with np.errstate(all="ignore"):  # with the bias, whatever the order of the sum
        layer.weight = np.full_like(layer.weight, 3e38)
        layer.bias = np.full_like(layer.bias, 3e38)
    before = state(game)
    place = rf"{player}'s (layer|running statistic) {network.layers.index(layer)}"
    with pytest.raises(TrainingDiverged, match=place) as caught:
        play(game, kind, samples_of(game))
    assert caught.value.step == 3 and state(game) == before
    network.parameters, network.buffers = kept, buffers
    goes_on(game, kind)


def test_weights_that_are_not_finite_are_named(game, kind):
    player = game.players[-1]
    weight = getattr(game, player).named_parameters()["0.weight"]
    kept = weight[0, 0]
    weight[0, 0] = np.nan
    before = state(game)
    with pytest.raises(TrainingDiverged, match=rf"{player}'s parameter 0\.weight"):
        play(game, kind, samples_of(game))
    assert state(game) == before
    weight[0, 0] = kept
    goes_on(game, kind)
