"""Activations, batch norm, products and small operations against SciPy and plain formulas.

The optimizers' updates are tested in tests/test_optimizers.py.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, log_expit
from scipy.stats import zscore

from minigan.backend import NumpyBackend, get_backend

BACKEND = get_backend("numpy")
SLOPE = 0.3

# name: f, f', f'' by x, written with SciPy
ACTIVATIONS = {
    "identity": (lambda x: x, np.ones_like, np.zeros_like),
    "relu": (lambda x: np.where(x > 0, x, 0), lambda x: (x > 0) * 1.0, np.zeros_like),
    "leaky_relu": (
        lambda x: np.where(x > 0, x, SLOPE * x),
        lambda x: np.where(x > 0, 1, SLOPE),
        np.zeros_like,
    ),
    "tanh": (np.tanh, lambda x: np.cosh(x) ** -2.0, lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2),
    "sigmoid": (
        expit,
        lambda x: expit(x) * expit(-x),
        lambda x: expit(x) * expit(-x) * (expit(-x) - expit(x)),
    ),
    "softplus": (lambda x: -log_expit(-x), expit, lambda x: expit(x) * expit(-x)),
}
activations = pytest.mark.parametrize("name", ACTIVATIONS)
GRID = np.concatenate([np.linspace(-9, 9, 37), [1e-9, -1e-9, 30, -30, 300, -300]]).reshape(-1, 1)


@activations
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activation_value_and_derivatives(name, dtype):
    value, first, second = ACTIVATIONS[name]
    x = GRID.astype(dtype)
    y = BACKEND.bias_activation(x, None, name, SLOPE)
    one, dy = np.ones_like(x), np.full_like(x, 3)
    dx = BACKEND.activation_gradient(dy, y, name, SLOPE)
    curvature = BACKEND.activation_curvature(one / 2, dy, y, name)
    assert {y.dtype, dx.dtype, curvature.dtype} == {np.dtype(dtype)}
    tolerance = (
        {"rtol": 3e-6, "atol": 3e-6} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-13}
    )
    wide = x.astype("float64")
    np.testing.assert_allclose(y, value(wide), **tolerance)
    np.testing.assert_allclose(dx, 3 * first(wide), **tolerance)
    np.testing.assert_allclose(curvature, 1.5 * second(wide), **tolerance)


def test_softplus_keeps_its_digits_where_it_is_tiny():
    """f' = 1 − e⁻ʸ with y near zero: the difference as it stands would be rounding and no more."""
    x = np.array([[-20.0], [-30.0], [-36.0]])
    y = BACKEND.bias_activation(x, None, "softplus")
    dx = BACKEND.activation_gradient(np.ones_like(y), y, "softplus")
    np.testing.assert_allclose(y, -log_expit(-x), rtol=1e-12)
    np.testing.assert_allclose(dx, expit(x), rtol=1e-12)


@activations
def test_bias_activation_adds_the_bias_and_may_work_in_place(name):
    x, bias = np.random.default_rng(0).normal(size=(5, 2, 3)), np.array([0.5, -1, 2])
    x.flags.writeable = False
    expected = ACTIVATIONS[name][0](x + bias)
    np.testing.assert_allclose(BACKEND.bias_activation(x, bias, name, SLOPE), expected, atol=1e-14)
    for b in (bias, None):
        z = x.copy()
        y = BACKEND.bias_activation(z, b, name, SLOPE, out=z)
        assert y is z
        np.testing.assert_allclose(
            y, expected if b is bias else ACTIVATIONS[name][0](x), atol=1e-14
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("logit", [0, 1, 40, 89, 750, 1e4])
def test_softplus_and_sigmoid_stay_finite(logit, dtype):
    """log(1 − σ(40)) is −inf in float64; softplus is not."""
    x = np.array([[logit], [-logit]], dtype)
    softplus, derivative = BACKEND.softplus_with_gradient(x)
    sigmoid = BACKEND.sigmoid(x)
    np.testing.assert_array_equal(derivative, sigmoid)
    assert softplus.dtype == sigmoid.dtype == np.dtype(dtype)
    rtol = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(softplus, -log_expit(-x.astype(float)), rtol=rtol, atol=1e-40)
    np.testing.assert_allclose(sigmoid, expit(x.astype(float)), atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softplus_is_accurate_everywhere(dtype):
    """To a few units in the last place, over the whole range, where it is tiny too."""
    tiny = np.logspace(-8, 4, 4001)
    x = np.concatenate([np.linspace(-1e4, 1e4, 4001), np.linspace(-90, 90, 9001), tiny, -tiny])
    x = x.astype(dtype).reshape(-1, 1)
    exact = -log_expit(-x.astype("float64"))
    found = BACKEND.softplus_with_gradient(x)[0]
    limits = np.finfo(dtype)
    normal = exact > limits.tiny / limits.eps  # below, float32 has no digits left
    error = abs(found - exact)[normal] / exact[normal]
    assert error.max() < 4 * limits.eps
    assert (found[~normal] <= 2 * exact[~normal] + limits.tiny).all()
    in_place = x.copy()
    assert BACKEND.bias_activation(in_place, None, "softplus", out=in_place) is in_place
    np.testing.assert_array_equal(in_place, found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_passes_through_softplus_quietly(dtype):
    """Without a warning, which pytest would raise: the game itself names the place of a NaN."""
    x = np.array([[np.nan], [np.inf], [-np.inf]], dtype)
    np.testing.assert_array_equal(BACKEND.softplus_with_gradient(x)[0][:, 0], [np.nan, np.inf, 0])
    np.testing.assert_array_equal(BACKEND.sigmoid(x)[:, 0], [np.nan, 1, 0])


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(2, 5), st.integers(0, 99))
def test_batch_norm_is_scipys_zscore(middle, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, (n, *middle))
    gamma, beta = rng.normal(size=(2, middle[-1]))
    rows = x.reshape(-1, middle[-1])
    y, _, inverse, mean, unbiased = BACKEND.batch_norm(x, gamma, beta, 1e-12)
    assert y.shape == x.shape
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(unbiased, rows.var(0, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(inverse, rows.std(0) ** -1, rtol=1e-6)
    np.testing.assert_allclose(y.reshape(rows.shape), gamma * zscore(rows) + beta, atol=1e-6)


def test_batch_norm_survives_a_mean_far_from_zero():
    """Σ x²/M − mean² would lose every digit of the variance here."""
    x = np.random.default_rng(0).normal(1e4, 1, (512, 3)).astype("float32")
    y = BACKEND.batch_norm(x, np.ones(3, "float32"), np.zeros(3, "float32"), 1e-5)[0]
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, zscore(x.astype("float64")), atol=5e-3)


def test_batch_norm_gradient_has_no_part_along_what_was_normalised_away():
    """Shifting or scaling the batch does not change y, so dx ⟂ 1 and dx ⟂ centred."""
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(2, 9, 4))
    _, centred, inverse, _, _ = BACKEND.batch_norm(x, np.ones(4), np.zeros(4), 1e-15)
    dx, dgamma, dbeta = BACKEND.batch_norm_gradient(dy, centred, inverse, np.ones(4))
    np.testing.assert_allclose(dx.sum(0), 0, atol=1e-12)
    np.testing.assert_allclose((dx * centred).sum(0), 0, atol=1e-12)
    np.testing.assert_allclose(dgamma, (dy * zscore(x)).sum(0), atol=1e-12)
    np.testing.assert_allclose(dbeta, dy.sum(0), atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_products_and_sums(k):
    rng = np.random.default_rng(k)
    a, b, x = rng.normal(size=(4, k)), rng.normal(size=(k, 3)), rng.normal(size=(2, 5, 3))
    np.testing.assert_allclose(BACKEND.matmul(a, b), np.einsum("mk,ko->mo", a, b), atol=1e-14)
    out, total = np.ones((4, 3)), np.ones(3)
    BACKEND.add_product(out, a, b)
    BACKEND.add_sum(total, x)
    np.testing.assert_allclose(out, 1 + np.einsum("mk,ko->mo", a, b), atol=1e-14)
    np.testing.assert_allclose(total, 1 + np.einsum("nmc->c", x), atol=1e-14)
    BACKEND.add_product(out, a, b, accumulate=False)
    BACKEND.add_sum(total, x, accumulate=False)
    np.testing.assert_allclose(out, np.einsum("mk,ko->mo", a, b), atol=1e-14)
    np.testing.assert_allclose(total, np.einsum("nmc->c", x), atol=1e-14)


def test_arrays_in_and_out():
    backend = NumpyBackend()
    assert backend.name == "numpy" and backend.xp is np and repr(backend) == "NumpyBackend()"
    assert backend.empty((2, 3), np.dtype("float32")).shape == (2, 3)
    zeros = backend.zeros((2, 3), np.dtype("float32"))
    assert zeros.dtype == np.float32 and not zeros.any()
    zeros += 1
    del zeros
    assert not backend.zeros((2, 3), np.dtype("float32")).any()  # the same array, cleared
    x = backend.asarray([[1, 2]], "float32")
    assert x.dtype == np.float32 and backend.to_numpy(x) is x and backend.asarray(x, x.dtype) is x


def test_check_names_the_stranger():
    for stranger in ([1.0], 3.0, None, memoryview(b"a")):
        with pytest.raises(TypeError, match=r"x: expected a numpy\.ndarray"):
            BACKEND.check(stranger, "x")
    BACKEND.check(np.ones(1), "x")


def test_norm_and_is_finite():
    assert BACKEND.norm(np.array([3.0, -4.0])) == 5
    assert BACKEND.is_finite(np.array([1e300])) and BACKEND.is_finite(np.float32(1))
    assert not BACKEND.is_finite(np.array([1, np.nan]))
    assert not BACKEND.is_finite(np.array([[np.inf]])) and not BACKEND.is_finite(-np.inf)
