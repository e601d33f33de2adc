"""Activation functions: value, first and second derivative, both derivatives by the output y.

Every function here is increasing, so its derivatives can be told from its output alone, and a
layer needs to keep only y = f(x), which the next layer keeps anyway:

    function     f(x)             f'(x)            f''(x)
    identity     x                1                0
    relu         max(x, 0)        [y > 0]          0
    leaky_relu   max(x, s·x)      1 or s by y > 0  0
    tanh         tanh x           1 − y²           −2 y (1 − y²)
    sigmoid      1/(1 + e⁻ˣ)      y (1 − y)        y (1 − y)(1 − 2y)
    softplus     log(1 + eˣ)      1 − e⁻ʸ          e⁻ʸ (1 − e⁻ʸ)

At its kink, ReLU's derivative is taken as 0 and leaky ReLU's as s, as elsewhere in the field.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["ACTIVATIONS", "Activation"]


class Activation(NamedTuple):
    """value(x, slope, out), derivative(y, slope, out), second(y, slope, out); out is written."""

    value: callable
    derivative: callable
    second: callable


def _no_curvature(y, slope, out):
    out.fill(0)
    return out


def _identity(x, slope, out):
    if out is not x:
        np.copyto(out, x)
    return out


def _identity_derivative(y, slope, out):
    out.fill(1)
    return out


def _relu(x, slope, out):
    # np.maximum with a scalar is not vectorized; with an array of zeros, filling them included, it
    # takes a quarter of its time for small arrays and half for large ones
    zeros = np.empty_like(x) if out is x else out
    zeros.fill(0)
    return np.maximum(x, zeros, out=out)


def _relu_derivative(y, slope, out):
    # a mask of ones and zeros to multiply by: twice as fast as np.where
    return np.greater(y, 0, out=out, casting="unsafe")


def _leaky_relu(x, slope, out):
    if out is x:
        return np.maximum(x, x * x.dtype.type(slope), out=out)
    np.multiply(x, slope, out=out)
    return np.maximum(x, out, out=out)


def _leaky_relu_derivative(y, slope, out):
    # [y > 0] (1 − s) + s: a third of the time of np.maximum(mask, s)
    np.greater(y, 0, out=out, casting="unsafe")
    np.multiply(out, 1 - slope, out=out)
    return np.add(out, slope, out=out)


def _tanh(x, slope, out):
    return np.tanh(x, out=out)


def _tanh_derivative(y, slope, out):
    np.multiply(y, y, out=out)
    return np.subtract(1, out, out=out)


def _tanh_second(y, slope, out):
    return np.multiply(_tanh_derivative(y, slope, out), -2 * y, out=out)


def _sigmoid(x, slope, out):
    # through tanh, which cannot overflow: σ(x) = (1 + tanh(x/2)) / 2
    np.multiply(x, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    return np.add(out, 0.5, out=out)


def _sigmoid_derivative(y, slope, out):
    np.subtract(1, y, out=out)
    return np.multiply(y, out, out=out)


def _sigmoid_second(y, slope, out):
    return np.multiply(_sigmoid_derivative(y, slope, out), 1 - 2 * y, out=out)


def _softplus(x, slope, out):
    # max(x, 0) + log1p(e^−|x|): nothing overflows, no digit is lost, and a NaN passes quietly.
    # np.logaddexp(x, 0) is the same function, but not vectorized, and warns of a NaN
    rest = np.abs(x)
    np.negative(rest, out=rest)
    np.exp(rest, out=rest)
    np.log1p(rest, out=rest)
    return np.add(np.maximum(x, 0, out=out), rest, out=out)


def _softplus_derivative(y, slope, out):
    # expm1 keeps every digit where y, and with it the derivative, is tiny
    np.negative(y, out=out)
    np.expm1(out, out=out)
    return np.negative(out, out=out)


def _softplus_second(y, slope, out):
    return np.multiply(_softplus_derivative(y, slope, out), np.exp(-y), out=out)


ACTIVATIONS = {
    "identity": Activation(_identity, _identity_derivative, _no_curvature),
    "relu": Activation(_relu, _relu_derivative, _no_curvature),
    "leaky_relu": Activation(_leaky_relu, _leaky_relu_derivative, _no_curvature),
    "tanh": Activation(_tanh, _tanh_derivative, _tanh_second),
    "sigmoid": Activation(_sigmoid, _sigmoid_derivative, _sigmoid_second),
    "softplus": Activation(_softplus, _softplus_derivative, _softplus_second),
}
