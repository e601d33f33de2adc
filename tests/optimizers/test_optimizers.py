"""Optimizers against the papers' formulas, number by number, and in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import SGD, Adam, Dense, RMSProp, Sequential, Tanh
from minigan.optimizers import OPTIMIZERS


def sgd(w, gradients, lr, momentum):
    v = 0.0
    for g in gradients:
        v = momentum * v + g
        w = w - lr * v
    return w


def rmsprop(w, gradients, lr, alpha, eps):
    s = 0.0
    for g in gradients:
        s = alpha * s + (1 - alpha) * g**2
        w = w - lr * g / (np.sqrt(s) + eps)
    return w


def adam(w, gradients, lr, betas, eps):
    """Kingma & Ba 2015, algorithm 1, line by line."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat = m / (1 - betas[0] ** t)
        v_hat = v / (1 - betas[1] ** t)
        w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w


TABLE = {
    "sgd": (SGD, sgd, {"lr": 0.1, "momentum": 0.0}),
    "momentum": (SGD, sgd, {"lr": 0.1, "momentum": 0.9}),
    "rmsprop": (RMSProp, rmsprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}),
    "rmsprop without memory": (RMSProp, rmsprop, {"lr": 0.01, "alpha": 0.0, "eps": 1e-8}),
    "adam": (Adam, adam, {"lr": 0.01, "betas": (0.5, 0.999), "eps": 1e-8}),
    "adam with a large eps": (Adam, adam, {"lr": 0.01, "betas": (0.9, 0.99), "eps": 0.1}),
    "adam without memory": (Adam, adam, {"lr": 0.01, "betas": (0.0, 0.0), "eps": 1e-8}),
}
optimizers = pytest.mark.parametrize("name", TABLE)


def network(inputs=3, outputs=2, dtype="float64"):
    return Sequential([Dense(inputs, outputs)], (inputs,), rng=0, dtype=dtype)


def run(make, net, gradients, **options):
    optimizer = make(net, **options)
    for g in gradients:
        net.gradients[...] = g
        optimizer.step()
    return optimizer


@optimizers
@given(seed=st.integers(0, 999), steps=st.integers(1, 6), scale=st.sampled_from([1e-6, 1, 1e4]))
def test_formula(name, seed, steps, scale):
    make, formula, options = TABLE[name]
    net = network()
    gradients = np.random.default_rng(seed).normal(0, scale, (steps, net.parameters.size))
    before = net.parameters.copy()
    optimizer = run(make, net, gradients, **options)
    expected = formula(before, gradients, **options)
    np.testing.assert_allclose(net.parameters, expected, rtol=1e-9, atol=1e-13)
    np.testing.assert_array_equal(net.gradients, gradients[-1])  # gradients are only read
    assert optimizer.steps == steps


@optimizers
@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-12), ("float32", 1e-4)])
def test_vectors_longer_than_a_block(name, dtype, rtol):
    """150,500 numbers: two blocks of 65,536 and a rest; every one of them must be updated."""
    make, formula, options = TABLE[name]
    net = network(300, 500, dtype)
    assert net.parameters.size == 150_500
    gradients = np.random.default_rng(0).normal(size=(3, net.parameters.size)).astype(dtype)
    before = net.parameters.astype("float64")
    optimizer = run(make, net, gradients, **options)
    expected = formula(before, gradients.astype("float64"), **options)
    np.testing.assert_allclose(net.parameters, expected, rtol=rtol, atol=rtol * options["lr"])
    assert net.parameters.dtype == dtype
    assert all(v.dtype == dtype and v.shape == (150_500,) for v in optimizer.state.values())


# --- In closed form ------------------------------------------------------------------------------


def constant_gradient(make, steps, **options):
    net = network()
    before, g = net.parameters.copy(), np.random.default_rng(1).normal(size=net.parameters.shape)
    run(make, net, [g] * steps, **options)
    return net.parameters - before, g


def test_adams_first_step_is_the_rate_times_the_sign():
    change, g = constant_gradient(Adam, 1, lr=0.01)
    np.testing.assert_allclose(change, -0.01 * np.sign(g), rtol=1e-6)


def test_adam_on_a_constant_gradient_takes_equal_steps():
    change, g = constant_gradient(Adam, 10, lr=0.01)
    np.testing.assert_allclose(change, -0.1 * np.sign(g), rtol=1e-6)


def test_rmsprops_first_step():
    change, g = constant_gradient(RMSProp, 1, lr=0.01, alpha=0.99)
    np.testing.assert_allclose(change, -0.01 * np.sign(g) / (1 - 0.99) ** 0.5, rtol=1e-6)


def test_momentum_is_a_geometric_sum():
    change, g = constant_gradient(SGD, 4, lr=0.01, momentum=0.5)
    np.testing.assert_allclose(change, -0.01 * g * (1 + 1.5 + 1.75 + 1.875), rtol=1e-12)


@optimizers
def test_no_gradient_no_change(name):
    make, _, options = TABLE[name]
    net = network()
    before = net.parameters.copy()
    run(make, net, [0, 0], **options)
    np.testing.assert_array_equal(net.parameters, before)


@optimizers
def test_factor_scales_the_rate_and_not_the_memory(name):
    make, _, options = TABLE[name]
    rng = np.random.default_rng(0)
    a, b, g = network(), network(), rng.normal(size=8)
    first, second = make(a, **options), make(b, **(options | {"lr": options["lr"] / 4}))
    for net in (a, b):
        net.gradients[...] = g
    first.step(0.25)
    second.step()
    np.testing.assert_allclose(a.parameters, b.parameters, rtol=1e-14)
    for key, vector in first.state.items():
        np.testing.assert_array_equal(vector, second.state[key])
    before = a.parameters.copy()
    first.step(0)
    np.testing.assert_array_equal(a.parameters, before)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizer_changes_only_its_own_network(make):
    mine, other = network(), network()
    mine.gradients[...] = other.gradients[...] = 1
    before = other.parameters.copy()
    make(mine).step()
    assert (mine.parameters != before).all()
    np.testing.assert_array_equal(other.parameters, before)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_network_without_parameters_is_fine(make):
    make(Sequential([Tanh()], (2,), rng=0)).step()


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("lr", [0, 0.0, -1e-3, float("nan"), float("inf")])
def test_a_rate_that_moves_nothing_or_too_far(make, lr):
    """A rate of 0 would be a player that never learns, without a word."""
    with pytest.raises(ValueError, match=r"lr: expected a number in \(0"):
        make(network(), lr)
    assert make(network(), 1e-12).lr == 1e-12


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_factor_that_gives_no_rate_changes_nothing(make):
    net = network()
    optimizer = make(net, 0.5)
    largest = 2 * optimizer.largest_rate
    net.gradients[...] = 1
    before = net.parameters.copy()
    for factor in (-1e-12, -1.0, float("nan"), float("inf"), np.nextafter(largest, np.inf)):
        with pytest.raises(ValueError, match="learning rate: expected 0 to"):
            optimizer.step(factor)
    np.testing.assert_array_equal(net.parameters, before)
    assert optimizer.steps == 0 and not any(vector.any() for vector in optimizer.state.values())
    net.gradients[...] = 0
    for factor in (0, largest):
        optimizer.step(factor)
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize(
    "make, name, least, too_small, largest, too_large",
    [
        (lambda net, v: SGD(net, momentum=v), "momentum", 0, -1e-9, 1 - 1e-9, 1),
        (lambda net, v: RMSProp(net, alpha=v), "alpha", 0, -1e-9, 1 - 1e-9, 1),
        (lambda net, v: RMSProp(net, eps=v), "eps", 1e-30, 0, 1, 1 + 1e-9),
        (lambda net, v: Adam(net, betas=(v, 0.9)), r"betas\[0\]", 0, -1e-9, 1 - 1e-9, 1),
        (lambda net, v: Adam(net, betas=(0.9, v)), r"betas\[1\]", 0, -1e-9, 1 - 1e-9, 1),
        (lambda net, v: Adam(net, eps=v), "eps", 1e-30, 0, 1, 1 + 1e-9),
    ],
)
def test_bounds_of_the_settings(make, name, least, too_small, largest, too_large):
    """A memory of 1 never takes anything new in; without eps 0 / 0 is NaN."""
    for value in (least, largest):
        make(network(), value).step()
    for value in (too_small, too_large):
        with pytest.raises(ValueError, match=f"{name}: expected a number in"):
            make(network(), value)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_restore_before_the_first_step_and_never_below(make):
    optimizer = make(network())
    before = optimizer.snapshot()
    optimizer.step()
    optimizer.restore(before)
    assert optimizer.steps == 0
    with pytest.raises(ValueError, match="steps: expected at least 0"):
        optimizer.restore(before | {"steps": -1})


@pytest.mark.parametrize("backend", ["reference", "numpy"])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_parameter_moves_on_after_gradients_of_1e19(make, backend):
    """Whose square is just within float32: the second moment stays finite, and nothing freezes."""
    net = Sequential([Dense(3, 2)], (3,), rng=0, dtype="float32", backend=backend)
    optimizer = make(net, 0.01)
    for size in (1e19, -1e19, 1.8e19):
        before = net.parameters.astype("float64")
        net.gradients = np.full(8, size, "float32")
        optimizer.step()
        assert all(np.isfinite(vector).all() for vector in optimizer.state.values())
        assert np.isfinite(net.parameters).all() and (net.parameters != before).all()
