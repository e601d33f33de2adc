"""Activations: one nonlinear function f, applied to every number by itself.

    y = f(x),    dx = dy · f'(x),    and for the second derivative u_dy = u · f'(x),
                                     u_x = u · dy · f''(x)

Every f here is increasing, so that its derivatives can be told from its output: y is all that the
cache holds, and the next layer keeps it anyway. At their kinks, the derivative of ReLU is taken as
0 and that of leaky ReLU as its slope, as elsewhere in the field.
"""

from minigan.checks import check_number
from minigan.layers.layer import Layer

__all__ = ["Activation", "LeakyReLU", "ReLU", "Sigmoid", "Softplus", "Tanh", "sigmoid", "softplus"]


class Activation(Layer):
    """y = f(x), any shape. The cache is y."""


class ReLU(Activation):
    """f(x) = max(x, 0),   f' = 1 where y > 0, else 0,   f'' = 0."""

    def forward(self, x, train):
        y = self.backend.xp.maximum(x, 0)
        return y, y

    def backward(self, dy, y):
        return dy * (y > 0)

    def double_backward(self, u, dy, y):
        return u * (y > 0), None


class LeakyReLU(Activation):
    """f(x) = max(x, s x),   f' = 1 where y > 0, else s,   f'' = 0,   with 0 ≤ s < 1.

    A discriminator's usual choice: a unit that is off still passes a gradient to the generator.
    """

    def __init__(self, negative_slope=0.2):
        self.negative_slope = check_number("negative_slope", negative_slope, 0, 1, high_open=True)

    def forward(self, x, train):
        below = self.negative_slope * x if self.negative_slope else 0  # 0 · ∞ would be NaN
        y = self.backend.xp.maximum(x, below)
        return y, y

    def backward(self, dy, y):
        return dy * self.backend.xp.maximum(y > 0, y.dtype.type(self.negative_slope))

    def double_backward(self, u, dy, y):
        return self.backward(u, y), None

    def describe(self):
        return f"{self.negative_slope:g}"


class Tanh(Activation):
    """f(x) = tanh x,   f' = 1 − y²,   f'' = −2 y (1 − y²).

    A generator's last layer for images in [−1, 1].
    """

    def forward(self, x, train):
        y = self.backend.xp.tanh(x)
        return y, y

    def backward(self, dy, y):
        return dy * (1 - y * y)

    def double_backward(self, u, dy, y):
        return u * (1 - y * y), u * dy * (-2 * y * (1 - y * y))


class Sigmoid(Activation):
    """f(x) = 1 / (1 + e⁻ˣ),   f' = y (1 − y),   f'' = y (1 − y) (1 − 2y).

    Not for the end of a discriminator: objectives take logits, so that no log meets a zero.
    """

    def forward(self, x, train):
        y = sigmoid(self.backend.xp, x)
        return y, y

    def backward(self, dy, y):
        return dy * (y * (1 - y))

    def double_backward(self, u, dy, y):
        return u * (y * (1 - y)), u * dy * (y * (1 - y) * (1 - 2 * y))


class Softplus(Activation):
    """f(x) = log(1 + eˣ),   f' = 1 − e⁻ʸ,   f'' = e⁻ʸ (1 − e⁻ʸ).

    A smooth ReLU. 1 − e⁻ʸ is written −expm1(−y), which keeps every digit where y is tiny.
    """

    def forward(self, x, train):
        y = softplus(self.backend.xp, x)
        return y, y

    def backward(self, dy, y):
        return dy * -self.backend.xp.expm1(-y)

    def double_backward(self, u, dy, y):
        xp = self.backend.xp
        return u * -xp.expm1(-y), u * dy * (xp.exp(-y) * -xp.expm1(-y))


def softplus(xp, x):
    """log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|): nothing overflows, and no digit is lost."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-abs(x)))


def sigmoid(xp, x):
    """1 / (1 + e⁻ˣ) = e^min(x, 0) / (1 + e^−|x|): the derivative of softplus, likewise."""
    return xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-abs(x)))
