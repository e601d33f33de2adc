"""On the device, too: slopes with every digit that the dtype has, limits at ∞, large gradients."""

import numpy as np
import pytest

from minigan import Adam, Dense, LeakyReLU, RMSProp, Sequential, Sigmoid, Softplus

RELATIVE = {"float32": 1e-6, "float64": 1e-14}
X = np.concatenate([np.linspace(-80, 80, 801), [-17, -20, 1e-30]]).reshape(-1, 1)
dtypes = pytest.mark.parametrize("dtype", RELATIVE)


def slopes(layer, x, device):
    """f(x) and f'(x), on the host."""
    network = Sequential([layer], (1,), rng=0, dtype=x.dtype, backend=device)
    y, caches = network.forward(device.asarray(x))
    return device.to_numpy(y), device.to_numpy(
        network.backward(device.asarray(np.ones_like(x)), caches)
    )


def sigma(x):
    small = np.exp(-abs(x))
    return np.where(x < 0, small, 1) / (1 + small)


@dtypes
def test_slopes_keep_their_digits(dtype, device):
    x = X.astype(dtype)
    exact, allowed = x.astype(np.longdouble), RELATIVE[dtype]
    value = np.maximum(exact, 0) + np.log1p(np.exp(-abs(exact)))
    expected = {
        Softplus: (value, sigma(exact), 0),
        # from y, which above 0 comes close to 1
        Sigmoid: (sigma(exact), sigma(exact) * sigma(-exact), np.finfo(dtype).eps * (x > 0)),
    }
    for layer, (f, slope, kept) in expected.items():
        y, dx = slopes(layer(), x, device)
        assert (abs(y - f) <= allowed * f).all()
        assert (abs(dx - slope) <= allowed * slope + kept).all()


@dtypes
def test_the_losses_slope_keeps_its_digits(dtype, device):
    x = X.astype(dtype)
    logits = device.asarray(x)
    _, *slopes = device.logistic_loss(logits, logits, -1, 1, 0)
    expected = sigma(x.astype(np.longdouble)) / len(x)
    for sign, slope in zip((-1, 1), map(device.to_numpy, slopes), strict=True):
        assert (abs(slope - sign * expected) <= RELATIVE[dtype] * expected).all()


@dtypes
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_infinity_has_its_limit(slope, dtype, device):
    """0 · ∞ would be NaN."""
    x = np.array([[np.inf], [-np.inf], [np.nan]], dtype)
    y, dx = slopes(LeakyReLU(slope), x, device)
    np.testing.assert_array_equal(y, [[np.inf], [-np.inf if slope else 0], [np.nan]])
    np.testing.assert_array_equal(dx[:2], np.array([[1], [slope]], dtype))


@pytest.mark.parametrize("make", [Adam, RMSProp])
def test_a_parameter_moves_on_after_gradients_of_1e19(make, device):
    """Whose square is just within float32: the second moment stays finite."""
    network = Sequential([Dense(2, 2)], (2,), rng=0, backend=device)
    optimizer = make(network, 0.01)
    for size in (1e19, -1e19, 1.8e19):
        before = device.to_numpy(network.parameters)
        network.gradients = device.asarray(np.full(6, size, "float32"))
        optimizer.step()
        assert all(
            np.isfinite(device.to_numpy(vector)).all() for vector in optimizer.state.values()
        )
        moved = device.to_numpy(network.parameters) - before
        assert np.isfinite(moved).all() and moved.any()
