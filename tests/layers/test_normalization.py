"""BatchNorm and LayerNorm: SciPy's z-scores, running statistics, and the two modes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import zscore

from minigan import BatchNorm, LayerNorm, Sequential

SHAPES = pytest.mark.parametrize("shape", [(3,), (2, 4, 3)], ids=["2-D", "4-D"])


def batch(shape, n=6, seed=0):
    return np.random.default_rng(seed).normal(2, 3, (n, *shape))


def bound(layer, shape):
    return Sequential([layer], shape, rng=0, dtype="float64")


@SHAPES
def test_training_normalises_each_feature_over_the_batch(shape, randomized):
    network = randomized([BatchNorm(3, eps=1e-12)], shape)
    gamma, beta = network.named_parameters().values()
    x = batch(shape)
    y, _ = network.forward(x)
    expected = gamma * zscore(x.reshape(-1, 3)) + beta
    np.testing.assert_allclose(y.reshape(-1, 3), expected, atol=1e-9)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(2, 5), st.integers(0, 99))
def test_batch_norm_is_scipys_zscore(randomized, middle, n, seed):
    features = middle[-1]
    network = randomized([BatchNorm(features, eps=1e-12, momentum=1)], tuple(middle), seed)
    gamma, beta = network.named_parameters().values()
    x = np.random.default_rng(seed).normal(3, 2, (n, *middle))
    rows = x.reshape(-1, features)
    y, ((_, sigma, _),) = network.forward(x)
    mean, unbiased = network.named_buffers().values()
    assert y.shape == x.shape
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(unbiased, rows.var(0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(1 / sigma, rows.std(0) ** -1, rtol=1e-6)
    np.testing.assert_allclose(y.reshape(rows.shape), gamma * zscore(rows) + beta, atol=1e-6)


def test_batch_norm_survives_a_mean_far_from_zero(randomized):
    """Σ x²/M − mean² would lose every digit of the variance here."""
    network = randomized([BatchNorm(3)], (3,), dtype="float32")
    network.parameters = np.array([1, 1, 1, 0, 0, 0], "float32")
    x = np.random.default_rng(0).normal(1e4, 1, (512, 3)).astype("float32")
    y, _ = network.forward(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, zscore(x.astype("float64")), atol=5e-3)


def test_batch_norm_gradient_has_no_part_along_what_was_normalised_away(randomized):
    """Shifting or scaling the batch does not change y, so dx ⟂ 1 and dx ⟂ centred."""
    network = randomized([BatchNorm(4, eps=1e-15)], (4,))
    x, dy = np.random.default_rng(0).normal(size=(2, 9, 4))
    _, caches = network.forward(x)
    dx = network.backpropagate(dy, caches)
    dgamma, dbeta = network.named_gradients().values()
    np.testing.assert_allclose(dx.sum(0), 0, atol=1e-12)
    np.testing.assert_allclose((dx * (x - x.mean(0))).sum(0), 0, atol=1e-12)
    np.testing.assert_allclose(dgamma, (dy * zscore(x)).sum(0), atol=1e-12)
    np.testing.assert_allclose(dbeta, dy.sum(0), atol=1e-12)


@SHAPES
def test_running_statistics(shape):
    """running = (1 − m) running + m · batch, from 0 and 1; the variance with 1/(M − 1)."""
    network = bound(BatchNorm(3, momentum=0.3), shape)
    mean, var = np.zeros(3), np.ones(3)
    for seed in range(4):
        x = batch(shape, seed=seed)
        network.forward(x)
        rows = x.reshape(-1, 3)
        mean = 0.7 * mean + 0.3 * rows.mean(0)
        var = 0.7 * var + 0.3 * rows.var(0, ddof=1)
    buffers = network.named_buffers()
    np.testing.assert_allclose(buffers["0.running_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(buffers["0.running_var"], var, rtol=1e-12)


@SHAPES
def test_evaluation_uses_them_and_leaves_them_alone(shape, randomized):
    network = randomized([BatchNorm(3, eps=0.1)], shape)
    gamma, beta = network.named_parameters().values()
    mean, var = network.named_buffers().values()
    before, x = network.buffers.copy(), batch(shape)
    y = network(x)
    np.testing.assert_allclose(y, gamma * (x - mean) / np.sqrt(var + 0.1) + beta, atol=1e-12)
    np.testing.assert_allclose(network(x[:1]), y[:1], atol=1e-12)  # nobody else matters
    np.testing.assert_array_equal(network.buffers, before)


def test_after_many_equal_batches_both_modes_agree():
    network, x = bound(BatchNorm(3, momentum=0.5), (3,)), batch((3,), n=200)
    for _ in range(60):
        y, _ = network.forward(x)
    np.testing.assert_allclose(network(x), y, rtol=1e-2, atol=1e-2)  # 1/M against 1/(M − 1)


@pytest.mark.parametrize("momentum", [0, 1])
def test_extreme_momentum(momentum):
    network, x = bound(BatchNorm(3, momentum=momentum), (3,)), batch((3,))
    network.forward(x)
    expected = [0, 0, 0, 1, 1, 1] if momentum == 0 else [*x.mean(0), *x.var(0, ddof=1)]
    np.testing.assert_allclose(network.buffers, expected)


def test_the_two_modes_have_two_backward_passes(randomized):
    """In evaluation mean and variance are constants: dx = dy · γ / √(var + eps), and no more."""
    network = randomized([BatchNorm(3, eps=0.1)], (3,))
    gamma, var = network.named_parameters()["0.gamma"], network.named_buffers()["0.running_var"]
    x, dy = batch((3,)), batch((3,), seed=1)
    _, caches = network.forward(x, train=False)
    constant = dy * gamma / np.sqrt(var + 0.1)
    np.testing.assert_allclose(network.backward(dy, caches), constant, atol=1e-12)
    _, caches = network.forward(x, train=True)
    dx = network.backward(dy, caches)
    np.testing.assert_allclose(dx.sum(0), 0, atol=1e-12)  # shifting the batch changes nothing
    assert abs(dx - constant).max() > 0.1


def test_a_batch_norm_of_one_value_is_refused():
    network = bound(BatchNorm(3), (3,))
    before = network.buffers.copy()
    with pytest.raises(ValueError, match="more than one value per feature"):
        network.forward(batch((3,), n=1))
    np.testing.assert_array_equal(network.buffers, before)
    assert network(batch((3,), n=1)).shape == (1, 3)  # evaluation has no such need
    bound(BatchNorm(3), (2, 1, 3)).forward(batch((2, 1, 3), n=1))  # two pixels are two values


@SHAPES
def test_layer_norm_normalises_each_sample(shape, randomized):
    network = randomized([LayerNorm(3, eps=1e-12)], shape)
    gamma, beta = network.named_parameters().values()
    x = batch(shape)
    y, _ = network.forward(x)
    normalized = zscore(x.reshape(6, -1), axis=1).reshape(x.shape)
    np.testing.assert_allclose(y, gamma * normalized + beta, atol=1e-9)
    np.testing.assert_allclose(network(x[2:3]), y[2:3], atol=1e-12)


@pytest.mark.parametrize("make", [BatchNorm, LayerNorm])
def test_float32_stays_float32(make):
    network = Sequential([make(3)], (2, 3), rng=0)
    x = batch((2, 3)).astype("float32")
    for train in (True, False):
        y, caches = network.forward(x, train)
        assert y.dtype == network.backward(x, caches).dtype == np.float32


def test_arguments_that_could_be_swapped_are_keyword_only():
    with pytest.raises(TypeError):
        BatchNorm(3, 0.8)
    assert repr(BatchNorm(3)) == "BatchNorm(3)" and repr(LayerNorm(3)) == "LayerNorm(3)"


# --- Digits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("constant", [33_333.3, -1e6, 0.1, 1 / 3, 1e-20, 0.0])
@pytest.mark.parametrize("rows", [7, 1000, 100_000])
def test_batch_norm_of_a_constant_feature_is_beta(constant, rows, randomized):
    """Its mean is the constant to the last digit but one; what rounding leaves is no signal."""
    network = randomized([BatchNorm(2)], (2,), dtype="float32")
    gamma, beta = network.named_parameters().values()
    x = np.full((rows, 2), constant, "float32")
    x[:, 1] = np.random.default_rng(0).normal(size=rows)
    y, _ = network.forward(x)
    np.testing.assert_allclose(y[:, 0], beta[0], rtol=1e-5, atol=1e-5 * abs(gamma[0]))
    assert np.ptp(y[:, 0]) <= 1e-5


@pytest.mark.parametrize("make", [BatchNorm, LayerNorm])
def test_sums_over_many_rows(make, randomized):
    """In float32, one after the other, they would stop growing: 2²⁴ + 1 is 2²⁴."""
    network = randomized([make(2)], (2,), dtype="float32")
    network.parameters = np.array([1, 1, 0, 0], "float32")
    before, momentum = network.buffers.copy(), 0.1
    x = np.random.default_rng(0).standard_normal((1 << 21, 2), dtype="float32") * 3 + 20
    y, caches = network.forward(x)
    if make is BatchNorm:
        wide = x.astype("float64")
        assert abs(y - zscore(wide)).max() < 1e-5
        statistics = np.concatenate([wide.mean(axis=0), wide.var(axis=0, ddof=1)])
        expected = before + momentum * (statistics - before)
        np.testing.assert_allclose(network.buffers, expected, rtol=1e-6)
    dy = np.random.default_rng(1).random(x.shape, dtype="float32")
    network.add_gradients(dy, caches)
    dgamma, dbeta = network.named_gradients().values()
    np.testing.assert_allclose(dbeta, dy.sum(axis=0, dtype="float64"), rtol=2e-6)
    products = dy.astype("float64") * y
    assert (abs(dgamma - products.sum(axis=0)) < 2e-6 * abs(products).sum(axis=0)).all()
