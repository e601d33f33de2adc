"""Activation layers: SciPy's values and closed derivatives, any shape, and the kinks."""

import numpy as np
import pytest
from scipy.special import expit, log_expit

from minigan import (
    LeakyReLU,
    Minimax,
    NonSaturating,
    ReLU,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
)
from minigan.layers.activations import sigmoid, softplus

SLOPE = 0.3

# the layer, f, f', f'' by x, written with SciPy
DERIVATIVES = {
    "ReLU": (ReLU, lambda x: np.where(x > 0, x, 0), lambda x: (x > 0) * 1.0, np.zeros_like),
    "LeakyReLU": (
        lambda: LeakyReLU(SLOPE),
        lambda x: np.where(x > 0, x, SLOPE * x),
        lambda x: np.where(x > 0, 1, SLOPE),
        np.zeros_like,
    ),
    "Tanh": (
        Tanh,
        np.tanh,
        lambda x: np.cosh(x) ** -2.0,
        lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2,
    ),
    "Sigmoid": (
        Sigmoid,
        expit,
        lambda x: expit(x) * expit(-x),
        lambda x: expit(x) * expit(-x) * (expit(-x) - expit(x)),
    ),
    "Softplus": (
        Softplus,
        lambda x: -log_expit(-x),
        expit,
        lambda x: expit(x) * expit(-x),
    ),
}
GRID = np.concatenate([np.linspace(-9, 9, 37), [1e-9, -1e-9, 30, -30, 300, -300]]).reshape(-1, 1)

LAYERS = {
    "ReLU": (ReLU, lambda x: np.maximum(x, 0)),
    "LeakyReLU": (LeakyReLU, lambda x: np.where(x > 0, x, 0.2 * x)),
    "Tanh": (Tanh, np.tanh),
    "Sigmoid": (Sigmoid, expit),
    "Softplus": (Softplus, lambda x: np.log1p(np.exp(x))),
}


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 1)], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_values(name, shape):
    make, function = LAYERS[name]
    network = Sequential([make()], shape, rng=0, dtype="float64")
    x = np.random.default_rng(0).normal(size=(5, *shape))
    np.testing.assert_allclose(network(x), function(x), atol=1e-14)
    assert network.output_shape == shape and network.parameters.size == 0


@pytest.mark.parametrize("name", DERIVATIVES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_derivatives(name, dtype):
    make, value, first, second = DERIVATIVES[name]
    network = Sequential([make()], (1,), rng=0, dtype=dtype)
    x = GRID.astype(dtype)
    x.flags.writeable = False
    y, caches = network.forward(x)
    half, dy = np.full_like(x, 0.5), np.full_like(x, 3)
    dx = network.backward(dy, caches)
    u_dy, u_x = network.steps[0].double_backward(half, dy, caches[0])
    curvature = np.zeros_like(x) if u_x is None else u_x
    assert {a.dtype for a in (y, dx, u_dy, curvature)} == {np.dtype(dtype)}
    tolerance = (
        {"rtol": 3e-6, "atol": 3e-6} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-13}
    )
    wide = x.astype("float64")
    np.testing.assert_allclose(y, value(wide), **tolerance)
    np.testing.assert_allclose(dx, 3 * first(wide), **tolerance)
    np.testing.assert_allclose(u_dy, 0.5 * first(wide), **tolerance)
    np.testing.assert_allclose(curvature, 1.5 * second(wide), **tolerance)


def test_softplus_keeps_its_digits_where_it_is_tiny():
    """f' = 1 − e⁻ʸ with y near zero: the difference as it stands would be rounding and no more."""
    network = Sequential([Softplus()], (1,), rng=0, dtype="float64")
    x = np.array([[-20.0], [-30.0], [-36.0]])
    y, caches = network.forward(x)
    np.testing.assert_allclose(y, -log_expit(-x), rtol=1e-12)
    np.testing.assert_allclose(network.backward(np.ones_like(y), caches), expit(x), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("logit", [0, 1, 40, 89, 750, 1e4])
def test_softplus_and_sigmoid_stay_finite(logit, dtype):
    """log(1 − σ(40)) is −inf in float64; softplus is not."""
    x = np.array([[logit], [-logit]], dtype)
    values = softplus(np, x), sigmoid(np, x)
    assert {a.dtype for a in values} == {np.dtype(dtype)}
    rtol = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(values[0], -log_expit(-x.astype(float)), rtol=rtol, atol=1e-40)
    np.testing.assert_allclose(values[1], expit(x.astype(float)), atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softplus_is_accurate_everywhere(dtype):
    """To a few units in the last place, over the whole range, where it is tiny too."""
    tiny = np.logspace(-8, 4, 4001)
    x = np.concatenate([np.linspace(-1e4, 1e4, 4001), np.linspace(-90, 90, 9001), tiny, -tiny])
    x = x.astype(dtype).reshape(-1, 1)
    exact = -log_expit(-x.astype("float64"))
    found = softplus(np, x)
    limits = np.finfo(dtype)
    normal = exact > limits.tiny / limits.eps  # below, float32 has no digits left
    error = abs(found - exact)[normal] / exact[normal]
    assert error.max() < 4 * limits.eps
    assert (found[~normal] <= 2 * exact[~normal] + limits.tiny).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_passes_through_softplus_quietly(dtype):
    """Without a warning, which pytest would raise: the game itself names the place of a NaN."""
    x = np.array([[np.nan], [np.inf], [-np.inf]], dtype)
    np.testing.assert_array_equal(softplus(np, x)[:, 0], [np.nan, np.inf, 0])
    np.testing.assert_array_equal(sigmoid(np, x)[:, 0], [np.nan, 1, 0])


@pytest.mark.parametrize("name", LAYERS)
def test_extreme_inputs_stay_finite(name):
    network = Sequential([LAYERS[name][0]()], (2,), rng=0)
    x = np.array([[1e4, -1e4], [0, -0.0]], "float32")
    y, caches = network.forward(x)
    dx = network.backward(np.ones_like(x), caches)
    assert y.dtype == dx.dtype == np.float32
    assert np.isfinite(y).all() and np.isfinite(dx).all()


@pytest.mark.parametrize("layer, slope", [(ReLU(), 0), (LeakyReLU(0.1), 0.1), (LeakyReLU(0), 0)])
def test_derivative_at_and_around_the_kink(layer, slope):
    network = Sequential([layer], (3,), rng=0, dtype="float64")
    _, caches = network.forward(np.array([[-1e-30, 0, 1e-30]]))
    np.testing.assert_array_equal(
        network.backward(np.full((1, 3), 2.0), caches), [[2 * slope, 2 * slope, 2]]
    )


@pytest.mark.parametrize("name", LAYERS)
def test_nan_is_passed_on(name):
    network = Sequential([LAYERS[name][0]()], (1,), rng=0)
    with np.errstate(invalid="ignore"):
        assert np.isnan(network(np.array([[np.nan]], "float32"))).all()


def test_repr():
    assert repr(LeakyReLU(0.25)) == "LeakyReLU(0.25)" and repr(ReLU()) == "ReLU()"


# --- Every digit that the dtype has --------------------------------------------------------------

WIDE = np.concatenate([np.linspace(-80, 80, 3201), np.linspace(-1, 1, 201), [-17, -20, 1e-30]])
RELATIVE = {"float32": 1e-6, "float64": 1e-14}
# the layer; f, f', f'' in more digits than float64 has (where the machine's long double does)
EXACT = {
    "Sigmoid": (
        Sigmoid,
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: np.exp(-abs(x)) / (1 + np.exp(-abs(x))) ** 2,
    ),
    "Softplus": (
        Softplus,
        lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x))),
        lambda x: np.where(x < 0, np.exp(-abs(x)), 1) / (1 + np.exp(-abs(x))),
    ),
}


@pytest.mark.parametrize("dtype", RELATIVE)
@pytest.mark.parametrize("name", EXACT)
def test_slopes_keep_their_digits(name, dtype, backend_name):
    """Of softplus at −20, 2.06e-9 and not 0; of the sigmoid wherever its y has them left.

    The sigmoid's slope is taken from y: above 0, where y comes close to 1, 1 − y has what
    rounding has left of it, and no more.
    """
    make, value, slope = EXACT[name]
    network = Sequential([make()], (1,), rng=0, dtype=dtype, backend=backend_name)
    x = WIDE.astype(dtype).reshape(-1, 1)
    exact = x.astype(np.longdouble)
    y, caches = network.forward(x)
    dx = network.backward(np.ones_like(x), caches)
    allowed = RELATIVE[dtype]
    assert (abs(y - value(exact)) <= allowed * value(exact)).all()
    kept = np.finfo(dtype).eps * (x > 0) if name == "Sigmoid" else 0
    assert (abs(dx - slope(exact)) <= allowed * slope(exact) + kept).all()


@pytest.mark.parametrize("dtype", RELATIVE)
def test_losses_slopes_keep_their_digits(dtype, backend_name):
    """σ itself, by which the losses on logits are differentiated, at both ends."""
    x = WIDE.astype(dtype).reshape(-1, 1)
    exact = x.astype(np.longdouble)
    expected = np.where(x < 0, np.exp(-abs(exact)), 1) / (1 + np.exp(-abs(exact)))
    assert (abs(sigmoid(np, x) - expected) <= RELATIVE[dtype] * expected).all()
    for objective in (Minimax(backend=backend_name), NonSaturating(backend=backend_name)):
        loss, d_real, d_fake = objective.discriminator(-x, x)
        for found in (-d_real, d_fake):
            assert (abs(found * len(x) - expected) <= RELATIVE[dtype] * expected).all()
        assert loss.dtype == dtype


@pytest.mark.parametrize("slope", [0, 0.0, 0.2])
def test_infinity_has_its_limit(slope, backend_name):
    """0 · ∞ would be NaN."""
    network = Sequential([LeakyReLU(slope)], (3,), rng=0, backend=backend_name)
    x = np.array([[np.inf, -np.inf, np.nan]], "float32")
    y, caches = network.forward(x)
    np.testing.assert_array_equal(y, [[np.inf, -np.inf if slope else 0, np.nan]])
    dx = network.backward(np.ones_like(x), caches)
    np.testing.assert_array_equal(dx[:, :2], np.array([[1, slope]], "float32"))
