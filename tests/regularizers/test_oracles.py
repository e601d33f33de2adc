"""The penalties against oracles that know nothing of backward passes.

A critic's forward pass written out in plain NumPy, whose gradient in x comes from finite
differences and whose gradient in the weights from a complex step; closed forms; and SciPy.
"""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from minigan import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    Dense,
    Flatten,
    LayerNorm,
    LeakyReLU,
    OneSidedPenalty,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
)

FORMULA = {  # for complex numbers too
    LeakyReLU: lambda a: np.where(a.real > 0, a, 0.2 * a),
    Tanh: np.tanh,
    Softplus: lambda a: np.log(1 + np.exp(a)),
    Sigmoid: lambda a: 1 / (1 + np.exp(-a)),
}


def plain_critic(w, x, f):
    """Dense(3, 4), LayerNorm(4), f, Dense(4, 2), f, Dense(2, 1) from the flat parameters w."""
    sizes, parts = (12, 4, 4, 4, 8, 2, 2, 1), []
    for size in sizes:
        parts.append(w[:size])
        w = w[size:]
    w1, b1, gamma, beta, w2, b2, w3, b3 = parts
    a = x @ w1.reshape(3, 4) + b1
    centred = a - a.mean(axis=1, keepdims=True)
    a = gamma * centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) + beta
    return f(f(a) @ w2.reshape(4, 2) + b2) @ w3 + b3[0]


def plain_gradient(w, x, f, h=2e-3):
    """∂D/∂x by central differences of order 6."""
    columns = []
    for e in np.eye(x.shape[1]):
        d = [
            plain_critic(w, x + k * h * e, f) - plain_critic(w, x - k * h * e, f) for k in (1, 2, 3)
        ]
        columns.append((45 * d[0] - 9 * d[1] + d[2]) / (60 * h))
    return np.stack(columns, axis=1)


def test_second_oracle(activation, penalty, critic, batches, points_of, rho):
    act, f = activation, FORMULA[activation]
    network = critic([Dense(3, 4), LayerNorm(4), act(), Dense(4, 2), act()], (3,), 8)
    regularizer = penalty(3.0)
    real, fake = batches((3,), 5, seed=9)
    points = points_of(regularizer, real, fake)

    def value(w):
        g = plain_gradient(w, points, f)
        return 3.0 * rho(penalty, np.sqrt((g**2).sum(axis=1))).mean()

    found = regularizer.penalize(network, real, fake, np.random.default_rng(4))
    assert found == pytest.approx(value(network.parameters), 1e-8)
    steps = 1e-30j * np.eye(network.parameters.size)
    exact = np.array([value(network.parameters + step).imag / 1e-30 for step in steps])
    error = abs(network.gradients - exact).max() / abs(exact).max()
    assert error < 1e-6


def test_closed_form_of_a_tiny_critic(penalty, randomized, batches, points_of, rho):
    """D = tanh(x W + b) v: g = W (v · (1 − tanh²)), and SciPy differentiates the penalty."""
    network = randomized([Dense(2, 3), Tanh(), Dense(3, 1)], (2,), 3)
    real, fake = batches((2,))
    regularizer = penalty(2.0)
    points = points_of(regularizer, real, fake)

    def value(w):
        W, b, v = w[:6].reshape(2, 3), w[6:9], w[9:12]
        g = (v * (1 - np.tanh(points @ W + b) ** 2)) @ W.T
        return 2 * rho(penalty, np.sqrt((g**2).sum(axis=1))).mean()

    found = regularizer.penalize(network, real, fake, np.random.default_rng(4))
    assert found == pytest.approx(value(network.parameters), 1e-12)
    numerical = approx_fprime(network.parameters, value)
    np.testing.assert_allclose(network.gradients, numerical, atol=1e-6 * abs(numerical).max())


LINEAR = {  # D(x) = ⟨w, x⟩ has the gradient w everywhere: penalty and its derivative by ‖w‖
    WGANGP: lambda n: ((n - 1) ** 2, 2 * (n - 1)),
    OneSidedPenalty: lambda n: (max(n - 1, 0) ** 2, 2 * max(n - 1, 0)),
    DRAGAN: lambda n: ((n - 1) ** 2, 2 * (n - 1)),
    R1: lambda n: (n * n / 2, n),
    R2: lambda n: (n * n / 2, n),
}


@pytest.mark.parametrize("length", [0.3, 1.0, 2.5])
def test_linear_critic(penalty, length, batches):
    network = Sequential([Flatten(), Dense(12, 1)], (2, 3, 2), rng=0, dtype="float64")
    w = network.named_parameters()["1.weight"]
    w *= length / np.linalg.norm(w)
    found = penalty(7.0).penalize(network, *batches((2, 3, 2)), np.random.default_rng(0))
    value, slope = LINEAR[penalty](length)
    assert found == pytest.approx(7 * value, abs=1e-12)
    gradient = network.named_gradients()["1.weight"]
    np.testing.assert_allclose(gradient, 7 * slope * w / length, atol=1e-12)
