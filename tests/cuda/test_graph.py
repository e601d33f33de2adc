"""A step by graphs is the step of the pages, bit for bit; bugs of graphs, planted, are caught."""

import copy
import threading
import types
from functools import cache

import emulator as stand_in
import numpy as np
import pytest
from devices import machines, make_backend, orders
from games import GAMES, batches, philox
from test_gradients import LAYERS

from minigan import (
    DRAGAN,
    GAN,
    OBJECTIVES,
    R1,
    R2,
    WGANGP,
    Adam,
    Dense,
    ExponentialDecay,
    Layer,
    NormalLatent,
    OneSidedPenalty,
    Sequential,
    Tanh,
    TrainingDiverged,
    WeightClipping,
    train,
)
from minigan.backend.cuda import graph
from minigan.runs.checkpoint import load_checkpoint, save_checkpoint
from minigan.runs.session import Session

OWN = {"products": "tiled", "convolutions": "direct", "patience": 1000}
#: Products by cuBLAS in a page, which no form replaces.
REFUSED = ["hinge"]
CAPTURED = [name for name in GAMES if name not in REFUSED]
#: Of a kind that another game stands for.
MORE = ["SGD", "WGAN", "maximum likelihood", "absolute error", "feature matching"]
#: With alternating steps; both kinds are seen three times.
LONG = {"R1": 6}


@pytest.fixture(autouse=True)
def _every_line():
    graph.say.cache_clear()


@pytest.fixture(params=machines())
def machine(request):
    return request.param


def steps_of(name):
    return LONG.get(name, 4)


def numbers(game, records):
    """All that training has made, as bytes; figures are read last, when all launches are done."""
    held = {}
    for player in game.players:
        network, optimizer = getattr(game, player), getattr(game, f"{player}_optimizer")
        vectors = {"parameters": network.parameters, "gradients": network.gradients}
        vectors |= {"buffers": network.buffers, **optimizer.state}
        held |= {f"{player}'s {name}": game.backend.to_numpy(v) for name, v in vectors.items()}
        held[f"{player}'s generators"] = str(network.state()["generators"])
    if game.average is not None:
        held["average"] = game.backend.to_numpy(game.average.network.parameters)
    held["generator"] = str(game.rng.bit_generator.state)
    held["figures"] = str([record.as_dict()["figures"] for record in records])
    return {name: v if isinstance(v, str) else v.tobytes() for name, v in held.items()}


def trained(
    name, graphs, steps=None, between=lambda game, record: None, machine="emulator", options=OWN
):
    """What training makes, by graphs or as the pages say."""
    game = GAMES[name](make_backend(machine, **options, graphs=graphs), "float32")
    game.regularizer, records = copy.copy(game.regularizer), []
    for record in train(game, batches(name, game), steps or steps_of(name)):
        records.append(record)
        between(game, record)
    return numbers(game, records)


@cache
def by_the_pages(name, machine="emulator"):
    stand_in.machine.order = 0
    return trained(name, graphs=False, machine=machine)


def same(found, expected):
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def updates(name):
    """How often a game sets gradients in one step."""
    return {"DCGAN": 3, "moment matching": 1}.get(name, 2)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in MORE else ()) for n in CAPTURED]
)
def test_replays_are_the_pages_bit_for_bit(name, machine, capsys):
    expected = by_the_pages(name, machine)
    for _ in orders(make_backend(machine)):
        stand_in.machine.graphs.clear()
        same(trained(name, graphs=True, machine=machine), expected)
        kinds = {"R1": 4, "moment matching": 1}.get(name, 2)  # each is rehearsed once
        launched = steps_of(name) * updates(name) - kinds
        assert machine == "gpu" or len(stand_in.machine.graphs) == launched
    assert capsys.readouterr().err == ""  # nothing that says why not


@pytest.mark.parametrize("name", ["dense", "DCGAN", "WGAN-GP"])
def test_so_are_they_with_products_by_cublas(name, machine, capsys):
    expected, found = (trained(name, g, machine=machine, options={}) for g in (False, True))
    same(found, expected)
    assert machine == "gpu" or stand_in.machine.graphs
    assert capsys.readouterr().err == ""


def test_a_step_by_graphs_asks_for_little(emulator):
    """What the host asks for in a step: kernels, operations on arrays, graphs."""
    asked = {}
    for graphs in (False, True):
        counts = []

        def count(game, record, counts=counts):
            counts.append(len(emulator.machine.operations))

        trained("dense", graphs, between=count)
        asked[graphs] = counts[-1] - counts[-2]
    assert asked[True] < asked[False] / 3, asked


# --- Requirements, each broken once --------------------------------------------------------------


def differs(name, emulator, **options):
    """A planted bug must be seen: by other bits, or by the emulator."""
    expected = by_the_pages(name)
    try:
        found = trained(name, graphs=True, **options)
    except emulator.EmulatorError as error:
        return str(error)
    assert emulator.machine.graphs, "nothing was captured"
    return [key for key in found if found[key] != expected[key]]


def update_in_the_graph(self, players, gradients, *inputs):
    game = gradients.__self__

    def generator_gradients(game, *inputs):
        figures = gradients(*inputs)
        for player in players:
            getattr(game, f"{player}_optimizer").step()
        return figures

    whole = types.MethodType(generator_gradients, game)
    generator_gradients.__name__ = gradients.__name__
    return self.gradients(whole, *inputs)


def test_a_baked_t_is_caught(emulator, monkeypatch):
    monkeypatch.setattr(graph.GraphStep, "update", update_in_the_graph)
    assert "generator's parameters" in differs("maximum likelihood", emulator)


@pytest.fixture
def _noise_inside(monkeypatch):
    """A game that draws noise while it sets G's gradients, by a key that a graph would keep."""
    build, page = GAMES["dense"], GAN.generator_gradients

    def with_philox(backend, dtype):
        game = build(backend, dtype)
        game.latent = philox(backend, dtype)
        return game

    def generator_gradients(self, x, z):
        return page(self, x, self.noise(len(z)))

    monkeypatch.setattr(GAN, "generator_gradients", generator_gradients)
    monkeypatch.setitem(GAMES, "noise inside", with_philox)


@pytest.mark.usefixtures("_noise_inside")
def test_a_key_that_is_drawn_inside_is_refused(emulator, capsys):
    same(trained("noise inside", graphs=True), by_the_pages("noise inside"))
    assert "generator_gradients: random numbers are drawn on the host" in capsys.readouterr().err


@pytest.mark.usefixtures("_noise_inside")
def test_a_baked_key_is_caught(emulator, monkeypatch):
    class Trusting(graph.GraphStep):
        def __init__(self, game):
            super().__init__(game)
            self.rngs = []

    monkeypatch.setattr(graph, "GraphStep", Trusting)
    assert "generator's parameters" in differs("noise inside", emulator)


def old_draws(self, inputs):
    self.fill(inputs)
    self.launches.launch()
    return self.named(self.numbers.copy())


@pytest.mark.parametrize("name", ["dense", "WGAN-GP"])  # dropout's masks, a penalty's points
def test_baked_random_numbers_are_caught(name, emulator, monkeypatch):
    monkeypatch.setattr(graph.Graph, "launch", old_draws)
    assert "discriminator's parameters" in differs(name, emulator)


def draw_in_the_pool(self, draw, shape):
    if self.unused is None:
        return self.xp.asarray(draw(shape))
    self.draws.append((draw, self.xp.empty(shape, "float64")))
    return self.draws[-1][1]


def test_draws_in_memory_that_the_graph_used_before_are_caught(emulator, monkeypatch):
    monkeypatch.setattr(graph.Graph, "draw", draw_in_the_pool)
    assert "discriminator's parameters" in differs("WGAN-GP", emulator)


@pytest.mark.parametrize("checks", [True, False])
def test_a_shared_pool_is_caught(checks, emulator, monkeypatch):
    class Shared:
        malloc = staticmethod(emulator.memory.allocators[0])

    monkeypatch.setattr(emulator.cuda, "MemoryPool", Shared)
    emulator.machine.checks = checks
    found = differs("dense", emulator)
    if checks:
        assert found == "the graph uses memory that has since been given to others"
    else:
        assert found != []


def test_a_pool_that_is_gone_is_caught(emulator, monkeypatch):
    capture = graph.Graph.capture

    def forgetful(self, function):
        capture(self, function)
        self.pool = self.numbers = None
        self.given = []

    monkeypatch.setattr(graph.Graph, "capture", forgetful)
    assert differs("dense", emulator) == "the graph uses memory whose pool is gone"


def test_a_stale_batch_is_caught(emulator, monkeypatch):
    fill = graph.Graph.fill
    monkeypatch.setattr(
        graph.Graph, "fill", lambda self, inputs: self.launches is None and fill(self, inputs)
    )
    assert "discriminator's parameters" in differs("maximum likelihood", emulator)


def test_stale_labels_are_caught(emulator, monkeypatch):
    monkeypatch.setattr(graph.GraphStep, "explicit", lambda self, g, inputs: (g, inputs))
    found = differs("conditional", emulator)
    assert found != []  # other numbers, or memory that others have by then


def test_a_missed_alternate_step_is_caught(emulator, monkeypatch):
    monkeypatch.setattr(graph.GraphStep, "kind", lambda self, name, inputs: name)
    assert "discriminator's parameters" in differs("R1", emulator)


def test_figures_that_are_not_copied_are_caught(emulator, monkeypatch):
    def launch(self, inputs):
        self.fill(inputs)
        for draw, array in self.draws:
            array[...] = self.xp.asarray(draw(array.shape))
        self.launches.launch()
        return self.named(self.numbers)

    monkeypatch.setattr(graph.Graph, "launch", launch)
    assert differs("dense", emulator) == ["figures"]


# --- What changes in the midst of it -------------------------------------------------------------


def heavier(game, record):
    if record.step == 3:
        game.regularizer.weight *= 2


def test_a_penalty_that_somebody_sets_anew_counts(emulator, monkeypatch):
    expected = trained("WGAN-GP", False, 6, heavier)
    same(trained("WGAN-GP", True, 6, heavier), expected)
    monkeypatch.setattr(graph.GraphStep, "same_constants", lambda self: True)
    found = trained("WGAN-GP", True, 6, heavier)
    assert found["discriminator's parameters"] != expected["discriminator's parameters"]


def faster(game, record):
    game.generator_optimizer.lr *= 1.5


def test_so_does_a_learning_rate_without_another_capture(emulator):
    same(trained("maximum likelihood", True, 5, faster),
         trained("maximum likelihood", False, 5, faster))  # fmt: skip
    assert len(emulator.machine.graphs) == 4 * 2


def test_batches_of_another_size_are_another_kind(emulator):
    def run(graphs):
        game = GAMES["dense"](make_backend("emulator", **OWN, graphs=graphs), "float32")
        data = batches("dense", game)
        sizes = (x[: 6 - i % 2] for i, x in enumerate(data))
        records = list(train(game, sizes, 6))
        return numbers(game, records)

    same(run(True), run(False))
    assert len(emulator.machine.graphs) == 4 * 2


def test_kinds_that_never_come_again_are_forgotten(emulator):
    game = GAMES["dense"](make_backend("emulator", **OWN), "float32")
    step = game.backend.stepper(game)
    for n in range(2, 14):
        step(iter([np.zeros((n, 2))]))
        assert len(step.graphs) <= graph.MOST_KINDS


@pytest.mark.parametrize("name", ["dense", "R1"])
def test_a_checkpoint_in_the_midst_of_replays(name, machine, tmp_path):
    """Saved between two launches, gone on with in another game: the same bits."""
    expected, path = by_the_pages(name, machine), tmp_path / "run.npz"
    steps = steps_of(name)
    first, second = (GAMES[name](make_backend(machine, **OWN), "float32") for _ in range(2))
    data, records = batches(name, first), []
    for record in train(first, data, steps):
        records.append(record)
        if record.step == steps - 1:
            save_checkpoint(path, first)
            copied = copy.deepcopy(first.generator)
            break
    load_checkpoint(path, second)
    records += train(second, data, 1)
    same(numbers(second, records), expected)
    assert copied.parameters.shape == first.generator.parameters.shape


def test_a_session_that_is_left_and_resumed(emulator, tmp_path):
    name = "dense"
    first, second = (GAMES[name](make_backend("emulator", **OWN), "float32") for _ in range(2))
    data, records = batches(name, first), []
    for record in Session(tmp_path / "run.npz", first, every=2).run(train(first, data, 4)):
        records.append(record)
        if record.step == 3:
            break
    session = Session(tmp_path / "run.npz", second)
    assert session.resume() and second.steps == session.saved == 3
    records += session.run(train(second, data, 1))
    same(numbers(second, records), by_the_pages(name))


def test_a_game_is_itself_between_two_steps(emulator):
    game = GAMES["dense"](make_backend("emulator", **OWN), "float32")
    before = set(vars(game))
    for _ in train(game, batches("dense", game), 3):
        assert set(vars(game)) == before


@pytest.mark.parametrize("name", ["dense", "DCGAN", "CycleGAN", "conditional"])
@pytest.mark.parametrize("patience", [3, 1000])
def test_what_diverges_in_a_replay_is_named_and_has_changed_nothing(name, patience, machine):
    game = GAMES[name](make_backend(machine, **OWN | {"patience": patience}), "float32")
    records = train(game, batches(name, game), 8)
    for _ in range(3):
        next(records)
    player = game.players[-1]
    weight = getattr(game, player).layers[0].weight
    weight[0, 0] = np.nan
    good = numbers(game, [])
    with pytest.raises(TrainingDiverged) as raised:
        list(records)
    first = "critic_b" if name == "CycleGAN" else game.players[0]
    assert (raised.value.step, raised.value.player) == (4, first)
    found = numbers(game, [])
    for what in good:
        if "gradients" not in what and "generator" != what and "generators" not in what:
            assert found[what] == good[what], what


# --- What cannot be captured runs as ever, and says so -------------------------------------------


class Ours(Layer):
    """A layer of somebody's own."""

    def forward(self, x, train):
        return self.changed(x), None

    def backward(self, dy, cache):
        return dy.copy()


class Copies(Ours):
    def changed(self, x):
        return x + self.backend.asarray(np.arange(x.shape[1]), x.dtype)


class Draws(Ours):
    def changed(self, x):
        return x + float(self.rng.random())


class Counts(Ours):
    passes = 0

    def changed(self, x):
        self.passes += 1
        return x + 0.1 * self.passes


class Asks(Ours):
    def changed(self, x):
        return x / (1.0 + float(abs(x).max()))


class Doubles(Ours):
    def changed(self, x):
        return x + x


class MyGAN(GAN):
    pass


def game_with(layer, graphs, cls=GAN):
    backend = make_backend("emulator", **OWN, graphs=graphs)
    made = {"rng": 1, "backend": backend}
    G = Sequential([Dense(3, 4), Tanh(), Dense(4, 2), layer()], (3,), **made)
    D = Sequential([Dense(2, 4), Tanh(), Dense(4, 1)], (2,), **made)
    return cls(
        *(G, D, "non-saturating"),
        generator_optimizer=Adam(G),
        discriminator_optimizer=Adam(D),
        latent=NormalLatent(3),
        rng=7,
    )


@pytest.mark.parametrize(
    "layer, line",
    [
        (Copies, "gradients: RuntimeError: the current stream is capturing, so H2D transfers"),
        (Asks, "gradients: RuntimeError: the current stream is capturing, so D2H transfers"),
        (Draws, "gradients: random numbers are drawn on the host, and not by `draw_part`"),
        (Counts, None),
        (Doubles, None),
    ],
)
def test_a_layer_of_ones_own(layer, line, emulator, capsys):
    found = []
    for graphs in (False, True):
        emulator.machine.graphs.clear()
        game = game_with(layer, graphs)
        found.append(numbers(game, list(train(game, batches("dense", game), 4))))
    same(found[1], found[0])
    assert len(emulator.machine.graphs) == (6 if layer is Doubles else 0)
    error = capsys.readouterr().err
    assert (line is None and error == "") or line in error
    assert error.count("\n") == (0 if line is None else 2)  # of each player's gradients


def test_a_game_of_ones_own(emulator, capsys):
    for _ in range(2):
        game = game_with(Doubles, True, MyGAN)
        list(train(game, batches("dense", game), 3))
    assert emulator.machine.graphs == []
    error = capsys.readouterr().err
    assert "MyGAN is not minigan's own" in error and error.count("\n") == 1


class Late(R1):
    def penalize(self, discriminator, real, fake, rng, step=0):
        return super().penalize(discriminator, real, fake, rng, step) if step > 2 else 0.0


def test_a_penalty_of_ones_own(emulator, capsys):
    found = []
    for graphs in (False, True):
        game = small_game(make_backend("emulator", **OWN, graphs=graphs), regularizer=Late())
        found.append(numbers(game, list(train(game, batches("dense", game), 5))))
    same(found[1], found[0])
    assert "Late.penalize is not minigan's own" in capsys.readouterr().err


def test_a_penalty_whose_weight_falls(emulator, capsys):
    """Its number would be noted once, and stay."""
    found = []
    for graphs in (False, True):
        falling = R1(schedule=ExponentialDecay(4, hold=0))
        game = small_game(make_backend("emulator", **OWN, graphs=graphs), regularizer=falling)
        found.append(numbers(game, list(train(game, batches("dense", game), 5))))
    same(found[1], found[0])
    assert emulator.machine.graphs == []
    assert "the penalty's weight is another one at every step" in capsys.readouterr().err


def test_an_update_that_somebody_has_replaced(emulator, capsys):
    game, asked = game_with(Doubles, True), []
    page = game.update
    game.update = lambda *given: asked.append(1) or page(*given)
    list(train(game, batches("dense", game), 3))
    assert len(asked) == 6 and "replaced game.update" in capsys.readouterr().err


def test_gradients_that_somebody_has_replaced(emulator):
    """By a function that is no method."""
    game, calm = game_with(Doubles, True), game_with(Doubles, False)
    for each in (game, calm):
        page = each.generator_gradients
        each.generator_gradients = lambda x, z, page=page: page(x, 2 * z)
        list(train(each, batches("dense", each), 4))
    same(numbers(game, []), numbers(calm, []))
    assert len(emulator.machine.graphs) == 6


def test_several_processes(emulator, capsys):
    game = game_with(Doubles, True)
    game.backend = game.backend.with_ranks(object())
    assert game.backend.stepper(game) == game.step
    assert "several processes" in capsys.readouterr().err


@pytest.mark.parametrize("name", REFUSED)
def test_products_by_cublas_in_a_page(name, emulator, capsys):
    same(trained(name, graphs=True), by_the_pages(name))
    assert "NotImplementedError: calling cuBLAS API" in capsys.readouterr().err


def test_a_figure_of_the_host_is_no_figure_of_a_graph(emulator, capsys):
    game = game_with(Doubles, True)
    page = GAN.generator_gradients
    game.generator_gradients = types.MethodType(
        lambda self, x, z: page(self, x, z) | {"host": 1.0}, game
    )
    game.generator_gradients.__func__.__name__ = "generator_gradients"
    records = list(train(game, batches("dense", game), 3))
    assert records[-1].host == 1.0
    assert "the figure host is computed on the host" in capsys.readouterr().err


# --- Beside a capture ----------------------------------------------------------------------------


class Interrupted(Ours):
    def changed(self, x):
        if graph.MAKING.get() is not None and graph.MAKING.get().unused is not None:
            raise KeyboardInterrupt
        return x + x


def test_ctrl_c_in_a_capture(emulator):
    """The step counts for nobody, the stream is captured no more, and the game goes on."""
    game, calm = game_with(Interrupted, True), game_with(Doubles, False)
    for each in (game, calm):
        assert len(list(train(each, batches("dense", each), 1))) == 1
    records = train(game, batches("dense", game), 3)
    next(records)
    with pytest.raises(KeyboardInterrupt):
        next(records)
    assert not emulator.cuda.get_current_stream().is_capturing() and "update" not in vars(game)
    assert graph.MAKING.get() is None
    assert [o.steps for o in (game.discriminator_optimizer, game.generator_optimizer)] == [2, 2]
    list(train(calm, batches("dense", calm), 1))
    for player in game.players:
        found, expected = getattr(game, player), getattr(calm, player)
        assert found.parameters.tolist() == expected.parameters.tolist()
    assert len(list(train(game, batches("dense", game), 1))) == 1


def test_a_graph_is_made_for_its_own_thread(emulator):
    drawn = []
    made = graph.Graph(emulator, [emulator.asarray(np.zeros((2, 2)))])

    def elsewhere():
        drawn.append(graph.drawn(np.zeros, (3,)))

    def function(x):
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        drawn.append(graph.drawn(np.zeros, (3,)))
        return {}

    made.rehearse(function, [emulator.asarray(np.zeros((2, 2)))])
    assert isinstance(drawn[0], np.ndarray) and isinstance(drawn[1], emulator.ndarray)


# --- Every objective, penalty and layer, by itself -----------------------------------------------


def small_game(backend, objective="non-saturating", regularizer=None):
    made = {"rng": 1, "backend": backend}
    G = Sequential([Dense(3, 4), Tanh(), Dense(4, 2)], (3,), **made)
    D = Sequential([Dense(2, 4), Tanh(), Dense(4, 1)], (2,), **made)
    return GAN(
        *(G, D, objective),
        generator_optimizer=Adam(G),
        discriminator_optimizer=Adam(D),
        latent=philox(backend, "float32"),
        rng=7,
        regularizer=regularizer,
    )


PARTS = {name: {"objective": name} for name in OBJECTIVES}
PARTS["wasserstein"]["regularizer"] = WeightClipping(0.1)
PARTS |= {
    kind.__name__: {"regularizer": kind()} for kind in (DRAGAN, OneSidedPenalty, R1, R2, WGANGP)
}


@pytest.mark.parametrize("part", PARTS)
def test_every_objective_and_penalty(part, emulator, capsys):
    found = []
    for graphs in (False, True):
        game = small_game(make_backend("emulator", **OWN, graphs=graphs), **PARTS[part])
        found.append(numbers(game, list(train(game, batches("dense", game), 4))))
    same(found[1], found[0])
    assert len(emulator.machine.graphs) == 6 and capsys.readouterr().err == ""


#: Their pages have products that CuPy refuses.
WITH_PRODUCTS = ["FourierFeatures", "SelfAttention", "SpectralNorm"]


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name, emulator):
    """Its forward and backward pass, in training, launched with other numbers than captured."""
    make, shape = LAYERS[name]
    rng = np.random.default_rng(0)
    xs = [rng.normal(size=(4, *shape)) for _ in range(3)]

    def passes(by_graph):
        backend = make_backend("emulator", **OWN)
        layer = Sequential([make()], shape, rng=1, dtype="float64", backend=backend)
        made = graph.Graph(emulator, [backend.asarray(xs[0])])
        found = []

        def both(x):
            y, caches = layer.forward(x)
            layer.set_gradients(y, caches)
            sums = {"y": abs(y).sum(), "dx": abs(layer.backward(y, caches)).sum()}
            return sums | {"dw": abs(layer.gradients).sum(), "moved": layer.buffers.sum()}

        for i, x in enumerate(map(backend.asarray, xs)):
            if by_graph and i == 1:
                made.capture(both)
            do = made.rehearse if by_graph and i == 0 else lambda f, inputs: f(*inputs)
            figures = made.launch([x]) if by_graph and i else do(both, [x])
            found.append([float(figure) for figure in figures.values()])
        return found

    if name in WITH_PRODUCTS:
        with pytest.raises(NotImplementedError, match="cuBLAS"):
            passes(True)
    else:
        assert passes(True) == passes(False)
