"""Layers of layers: `Block`, `Residual`, and layers of one's own that hold others.

Their gradients are in the tables of test_gradients.py and test_double_backward.py. Here: that a
network sees through them (names, numbers, copies, checkpoints, forms), that their second derivative
is right under a penalty, and what is refused.
"""

import copy
import pickle

import numpy as np
import pytest

from minigan import (
    R1,
    WGANGP,
    Adam,
    BatchNorm,
    Block,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    gradcheck,
    xray,
)

RNG = np.random.default_rng
X = RNG(1).normal(size=(6, 3))


class Mixture(Layer):
    """y = a(x) · σ(b(x)): a layer of one's own around two others, written as a student would."""

    def __init__(self, features):
        self.value = Block([Dense(features, features), Tanh()])
        self.gates = [Block([Dense(features, features), Sigmoid()])]

    def forward(self, x, train):
        a, cache_a = self.value.forward(x, train)
        b, cache_b = self.gates[0].forward(x, train)
        return a * b, (a, b, cache_a, cache_b)

    def backward(self, dy, cache):
        a, b, cache_a, cache_b = cache
        return self.value.backward(dy * b, cache_a) + self.gates[0].backward(dy * a, cache_b)

    def add_gradients(self, dy, cache):
        a, b, cache_a, cache_b = cache
        self.value.add_gradients(dy * b, cache_a)
        self.gates[0].add_gradients(dy * a, cache_b)


def layers():
    """Every kind of state, at every depth."""
    return [
        Dense(3, 5),
        Residual([BatchNorm(5), LeakyReLU(), Dense(5, 4), Dropout(0.3), Dense(4, 5)]),
        Block([Residual([SpectralNorm(Dense(5, 2)), Tanh()], [Dense(5, 2)]), Block([Tanh()])]),
        Mixture(2),
        Dense(2, 1),
    ]


NAMES = [
    *("0.weight", "0.bias", "1.residual.0.gamma", "1.residual.0.beta", "1.residual.2.weight"),
    *("1.residual.2.bias", "1.residual.4.weight", "1.residual.4.bias", "2.0.residual.0.weight"),
    *("2.0.residual.0.bias", "2.0.shortcut.0.weight", "2.0.shortcut.0.bias", "3.value.0.weight"),
    *("3.value.0.bias", "3.gates.0.0.weight", "3.gates.0.0.bias", "4.weight", "4.bias"),
]
BUFFERS = [
    *("1.residual.0.running_mean", "1.residual.0.running_var"),
    *("2.0.residual.0.left", "2.0.residual.0.right"),
]


@pytest.fixture
def network(randomized):
    network = randomized(layers(), (3,), 2)
    network.derive()
    return network


def learn(network, optimizer, steps=3):
    for _ in range(steps):
        y, caches = network.forward(X)
        network.set_gradients(y, caches)
        optimizer.step()


# --- One vector for all --------------------------------------------------------------------------


def test_every_number_is_a_view_into_the_networks_vectors(network):
    assert list(network.named_parameters()) == list(network.named_gradients()) == NAMES
    assert list(network.named_buffers()) == BUFFERS
    views = [view.ravel() for view in network.named_parameters().values()]
    np.testing.assert_array_equal(np.concatenate(views), network.parameters)
    inner = network[1].residual.layers[2]
    inner.weight = np.ones((5, 4))
    assert np.shares_memory(inner.weight, network.parameters)
    np.testing.assert_array_equal(network.named_parameters()["1.residual.2.weight"], 1)
    assert np.shares_memory(inner.dweight, network.gradients)


def test_an_optimizer_trains_all_of_them(network):
    before = network.parameters.copy()
    learn(network, Adam(network, 1e-2), 30)
    assert (network.parameters != before).mean() > 0.95
    y, _ = network.forward(X)
    network.parameters = before
    assert (y**2).sum() < (network.forward(X)[0] ** 2).sum()


def test_every_gradient_agrees(network):
    report = gradcheck(network, X, train=False, max_entries=8)
    assert report.passed and {row.name for row in report.rows} == {"x", *NAMES}, str(report)


def test_assigning_the_weights_of_a_norm_inside_makes_its_vectors_anew(network):
    norm = network[2].layers[0].residual.layers[0]
    network.parameters = RNG(7).normal(size=network.parameters.shape)
    w = norm.weight
    assert np.isclose(norm.left @ w @ norm.right, np.linalg.svd(w)[1][0])
    norm.weight = 3 * np.eye(5, 2)
    assert np.isclose(norm.left @ norm.weight @ norm.right, 3)


def test_layers_start_from_streams_of_their_own():
    """Of the same seed: the same numbers; of two layers alike: other numbers."""
    alike = [Residual([Dense(3, 3), Dense(3, 3)]), Dense(3, 3)]
    one = Sequential(alike, (3,), rng=5)
    two = Sequential([layer.unbound() for layer in alike], (3,), rng=5)
    np.testing.assert_array_equal(one.parameters, two.parameters)
    weights = [w.tobytes() for name, w in one.named_parameters().items() if "weight" in name]
    assert len(set(weights)) == 3


# --- Copies and checkpoints ----------------------------------------------------------------------

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda network: pickle.loads(pickle.dumps(network)),
    "clone": Sequential.clone,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_has_numbers_of_its_own_and_trains_alike(copied, network):
    learn(network, Adam(network))  # dropout is in the middle of its stream now
    twin, start = copied(network), network.parameters.copy()
    assert twin.structure() == network.structure() and twin.forms() == network.forms()
    for layer, original in zip(twin.all_layers.values(), network.all_layers.values(), strict=True):
        assert layer.network is twin and layer is not original and layer.rng is not original.rng
    learn(twin, Adam(twin))
    np.testing.assert_array_equal(network.parameters, start)
    learn(network, Adam(network))
    np.testing.assert_array_equal(twin.parameters, network.parameters)
    assert (network.parameters != start).any()


def test_a_copied_layer_is_part_of_no_network(network):
    for layer in network.layers[1:4]:
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.unbound()):
            parts = [twin, *twin.inside()]
            assert repr(twin) == repr(layer) and all(part.network is None for part in parts)
            assert len(parts) == 1 + len(layer.inside())
            assert not any(part is other for part in parts for other in layer.inside())


def test_a_state_goes_back_to_where_it_was(network):
    learn(network, Adam(network))
    state = copy.deepcopy(network.state())
    learn(network, Adam(network))
    end = network.parameters.copy()
    network.restore(state)
    learn(network, Adam(network))
    np.testing.assert_array_equal(network.parameters, end)


def test_the_structure_tells_one_block_from_another():
    def structure(layer):
        return Sequential([layer], (3,), rng=0).structure()

    alike = [
        Residual([Dense(3, 3)]),
        Block([Dense(3, 3)]),
        Residual([Dense(3, 3)], [Dense(3, 3)]),
        Residual([Dense(3, 3), ReLU()], [Dense(3, 3)]),
    ]
    assert len({str(structure(layer)) for layer in alike}) == len(alike)


# --- Forms, the table, the X-ray -----------------------------------------------------------------


def test_faster_forms_run_inside():
    inner = Residual([Conv2d(2, 2, 3, padding=1), BatchNorm(2)], [Block([Conv2d(2, 2, 1)])])
    forms = Sequential([inner, Flatten(), Dense(32, 1)], (4, 4, 2), rng=0).forms()
    alone = Sequential([Conv2d(2, 2, 1), Flatten(), Dense(32, 1)], (4, 4, 2), rng=0).forms()
    of_conv = {name.partition(".")[2]: form for name, form in alone.items() if name[0] == "0"}
    assert of_conv and "2.add_gradients" in forms and "0.residual.1.backward" in forms
    for path in ("0.residual.0", "0.shortcut.0.0"):
        assert {
            name.rpartition(".")[2]: form
            for name, form in forms.items()
            if name.startswith(path + ".")
        } == of_conv


def test_the_table_shows_the_layers_inside(network):
    rows = [line.split() for line in str(network).splitlines()]
    paths = [row[0] for row in rows]
    assert paths[3:6] == ["1", "1.residual", "1.residual.0"] and "2.0.shortcut.0" in paths
    counts = [int(row[-1]) for row in rows if row[0][0].isdigit() and row[-1].isdigit()]
    assert sum(counts) == network.parameters.size


def test_the_xray_counts_and_checks_what_is_inside(network):
    report = xray(network, X)
    assert sum(layer.parameters for layer in report.layers) == network.parameters.size
    assert all(layer.check.verdict == "ok" for layer in report.layers), str(report)
    assert all(report.layers[i].update > 0 for i in (0, 1, 2, 3, 4))


# --- Gradients add where paths meet --------------------------------------------------------------


def test_the_identity_passes_the_gradient_on(randomized):
    """A residual of zero: y = x, and dx = dy, through any number of layers."""
    network = randomized([Residual([Tanh(), Dense(3, 3)]) for _ in range(20)], (3,))
    network.parameters.fill(0)
    y, caches = network.forward(X)
    np.testing.assert_array_equal(y, X)
    np.testing.assert_array_equal(network.backward(2 * X, caches), 2 * X)


@pytest.mark.parametrize("penalty", [R1(2.0), WGANGP(2.0)], ids=["R1", "WGAN-GP"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: [Residual([Tanh(), Dense(3, 4), Softplus(), Dense(4, 3)]), LeakyReLU()],
        lambda: [Residual([Dense(3, 2), Sigmoid()], [Dense(3, 2), Tanh()]), Dense(2, 3), Tanh()],
        lambda: [Tanh(), Block([Residual([LayerNorm(3), Dense(3, 3)]), Tanh()]), Dense(3, 3)],
        lambda: [Dense(3, 3), Tanh(), Block([Block([Dense(3, 3)]), Block([])]), Tanh()],
    ],
    ids=["identity", "projection", "nested", "blocks"],
)
def test_penalties_through_blocks(make, penalty, randomized):
    critic = randomized([*make(), Dense(3, 1)], (3,))
    report = gradcheck(penalty, critic, *RNG(3).normal(size=(2, 4, 3)), max_entries=6)
    assert report.passed and report.relative_error < 1e-6, str(report)


# --- What is refused -----------------------------------------------------------------------------


class Holder(Layer):
    def __init__(self, held):
        self.held = held

    def forward(self, x, train):
        return self.held.forward(x, train)

    def backward(self, dy, cache):
        return self.held.backward(dy, cache)


class Adder(Holder):
    def add_gradients(self, dy, cache):
        self.held.add_gradients(dy, cache)


def small():
    return Sequential([Dense(3, 3)], (3,), rng=0)


REFUSED = {
    "a network in a list": (
        lambda: [small()],
        TypeError,
        r"^layer 0: expected a Layer, got Sequential, which is a network .* write Block\(\[...\]\)",
    ),
    "a network inside a block": (
        lambda: [Block([ReLU(), small()])],
        TypeError,
        "^layer 1: .* of i",
    ),
    "a network held by a layer": (
        lambda: [ReLU(), Adder(small())],
        TypeError,
        r"^layer 1 \(Adder\(\)\): its held is a network of its own: inside",
    ),
    "no add_gradients around a layer": (
        lambda: [Holder(Dense(3, 3))],
        TypeError,
        r"^layer 0 \(Holder\(Dense\(3, 3\)\)\) has parameters, but no add_gradients",
    ),
    "the same inside": (
        lambda: [Block([Holder(Dense(3, 3))])],
        TypeError,
        r"^layer 0 \(Holder\(Dense\(3, 3\)\)\) has parameters, but no add_gradients",
    ),
    "paths of two shapes": (
        lambda: [Residual([Dense(3, 4)])],
        ValueError,
        r"^layer 0 .* the paths end in \(4,\) and \(3,\): let the shortcut project",
    ),
    "a misfit inside": (
        lambda: [Residual([ReLU(), Dense(4, 3)])],
        ValueError,
        r"^layer 0 .* does not fit: layer 1 \(Dense\(4, 3\)\) does not fit: expected input \(4,\)",
    ),
    "no layer": (
        lambda: [Block([ReLU])],
        TypeError,
        "^layer 0: expected a Layer, got the class ReLU",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    make, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        Sequential(make(), (3,), rng=0)


@pytest.mark.parametrize(
    "arranged",
    [
        lambda layer: [Residual([layer]), layer],
        lambda layer: [Block([layer, layer])],
        lambda layer: [layer, Residual([Dense(3, 3)], [layer])],
        lambda layer: [Block([Block([layer])]), SpectralNorm(layer)],
    ],
)
def test_a_layer_has_one_place_at_any_depth(arranged):
    layer = Dense(3, 3)
    with pytest.raises(ValueError, match=r"^layer \d .*: Dense\(3, 3\) is already part of"):
        Sequential(arranged(layer), (3,), rng=0)
    assert layer.network is None


def test_a_layer_that_holds_a_layer_trains_it(randomized):
    network = randomized([Adder(Dense(3, 3)), Tanh()], (3,))
    assert list(network.named_parameters()) == ["0.held.weight", "0.held.bias"]
    assert gradcheck(network, X).passed
    with pytest.raises(
        ValueError, match=r"^layer 0: Adder\(Dense\(3, 3\)\) has no double_backward"
    ):
        network.check_double_backward()


def test_a_layer_without_second_derivative_is_named_at_any_depth():
    network = Sequential([Residual([Block([Dense(3, 3), BatchNorm(3)])])], (3,), rng=0)
    with pytest.raises(ValueError, match=r"^layer 0.residual.0.1: BatchNorm\(3\) cannot stand"):
        network.check_double_backward()


def test_a_discriminator_may_not_end_in_a_sigmoid_inside_a_block(make_gan):
    G = Sequential([Dense(2, 3)], (2,), rng=0)
    D = Sequential([Dense(3, 3), Block([Dense(3, 1), Sigmoid()])], (3,), rng=1)
    with pytest.raises(ValueError, match="ends in a Sigmoid"):
        make_gan(G, D, "minimax")
