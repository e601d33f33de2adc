"""`LayerNorm`: its definition, in plain NumPy, and what sets it apart from batch norm.

Its first derivative is in test_gradients.py, its second in test_double_backward.py.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import Conv2d, Dense, LayerNorm, Sequential, Tanh, gradcheck

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
SHAPES = SHAPES.filter(lambda shape: np.prod(shape) > 1)  # one value per sample is refused


@given(shape=SHAPES, seed=st.integers(0, 99))
def test_definition(shape, seed, randomized):
    network = randomized([LayerNorm(shape[-1], eps=1e-3)], shape, seed)
    gamma, beta = network.named_parameters().values()
    x = np.random.default_rng(seed).normal(3, 2, size=(4, *shape))
    y, _ = network.forward(x)
    for sample, result in zip(x, y, strict=True):
        expected = gamma * (sample - sample.mean()) / np.sqrt(sample.var() + 1e-3) + beta
        np.testing.assert_allclose(result, expected, atol=1e-12)


def test_statistics_of_a_sample():
    network = Sequential([LayerNorm(3)], (5, 4, 3), rng=0, dtype="float64")
    x = np.random.default_rng(0).normal(7, 3, size=(6, 5, 4, 3))
    y, _ = network.forward(x)
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(1, 2, 3)), 1, rtol=1e-5)
    np.testing.assert_allclose(network.forward(7 * x + 2)[0], y, atol=1e-5)


def test_samples_know_nothing_of_each_other(randomized):
    network = randomized([Dense(3, 4), LayerNorm(4), Tanh(), Dense(4, 1)], (3,))
    x = np.random.default_rng(1).normal(size=(5, 3))
    y, caches = network.forward(x)
    dx = network.backward(np.ones_like(y), caches)
    for i in range(5):
        alone, cache = network.forward(x[i : i + 1])
        np.testing.assert_allclose(alone, y[i : i + 1], rtol=1e-12)
        np.testing.assert_allclose(
            network.backward(np.ones((1, 1)), cache), dx[i : i + 1], rtol=1e-10
        )


def test_training_and_evaluation_are_the_same(randomized):
    network = randomized([LayerNorm(4)], (4,))
    x = np.random.default_rng(1).normal(size=(5, 4))
    np.testing.assert_array_equal(network.forward(x, train=True)[0], network(x))
    assert network.buffers.size == 0


@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_gradients_with_the_default_eps(train, randomized):
    network = randomized([Conv2d(2, 3, 2), LayerNorm(3), Tanh()], (4, 3, 2), 2)
    x = np.random.default_rng(3).normal(size=(3, 4, 3, 2))
    report = gradcheck(network, x, train=train)
    assert report.passed and report.relative_error < 1e-6, str(report)


def test_gradient_is_blind_to_shift_and_scale(randomized):
    """y does not change with x + c and hardly with c·x: dx is orthogonal to 1 and to x̂."""
    network = randomized([LayerNorm(4, eps=1e-12)], (3, 4))
    x, dy = np.random.default_rng(1).normal(size=(2, 5, 3, 4))
    _, caches = network.forward(x)
    dx = network.backward(dy, caches)
    centred = x - x.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(dx.sum(axis=(1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose((dx * centred).sum(axis=(1, 2)), 0, atol=1e-9)
    assert abs(dx).max() > 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_constant_sample_is_finite(dtype, randomized):
    network = randomized([LayerNorm(3)], (3,), dtype=dtype)
    x = np.full((2, 3), 5, dtype)
    y, caches = network.forward(x)
    dx = network.backward(np.ones_like(y), caches)
    np.testing.assert_allclose(y, network.named_parameters()["0.beta"][None].repeat(2, 0))
    assert np.isfinite(dx).all() and y.dtype == dx.dtype == dtype


@pytest.mark.parametrize("of_gradient", ["set", "added"])
def test_gradients_are_added_or_left(of_gradient, randomized):
    network = randomized([LayerNorm(3)], (3,))
    x, dy = np.random.default_rng(1).normal(size=(2, 5, 3))
    _, caches = network.forward(x)
    network.add_gradients(dy, caches)
    once = network.gradients.copy()
    assert once.all()
    if of_gradient == "set":
        network.zero_gradients()
    network.add_gradients(dy, caches)
    np.testing.assert_allclose(network.gradients, once * (1 + (of_gradient == "added")))
    network.backward(dy, caches)
    np.testing.assert_allclose(network.gradients, once * (1 + (of_gradient == "added")))


@pytest.mark.parametrize("shape", [(3,), (4, 4, 3), (1,), ()])
def test_a_shape_that_does_not_fit(shape):
    with pytest.raises(ValueError, match=r"LayerNorm\(4\).*last axis of 4"):
        Sequential([LayerNorm(4)], shape, rng=0)


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 1, 1)])
def test_one_value_per_sample_is_refused(shape):
    """x̂ would be 0 whatever x is: all logits β, and no gradient. Batch norm refuses the same."""
    with pytest.raises(ValueError, match=r"LayerNorm\(1\).* more than one value per sample"):
        Sequential([LayerNorm(1)], shape, rng=0)


@pytest.mark.parametrize(
    "arguments, error",
    [((0,), ValueError), ((2.5,), TypeError), (("4",), TypeError)],
)
def test_bad_num_features(arguments, error):
    with pytest.raises(error, match="num_features"):
        LayerNorm(*arguments)


@pytest.mark.parametrize("eps", [0, -1, float("nan"), 2])
def test_bad_eps(eps):
    with pytest.raises(ValueError, match="eps"):
        LayerNorm(3, eps=eps)
