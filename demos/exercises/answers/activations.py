"""Exercise 3, activations: hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.observation import layer_parts

exercise = Exercise(ReLU=minigan.ReLU, LeakyReLU=minigan.LeakyReLU, Tanh=minigan.Tanh)
exercise.hints = (
    "The chain rule for one number: ∂L/∂x = ∂L/∂y · ∂y/∂x. What is ∂y/∂x to the left and to the "
    "right of 0? For tanh, differentiate the quotient; which known quantity do you recognise?",
    "ReLU's derivative is 1 or 0, that of leaky ReLU 1 or s, and y > 0 exactly where x > 0. tanh's "
    "derivative is ((eˣ + e⁻ˣ)² − (eˣ − e⁻ˣ)²) / (eˣ + e⁻ˣ)²: divide term by term.",
    "dx = dy · f'. f' is (y > 0) for ReLU, np.where(y > 0, 1, s) for leaky ReLU, and 1 minus "
    "something of y for tanh.",
)


def builder(name, *arguments):
    def build(its, draw):
        return getattr(its, name)(*arguments), draw.normal(draw.batch, draw.inputs)

    return build


relu, relu_back = layer_parts(exercise, "ReLU", builder("ReLU"))
leaky, leaky_back = layer_parts(exercise, "LeakyReLU", builder("LeakyReLU", 0.3))
tanh, tanh_back = layer_parts(exercise, "Tanh", builder("Tanh"))


@relu.mistake
@leaky.mistake
@tanh.mistake
def not_applied(self, x, train):
    """y = x: the function is not applied."""
    return x.copy(), x.copy()


@relu.mistake
@leaky.mistake
def absolute(self, x, train):
    """y = |x|: the left side is turned round."""
    return abs(x), abs(x)


@leaky.mistake
def no_slope(self, x, train):
    """to the left of 0, y is s x, not 0: this is ReLU."""
    return np.maximum(x, 0), np.maximum(x, 0)


@relu.mistake
@leaky.mistake
def wrong_side(self, x, train):
    """the two sides of 0 are exchanged."""
    y = np.minimum(x, getattr(self, "negative_slope", 0) * x)
    return y, y


@tanh.mistake
def of_half(self, x, train):
    """that is the sigmoid 1 / (1 + e⁻ˣ): tanh x = 2 σ(2x) − 1."""
    y = 1 / (1 + np.exp(-x))
    return y, y


@relu_back.mistake
@leaky_back.mistake
@tanh_back.mistake
def derivative_forgotten(self, dy, y):
    """dx = dy: the derivative of the activation is forgotten."""
    return dy.copy()


@relu_back.mistake
@leaky_back.mistake
@tanh_back.mistake
def value_for_derivative(self, dy, y):
    """dx = dy · y: that is the value of the activation, not its derivative."""
    return dy * y


@relu_back.mistake
@leaky_back.mistake
def mask_of_dy(self, dy, y):
    """the side of the kink is told by dy: it is the sign of x, or of y, that counts."""
    return dy * np.where(dy > 0, 1, getattr(self, "negative_slope", 0))


@relu_back.mistake
@leaky_back.mistake
def sides_exchanged(self, dy, y):
    """the derivatives to the left and to the right of 0 are exchanged."""
    return dy * np.where(y > 0, getattr(self, "negative_slope", 0), 1)


@leaky_back.mistake
def slope_forgotten(self, dy, y):
    """to the left of 0, the derivative is s, not 0."""
    return dy * (y > 0)


@tanh_back.mistake
def pre_activation(self, dy, y):
    """1 − x²: the pre-activation x stands where the output y belongs."""
    return dy * (1 - np.arctanh(y) ** 2)


@tanh_back.mistake
def applied_twice(self, dy, y):
    """1 − tanh² y: y is tanh x already."""
    return dy * (1 - np.tanh(y) ** 2)


@tanh_back.mistake
def square_forgotten(self, dy, y):
    """1 − y: the square is forgotten."""
    return dy * (1 - y)


@tanh_back.mistake
def of_the_sigmoid(self, dy, y):
    """y (1 − y) is the derivative of the sigmoid."""
    return dy * y * (1 - y)


@relu_back.mistake
@leaky_back.mistake
def without_dy(self, dy, y):
    """dx = f': dy is missing."""
    return np.where(y > 0, 1.0, getattr(self, "negative_slope", 0))


@tanh_back.mistake
def tanh_without_dy(self, dy, y):
    """dx = f': dy is missing."""
    return 1 - y * y
