"""Exercise 13, double backward: hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.observation import bound, returned, rounded

exercise = Exercise(Dense=minigan.Dense, Tanh=minigan.Tanh)
exercise.hints = (
    "Forget where dx = dy Wᵀ comes from. It is a product of two matrices, like y = x W: who plays "
    "the role of x there, who that of W, and who that of dy?",
    "dx is a product of dy and Wᵀ, so that u goes back to dy through W, and ∂P/∂W is a product of "
    "u and dy over the batch. For tanh, dx is a product of two factors: dy, and 1 − y², which "
    "depends on x with the derivative −2 y (1 − y²).",
    "Dense: dweight += u transposed times dy, u_dy = u W, u_x = None. Tanh: u_dy = u (1 − y²), "
    "and u_x = u · dy · (the derivative in hint 2).",
)


def observer(build):
    def observe(its, draw, twist):
        layer = build(its, draw)
        network = bound([layer], draw, (draw.inputs,))
        y, cache = layer.forward(draw.normal(draw.batch, draw.inputs), True)
        u = rounded(draw.normal(draw.batch, draw.inputs), twist == "u in float32")
        dy = rounded(draw.normal(*y.shape), twist == "dy in float32")
        given, before = dy.copy(), draw.normal(network.gradients.size)
        network.zero_gradients()
        u_dy, u_x = returned(layer.double_backward(u.copy(), given, cache), "u_dy, u_x")
        seen = {"u_dy": u_dy, "u_x": np.zeros_like(u) if u_x is None else u_x}
        seen["dy afterwards"] = given
        if before.size:
            seen["dweight"] = layer.dweight.copy()
            network.gradients[...] = before
            layer.double_backward(u.copy(), dy.copy(), cache)
            seen["dweight, added to others"] = layer.dweight.copy()
        return seen

    return observe


TWISTS = {
    "u in float32": "u is rounded to float32 in between",
    "dy in float32": "dy is rounded to float32 in between",
}
dense = exercise.part(
    "Dense.double_backward",
    observer(lambda its, draw: its.Dense(draw.inputs, draw.outputs, bias=False)),
    twists=TWISTS,
)
tanh = exercise.part("Tanh.double_backward", observer(lambda its, draw: its.Tanh()), twists=TWISTS)


def second(y):
    """f'' of tanh."""
    return -2 * y * (1 - y * y)


@dense.mistake
def transposed(self, u, dy, x):
    """it is transposed: W has the shape (I, O), u is (N, I) and dy (N, O)."""
    self.dweight += dy.T.dot(u)
    return u.dot(self.weight.T), None


@dense.mistake
def x_for_u(self, u, dy, x):
    """x stands where u belongs: dx = dy Wᵀ does not depend on x."""
    self.dweight += x.T.dot(dy)
    return x.dot(self.weight), None


@dense.mistake
def x_for_dy(self, u, dy, x):
    """x stands where dy belongs: dx = dy Wᵀ does not depend on x."""
    self.dweight += u.T.dot(x)
    return u.dot(self.weight), None


@dense.mistake
def as_if_it_depended_on_x(self, u, dy, x):
    """dx = dy Wᵀ does not depend on x: u_x is zero, None."""
    self.dweight += u.T.dot(dy)
    return u.dot(self.weight), dy.dot(self.weight.T)


@dense.mistake
def sets(self, u, dy, x):
    """it sets the gradient (=) instead of adding to it (+=)."""
    self.dweight[...] = u.T.dot(dy)
    return u.dot(self.weight), None


@tanh.mistake
def piecewise_linear(self, u, dy, y):
    """u_x is not zero: the derivative of tanh changes with x."""
    return u * (1 - y * y), None


@tanh.mistake
def inner_derivative_forgotten(self, u, dy, y):
    """−2 y alone: y depends on x, too, with the derivative 1 − y²."""
    return u * (1 - y * y), u * dy * (-2 * y)


@tanh.mistake
def without_dy(self, u, dy, y):
    """dy is forgotten: dx is dy times 1 − y², and only the second factor depends on x."""
    return u * (1 - y * y), u * second(y)


@tanh.mistake
def without_u(self, u, dy, y):
    """u is forgotten: it multiplies all that dx depends on."""
    return 1 - y * y, dy * second(y)


@tanh.mistake
def first_for_second(self, u, dy, y):
    """the first derivative stands where the second belongs."""
    return u * (1 - y * y), u * dy * (1 - y * y)


@tanh.mistake
def second_for_first(self, u, dy, y):
    """u_dy has the second derivative: dx = dy (1 − y²) is linear in dy."""
    return u * second(y), u * dy * second(y)


@tanh.mistake
def through_twice(self, u, dy, y):
    """u_dy = u · dy · f': dx = dy f' is linear in dy, so its derivative is f' alone."""
    return u * dy * (1 - y * y), u * dy * second(y)


@tanh.mistake
def unchanged(self, u, dy, y):
    """u_dy = u: the derivative of the activation is forgotten."""
    return u.copy(), u * dy * second(y)
