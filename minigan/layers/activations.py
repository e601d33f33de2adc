"""Activations: one nonlinear function, applied to every number by itself.

The chain rule for y = f(x) is dx = dy · f'(x). Every function here lets f'(x) be told from y
(see `backend/numpy_activations.py` for the formulas), so y is all that the cache holds.
"""

from minigan.checks import check_number
from minigan.layers.base import Layer

__all__ = ["LeakyReLU", "ReLU", "Sigmoid", "Softplus", "Tanh"]


class Activation(Layer):
    """y = f(x), any shape; subclasses name f."""

    samplewise = True
    function = None
    slope = 0.0
    piecewise_linear = False

    def forward(self, x, train):
        """y = f(x)."""
        y = self.backend.bias_activation(x, None, self.function, self.slope)
        return y, y

    def backward(self, dy, y, parameter_gradients=True, input_gradient=True, accumulate=True):
        """dx = dy · f'(x)."""
        return self.backend.activation_gradient(dy, y, self.function, self.slope)

    def double_backward(self, u, dy, y):
        """u_dy = u · f'(x);  u_x = u · dy · f''(x), which piecewise linear functions lack."""
        u_dy = self.backend.activation_gradient(u, y, self.function, self.slope)
        if self.piecewise_linear:
            return u_dy, None
        return u_dy, self.backend.activation_curvature(u, dy, y, self.function)


class ReLU(Activation):
    """f(x) = max(x, 0);  f'(x) = 1 where x > 0, else 0."""

    function = "relu"
    piecewise_linear = True


class LeakyReLU(Activation):
    """f(x) = max(x, s x);  f'(x) = 1 where x > 0, else s, with 0 <= s < 1.

    A discriminator's usual choice: a unit that is off still passes a gradient to the generator.
    """

    function = "leaky_relu"
    piecewise_linear = True

    def __init__(self, negative_slope=0.2):
        self.slope = check_number("negative_slope", negative_slope, 0, 1, high_open=True)

    def describe(self):
        return f"{self.slope:g}"


class Tanh(Activation):
    """f(x) = tanh x;  f'(x) = 1 − y². A generator's last layer for images in [−1, 1]."""

    function = "tanh"


class Sigmoid(Activation):
    """f(x) = 1 / (1 + e⁻ˣ);  f'(x) = y (1 − y).

    Not for the end of a discriminator: objectives take logits, so that no log meets a zero.
    """

    function = "sigmoid"


class Softplus(Activation):
    """f(x) = log(1 + eˣ);  f'(x) = 1 − e⁻ʸ = 1 / (1 + e⁻ˣ). A smooth ReLU."""

    function = "softplus"
