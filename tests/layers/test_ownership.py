"""One owner for all numbers: assignments copy into the network's vectors; copies own theirs.

Each network here runs on both backends of the CPU, and holds every kind of state: weights, running
statistics, the vectors of a spectral norm, and the random generator of a dropout.
"""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context

import numpy as np
import pytest

from minigan import (
    GAN,
    Adam,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    NormalLatent,
    ReLU,
    Sequential,
    Softplus,
    SpectralNorm,
    Tanh,
    train,
)

SHAPE = (4, 4, 1)
X = np.random.default_rng(1).normal(size=(6, *SHAPE))
VECTORS = "parameters", "gradients", "buffers"


def layers():
    return [
        Conv2d(1, 2, 3),
        BatchNorm(2),
        LeakyReLU(),
        Dropout(0.3),
        Flatten(),
        SpectralNorm(Dense(8, 4)),
        LayerNorm(4),
        Dense(4, 4),
    ]


@pytest.fixture(params=["float32", "float64"])
def network(randomized, request):
    return randomized(layers(), SHAPE, dtype=request.param)


def batch(network):
    return X.astype(network.dtype)


def noise(network, shape, seed=2):
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape).astype(network.dtype)


def learn(network, optimizer, steps=3):
    """Some updates towards outputs of zero."""
    for _ in range(steps):
        y, caches = network.forward(batch(network))
        network.zero_gradients()
        network.add_gradients(y, caches)
        optimizer.step()


def bits(network):
    """Digests of all numbers of a network, and of what it says of a batch."""
    arrays = {"output": network(batch(network))}
    arrays |= {vector: getattr(network, vector) for vector in VECTORS}
    return {name: sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}


# --- Assignments ---------------------------------------------------------------------------------

# the position of a layer, the name that is assigned to, the vector and the name in the network
ATTRIBUTES = {
    "a kernel": (0, "weight", "named_parameters", "0.weight"),
    "a bias": (0, "bias", "named_parameters", "0.bias"),
    "a gradient": (0, "dweight", "named_gradients", "0.weight"),
    "a running variance": (1, "running_var", "named_buffers", "1.running_var"),
    "a normalized weight": (5, "weight", "named_parameters", "5.weight"),
    "a singular vector": (5, "left", "named_buffers", "5.left"),
    "gamma": (6, "gamma", "named_parameters", "6.gamma"),
    "its gradient": (6, "dgamma", "named_gradients", "6.gamma"),
}
attributes = pytest.mark.parametrize("name", ATTRIBUTES)


@attributes
def test_assigning_to_a_layer_copies_into_the_vector(name, network):
    position, attribute, named, path = ATTRIBUTES[name]
    layer, view = network.layers[position], getattr(network, named)()[path]
    value = noise(network, view.shape)
    setattr(layer, attribute, value)
    assert getattr(layer, attribute) is view
    np.testing.assert_array_equal(view, value)
    assert np.shares_memory(view, getattr(network, named.removeprefix("named_")))
    assert not np.shares_memory(view, value)  # a copy, and no alias


@pytest.mark.parametrize("vector", VECTORS)
def test_assigning_to_a_vector_copies_into_it(vector, network):
    held = getattr(network, vector)
    views = [*getattr(network, f"named_{vector}")().values()]
    value = noise(network, held.shape)
    setattr(network, vector, value)
    assert getattr(network, vector) is held
    np.testing.assert_array_equal(np.concatenate([view.ravel() for view in views]), value)
    assert not np.shares_memory(held, value)


def test_changing_in_place_by_its_name_is_an_assignment_too(network):
    dense, before = network.layers[7], network.parameters.copy()
    dense.weight += 1
    np.testing.assert_array_equal(network.parameters[-20:-4], before[-20:-4] + 1)
    network.parameters -= before
    np.testing.assert_allclose(dense.weight, 1, rtol=1e-6)
    network.parameters = network.parameters
    np.testing.assert_allclose(dense.weight, 1, rtol=1e-6)


def test_a_value_may_be_a_view_of_what_it_is_assigned_to(network):
    dense, vector = network.layers[7], network.parameters.copy()
    transposed = dense.weight.copy().T
    dense.weight = dense.weight.T
    np.testing.assert_array_equal(dense.weight, transposed)
    dense.weight = dense.weight.T
    network.parameters = network.parameters[::-1]
    np.testing.assert_array_equal(network.parameters, vector[::-1])


def test_optimizer_clone_and_forward_go_on_from_what_was_assigned(network):
    """The same as writing the numbers into the vector by hand."""
    twin, optimizer = network.clone(), Adam(network, 0.01)
    other = Adam(twin, 0.01)
    weight = noise(network, (4, 4))
    network.layers[7].weight = weight
    network.layers[1].running_mean = weight[0, :2]
    twin.named_parameters()["7.weight"][...] = weight
    twin.named_buffers()["1.running_mean"][...] = weight[0, :2]
    assert bits(network) == bits(twin) == bits(network.clone())
    for one, its in ((network, optimizer), (twin, other)):
        learn(one, its)
    assert bits(network) == bits(twin)
    assert not np.array_equal(network.layers[7].weight, weight)  # the optimizer has moved it
    network.parameters = twin.parameters / 2
    twin.parameters[...] = twin.parameters / 2
    twin.derive()  # which an assignment asks for by itself
    for one, its in ((network, optimizer), (twin, other)):
        learn(one, its)
    assert bits(network) == bits(twin)


class OnAnotherDevice:
    """Like an array of CuPy: shape and dtype are right, and it is no `numpy.ndarray`."""

    def __init__(self, array):
        self.shape, self.dtype, self.size = array.shape, array.dtype, array.size


# what is wrong with an array that would have been right, and the error
WRONG = {
    "too long": (lambda a: np.concatenate([a, a]), ValueError, r"expected shape \("),
    "too many axes": (lambda a: a[None], ValueError, r"expected shape \("),
    "one number": (lambda a: a.reshape(-1)[:1], ValueError, r"expected shape \("),
    "an empty array": (lambda a: a[:0], ValueError, r"expected shape \("),
    "the other precision": (
        lambda a: a.astype("float64" if a.dtype == "float32" else "float32"),
        TypeError,
        "expected float(32|64), got float(64|32)",
    ),
    "integers": (lambda a: a.astype(int), TypeError, "expected float.., got int64"),
    "another backend": (OnAnotherDevice, TypeError, r"expected a numpy\.ndarray .*OnAnother"),
    "a list": (lambda a: a.tolist(), TypeError, r"expected a numpy\.ndarray"),
    "a number": (lambda a: 0.0, TypeError, r"expected a numpy\.ndarray"),
    "None": (lambda a: None, TypeError, r"expected a numpy\.ndarray"),
}


@pytest.mark.parametrize("wrong", WRONG)
@attributes
def test_what_does_not_fit_a_layer_is_refused(name, wrong, network):
    position, attribute, named, path = ATTRIBUTES[name]
    spoil, error, message = WRONG[wrong]
    layer, before = network.layers[position], bits(network)
    value = spoil(noise(network, getattr(layer, attribute).shape))
    with pytest.raises(error, match=rf"^{type(layer).__name__}\.{attribute}: {message}"):
        setattr(layer, attribute, value)
    assert bits(network) == before
    assert getattr(layer, attribute) is getattr(network, named)()[path]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("vector", VECTORS)
def test_what_does_not_fit_a_vector_is_refused(vector, wrong, network):
    spoil, error, message = WRONG[wrong]
    before, held = bits(network), getattr(network, vector)
    with pytest.raises(error, match=rf"^Sequential\.{vector}: {message}"):
        setattr(network, vector, spoil(noise(network, held.shape)))
    assert bits(network) == before and getattr(network, vector) is held


# --- Copies --------------------------------------------------------------------------------------

COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda network: pickle.loads(pickle.dumps(network)),
    "clone": Sequential.clone,
}
copies = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)


@copies
def test_a_copy_is_bound_to_numbers_of_its_own(copied, network):
    learn(network, Adam(network))  # dropout is in the middle of its stream now
    twin = copied(network)
    assert type(twin) is Sequential and bits(twin) == bits(network)
    assert twin.backend is network.backend and twin.forms() == network.forms()
    for layer, original in zip(twin.layers, network.layers, strict=True):
        for part in (layer, *layer.inside()):
            assert part.network is twin and part.backend is twin.backend
        assert original.network is network and layer is not original
        assert layer.rng is not original.rng
    for vector in VECTORS:
        mine, others = getattr(twin, vector), getattr(network, vector)
        assert not np.shares_memory(mine, others)
        for view in getattr(twin, f"named_{vector}")().values():
            assert np.shares_memory(view, mine)
    before = bits(network)
    for vector in VECTORS:
        setattr(twin, vector, noise(twin, getattr(twin, vector).shape))
    twin.layers[7].weight += 1
    assert bits(network) == before != bits(twin)


@copies
def test_a_copy_trains_like_the_original_and_gives_the_same_bits(copied, network):
    learn(network, Adam(network))
    twin = copied(network)
    start = bits(network)
    learn(twin, Adam(twin))  # the one after the other: nothing is shared, dropout's masks included
    assert bits(network) == start
    learn(network, Adam(network))
    assert bits(twin) == bits(network) != start


def test_a_network_in_another_process(network):
    """Started by spawn, so that nothing is inherited: all has come through the pickle."""
    twin = network.clone()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        y, caches = pool.submit(Sequential.forward, network, batch(network)).result()
        again = pool.submit(copy.copy, network).result()
    expected, _ = twin.forward(batch(network))
    np.testing.assert_array_equal(y, expected)
    assert caches.count == len(y)
    learn(again, Adam(again))
    learn(network, Adam(network))
    assert bits(again) == bits(network)


def test_a_copy_of_a_layer_is_a_layer_of_no_network(network):
    for layer in network.layers:
        for copied in (copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))):
            twin = copied(layer)
            assert repr(twin) == repr(layer)
            assert all(part.network is None for part in (twin, *twin.inside()))
            assert not hasattr(twin, "weight") and twin.rng is None
    again = Sequential([copy.deepcopy(layer) for layer in network.layers], SHAPE, rng=0)
    assert again.structure() == network.structure()


# --- One network for each layer ------------------------------------------------------------------


def inside_a_norm_and_beside_it(layer):
    return [SpectralNorm(layer), layer]


def beside_a_norm_and_inside_it(layer):
    return [layer, SpectralNorm(layer)]


def inside_two_norms(layer):
    return [SpectralNorm(layer), SpectralNorm(layer)]


def twice(layer):
    return [layer, layer]


@pytest.mark.parametrize(
    "arranged",
    [twice, inside_a_norm_and_beside_it, beside_a_norm_and_inside_it, inside_two_norms],
)
def test_a_layer_has_one_place(arranged):
    layer = Dense(3, 3)
    with pytest.raises(ValueError, match=r"layer 1 .*: Dense\(3, 3\) is already part of"):
        Sequential(arranged(layer), (3,), rng=0)
    assert layer.network is None
    Sequential([layer], (3,), rng=0)  # nothing has taken it


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("norm", [False, True])
def test_a_layer_has_one_network(wrapped, norm):
    """Bare or inside a norm there, bare or inside a norm here."""
    layer = Dense(3, 3)
    first = SpectralNorm(layer) if wrapped else layer
    owner = Sequential([first], (3,), rng=0, dtype="float64")
    free = Dense(3, 3)
    before = owner.parameters.copy()
    with pytest.raises(ValueError, match=r"layer 1 .*: Dense\(3, 3\) is already part of"):
        Sequential([free, SpectralNorm(layer) if norm else layer], (3,), rng=0)
    assert layer.network is owner and free.network is None
    np.testing.assert_array_equal(owner.parameters, before)
    assert owner(np.ones((2, 3))).shape == (2, 3)


# --- A whole game --------------------------------------------------------------------------------


def game(backend, **options):
    shared = {"dtype": "float32", "backend": backend}
    G = [Dense(3, 8, bias=False), BatchNorm(8), LeakyReLU(), Dropout(0.2), Dense(8, 2)]
    D = [SpectralNorm(Dense(2, 8)), LeakyReLU(), Dropout(0.2), Dense(8, 1)]
    G, D = Sequential(G, (3,), rng=1, **shared), Sequential(D, (2,), rng=2, **shared)
    optimizers = {"generator_optimizer": Adam(G), "discriminator_optimizer": Adam(D)}
    options = {"latent": NormalLatent(3), "rng": 3, "average_decay": 0.9, **optimizers, **options}
    return GAN(G, D, "non-saturating", **options)


def play(gan, snapshot, steps=5):
    """Everything after some steps of training on batches that are always the same."""
    rng = np.random.default_rng(9)
    records = list(train(gan, (rng.normal(size=(8, 2)) for _ in range(steps)), steps))
    losses = [(record.discriminator_loss, record.generator_loss) for record in records]
    return snapshot(gan), losses, gan.sample(4, 7).tobytes()


@pytest.mark.parametrize("copied", ["copy.deepcopy", "pickle"])
@pytest.mark.parametrize("backend", ["reference", "numpy"])
def test_a_copy_of_a_game_plays_the_same_game(backend, copied, snapshot):
    gan = game(backend)
    play(gan, snapshot)
    twin = COPIES[copied](gan)
    before, here, there = snapshot(gan), gan.parts(), twin.parts()
    assert snapshot(twin) == before
    for player in ("generator", "discriminator"):
        assert there[f"{player}_optimizer"].network is there[player] is not here[player]
    assert twin.average.source is twin.generator
    of_twin = play(twin, snapshot)
    assert snapshot(gan) == before  # nothing is shared
    assert play(gan, snapshot) == of_twin


# --- What a pass returns and remembers -----------------------------------------------------------

ALONE = {
    "dense": (lambda: [Dense(3, 4)], (3,)),
    "an activation first": (lambda: [Tanh()], (3,)),
    "an activation last": (lambda: [Dense(3, 4), LeakyReLU()], (3,)),
    "the input itself": (lambda: [Flatten()], (2, 3)),
    "convolutions": (lambda: [Conv2d(1, 2, 3), ReLU(), Conv2d(2, 2, 2)], (5, 5, 1)),
    "transposed": (lambda: [ConvTranspose2d(2, 1, 3, 2, 1)], (3, 3, 2)),
    "one pixel": (lambda: [Conv2d(2, 3, 1)], (3, 3, 2)),
    "norms": (lambda: [BatchNorm(3), LayerNorm(3), Softplus()], (3,)),
    "all kinds": (layers, SHAPE),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", ALONE)
def test_an_input_may_be_changed_after_the_pass(name, train, dtype, randomized):
    """`x *= 0` in place, before the backward pass: the gradients are those of x as it was."""
    make, shape = ALONE[name]
    x = np.random.default_rng(1).normal(size=(6, *shape)).astype(dtype)
    found = []
    for changed in (False, True):
        network = randomized(make(), shape, dtype=dtype)
        given = x.copy()
        y, caches = network.forward(given, train)
        if changed:
            given *= 0
            given += 7
        dy = np.random.default_rng(2).normal(size=y.shape).astype(dtype)
        dx, trace = network.backward_trace(dy, caches)
        found.append([network.backpropagate(dy, caches), dx, *trace, network.gradients])
        assert given.flags.writeable and not np.shares_memory(given, y)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", ALONE)
def test_an_output_is_read_only(name, train, randomized):
    """`fake += noise` before the backward pass would change the cache: it is an error."""
    make, shape = ALONE[name]
    network = randomized(make(), shape)
    x = np.random.default_rng(1).normal(size=(6, *shape))
    parts = [network, network[: len(network.layers)], network[:1]]
    for chain in parts:
        y, caches = chain.forward(x, train)
        for change in (lambda y: y.__iadd__(1), lambda y: y.fill(0), lambda y: y.sort()):
            with pytest.raises(ValueError, match="read-only"):
                change(y)
        noisy = y + 1  # what is meant
        assert noisy.flags.writeable
        chain.backward(noisy, caches)
    assert x.flags.writeable


@pytest.mark.parametrize("name", ALONE)
def test_the_output_of_a_call_is_the_callers(name, randomized):
    """No backward pass belongs to it, so that it may be written to; the network keeps nothing."""
    make, shape = ALONE[name]
    network = randomized(make(), shape)
    x = np.random.default_rng(1).normal(size=(6, *shape))
    before, y = x.copy(), network(x)
    kept = y.copy()
    y += 1
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(network(x), kept)


def test_a_read_only_input_is_fine(network):
    """Such as the output of another network: D is shown what G has made."""
    x = batch(network)
    expected = network(x)
    x.flags.writeable = False
    np.testing.assert_array_equal(network(x), expected)
    assert not x.flags.writeable
