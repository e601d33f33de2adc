"""Sequential: the chain rule, caches that stay valid, flat vectors of parameters, copies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    ReLU,
    Reshape,
    Sequential,
    Softplus,
    Tanh,
)

NETWORKS = {
    "dense": lambda: ([Dense(3, 5), BatchNorm(5), LeakyReLU(), Dense(5, 4), Tanh()], (3,)),
    "images": lambda: (
        [Conv2d(1, 2, 3, 2, 1), BatchNorm(2), ReLU(), ConvTranspose2d(2, 2, 2, 2), Softplus()],
        (4, 4, 1),
    ),
    "shapes": lambda: ([Reshape(2, 3), Dropout(0.3), Flatten(), Dense(6, 2)], (6,)),
}
networks = pytest.mark.parametrize("name", NETWORKS)


def batch(network, n=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, *network.input_shape))


def upstream(network, n=4, seed=100):
    return np.random.default_rng(seed).normal(size=(n, *network.output_shape))


# --- The chain rule ------------------------------------------------------------------------------


def test_two_layers_by_hand(randomized):
    """y = tanh(x A + a) B + b; every gradient as in a textbook."""
    network = randomized([Dense(3, 4), Tanh(), Dense(4, 2)], (3,))
    A, a, B, b = network.named_parameters().values()
    x, dy = batch(network), upstream(network)
    y, caches = network.forward(x)
    dx = network.backpropagate(dy, caches)
    h = np.tanh(x @ A + a)
    g = (dy @ B.T) * (1 - h**2)
    np.testing.assert_allclose(y, h @ B + b, atol=1e-13)
    np.testing.assert_allclose(dx, g @ A.T, atol=1e-13)
    expected = [x.T @ g, g.sum(0), h.T @ dy, dy.sum(0)]
    for found, wanted in zip(network.named_gradients().values(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-13)


def test_a_part_of_the_network(randomized):
    """`network[:3]` gives the features at a layer, and backward goes on from there."""
    network = randomized(*NETWORKS["dense"]())
    first = randomized([Dense(3, 5), BatchNorm(5), LeakyReLU()], (3,))
    first.parameters = network.parameters[: first.parameters.size]
    first.buffers = network.buffers
    x = batch(network)
    part = network[:3]
    features, caches = part.forward(x)
    expected, expected_caches = first.forward(x)
    np.testing.assert_array_equal(features, expected)
    dx = part.backpropagate(features, caches)
    np.testing.assert_array_equal(dx, first.backpropagate(features, expected_caches))
    np.testing.assert_array_equal(part.backward(features, caches), dx)
    size = first.gradients.size
    np.testing.assert_array_equal(network.gradients[:size], first.gradients)
    assert not network.gradients[size:].any()


# --- Caches --------------------------------------------------------------------------------------


@networks
@given(order=st.permutations(range(4)))
def test_backward_passes_in_any_order(name, randomized, order):
    """Four forward passes are open at once; whose turn comes when makes no difference."""
    network = randomized(*NETWORKS[name]())
    passes = [network.forward(batch(network, seed=i)) for i in range(4)]
    alone = []
    for i, (_, caches) in enumerate(passes):
        network.zero_gradients()
        dx = network.backpropagate(upstream(network, seed=i), caches)
        alone.append((dx, network.gradients.copy()))
    network.zero_gradients()
    for i in order:
        dx = network.backpropagate(upstream(network, seed=i), passes[i][1])
        np.testing.assert_array_equal(dx, alone[i][0])
    np.testing.assert_allclose(network.gradients, sum(g for _, g in alone), atol=1e-12)


@networks
def test_real_and_fake_batch_do_not_disturb_each_other(name, randomized):
    """Bug 5: the gradient on the real batch must not use what the fake batch left behind."""
    network = randomized(*NETWORKS[name]())
    _, real = network.forward(batch(network, seed=0))
    network.add_gradients(upstream(network), real)
    expected = network.gradients.copy()
    for seed in range(1, 4):
        network.forward(batch(network, n=7, seed=seed))
    network.zero_gradients()
    network.add_gradients(upstream(network), real)
    np.testing.assert_array_equal(network.gradients, expected)


@networks
def test_a_second_backward_pass_adds_the_same_again(name, randomized):
    network = randomized(*NETWORKS[name]())
    _, caches = network.forward(batch(network))
    first = network.backpropagate(upstream(network), caches)
    once = network.gradients.copy()
    second = network.backpropagate(upstream(network), caches)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(network.gradients, 2 * once)
    network.zero_gradients()
    network.backpropagate(upstream(network), caches)
    np.testing.assert_array_equal(network.gradients, once)


@networks
def test_only_what_is_asked_for(name, randomized):
    network = randomized(*NETWORKS[name]())
    _, caches = network.forward(batch(network))
    dx = network.backpropagate(upstream(network), caches)
    expected = network.gradients.copy()
    np.testing.assert_array_equal(network.backward(upstream(network), caches), dx)
    np.testing.assert_array_equal(network.gradients, expected)
    network.zero_gradients()
    network.add_gradients(upstream(network), caches)
    np.testing.assert_array_equal(network.gradients, expected)


@networks
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_inputs_and_upstream_gradients_are_never_written_to(name, train, randomized):
    network = randomized(*NETWORKS[name]())
    x, dy = batch(network), upstream(network)
    x.flags.writeable = dy.flags.writeable = False  # writing would raise
    for _ in range(2):
        _, caches = network.forward(x, train)
        network.backpropagate(dy, caches)
    np.testing.assert_array_equal(x, batch(network))
    np.testing.assert_array_equal(dy, upstream(network))


@networks
def test_what_the_caller_holds_is_never_overwritten(name, randomized):
    """Outputs, input gradients, and mere slices of them, over many later passes."""
    network = randomized(*NETWORKS[name]())
    held, copies = [], []
    for seed in range(8):
        y, caches = network.forward(batch(network, seed=seed))
        dx = network.backpropagate(upstream(network, seed=seed), caches)
        held += [y[1:], dx[:, ::2], y.reshape(-1)[-1:]]
        copies += [a.copy() for a in held[-3:]]
        del y, dx, caches
        for array, copy in zip(held, copies, strict=True):
            np.testing.assert_array_equal(array, copy)


# --- Parameters ----------------------------------------------------------------------------------


def test_parameters_are_views_into_one_vector():
    network = Sequential(*NETWORKS["dense"](), rng=0)
    names = ["0.weight", "0.bias", "1.gamma", "1.beta", "3.weight", "3.bias"]
    for vector, views in (
        (network.parameters, network.named_parameters()),
        (network.gradients, network.named_gradients()),
    ):
        assert list(views) == names and vector.flags.c_contiguous and vector.dtype == np.float32
        vector[...] = np.arange(vector.size)
        np.testing.assert_array_equal(np.concatenate([v.ravel() for v in views.values()]), vector)
        assert all(np.shares_memory(vector, view) for view in views.values())
    assert list(network.named_buffers()) == ["1.running_mean", "1.running_var"]
    assert not np.shares_memory(network.parameters, network.gradients)


def test_the_names_cannot_be_used_to_break_the_network():
    network = Sequential(*NETWORKS["dense"](), rng=0)
    network.named_parameters().clear()
    assert len(network.named_parameters()) == 6


def test_a_network_without_parameters():
    network = Sequential([Tanh()], (3,), rng=0)
    assert network.parameters.shape == network.gradients.shape == (0,)
    network.zero_gradients()


def test_zero_gradients(randomized):
    network = randomized(*NETWORKS["dense"]())
    _, caches = network.forward(batch(network))
    network.add_gradients(upstream(network), caches)
    assert network.gradients.any()
    network.zero_gradients()
    assert not network.gradients.any()


def test_calling_a_network_is_its_evaluation(randomized):
    network = randomized([Dense(3, 4), BatchNorm(4), Dropout(0.5)], (3,))
    x, before = batch(network), network.buffers.copy()
    np.testing.assert_array_equal(network(x), network.forward(x, train=False)[0])
    np.testing.assert_array_equal(network(x), network(x))
    np.testing.assert_array_equal(network.buffers, before)


# --- Copies --------------------------------------------------------------------------------------


@networks
def test_clone_is_equal_and_independent(name, randomized):
    network = randomized(*NETWORKS[name](), seed=3)
    x = batch(network)
    network.forward(x)  # dropout is in the middle of its stream now
    twin = network.clone()
    y, _ = network.forward(x)
    np.testing.assert_array_equal(twin.forward(x)[0], y)  # dropout's masks included
    np.testing.assert_array_equal(twin.buffers, network.buffers)
    twin.parameters += 1
    twin.buffers += 1
    assert not np.shares_memory(twin.parameters, network.parameters)
    again = network.clone()
    assert not np.array_equal(again(x), twin(x)) or not network.parameters.size
    np.testing.assert_array_equal(again.parameters, network.parameters)


@networks
def test_float32_clone_stays_close(name, randomized):
    network = randomized(*NETWORKS[name]())
    twin = network.clone(dtype="float32")
    assert twin.dtype == np.float32 and network.dtype == np.float64
    x, dy = batch(network), upstream(network)
    (y, caches), (y32, caches32) = network.forward(x), twin.forward(x.astype("float32"))
    dx = network.backpropagate(dy, caches)
    dx32 = twin.backpropagate(dy.astype("float32"), caches32)
    for single, double in ((y32, y), (dx32, dx), (twin.gradients, network.gradients)):
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-4)


# --- What is shown -------------------------------------------------------------------------------


def test_table():
    network = Sequential(*NETWORKS["dense"](), rng=0)
    lines = str(network).splitlines()
    assert [line.split() for line in lines] == [
        ["layer", "output", "parameters"],
        ["input", "(3,)"],
        ["0", "Dense(3,", "5)", "(5,)", "20"],
        ["1", "BatchNorm(5)", "(5,)", "10"],
        ["2", "LeakyReLU(0.2)", "(5,)"],
        ["3", "Dense(5,", "4)", "(4,)", "24"],
        ["4", "Tanh()", "(4,)"],
        ["total", "54"],
        ["float32", "on", "numpy"],
    ]
    assert "Dense(3, 5)" in repr(network) and "input_shape=(3,)" in repr(network)
