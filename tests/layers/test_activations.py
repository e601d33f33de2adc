"""Activation layers: SciPy's values, any shape, and what happens at the kinks.

Their derivatives are compared with closed forms in tests/backend/test_numpy_backend.py.
"""

import numpy as np
import pytest
from scipy.special import expit

from minigan import LeakyReLU, ReLU, Sequential, Sigmoid, Softplus, Tanh

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
