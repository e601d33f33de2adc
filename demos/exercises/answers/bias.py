"""Exercise 2, a bias: solution, hints, and the classic mistakes."""

import minigan
from checker.exercise import Exercise
from checker.observation import layer_parts


class Bias(minigan.Layer):
    """The solution. In the library, a bias is part of its layer."""

    def __init__(self, num_features):
        self.num_features = num_features

    def parameters(self):
        return {"bias": ((self.num_features,), 0)}

    def forward(self, x, train):
        return x + self.bias, None

    def backward(self, dy, cache):
        return dy.copy()

    def add_gradients(self, dy, cache):
        self.dbias += dy.sum(axis=0)


exercise = Exercise(Bias=Bias)
exercise.hints = (
    "If b[c] grows by 0.01, which numbers of y grow, and by how much each?",
    "L grows by dy[n, c] for each y[n, c] that grows by 1, and b[c] moves y[n, c] for all n.",
    "What is broadcast going forward is summed going back: db is the sum of dy over the axis that "
    "b does not have. And dx is dy.",
)


def build(its, draw):
    return its.Bias(draw.inputs), draw.normal(draw.batch, draw.inputs)


shown = {
    "forward": (minigan.Dense.forward,),
    "add_gradients": (minigan.Dense.add_gradients,),
    "backward": (Bias.backward,),
}
forward, backward, add_gradients = layer_parts(exercise, "Bias", build, ["dbias"], shown)


@forward.mistake
def forgotten(self, x, train):
    """y = x: the bias is missing."""
    return x.copy(), None


@forward.mistake
def subtracted(self, x, train):
    """y = x − b: the bias has the wrong sign."""
    return x - self.bias, None


@backward.mistake
def times_the_bias(self, dy, cache):
    """dx = dy · b: b is added to x, not multiplied, so it is not in ∂y/∂x."""
    return dy * self.bias


@add_gradients.mistake
def wrong_axis(self, dy, cache):
    """db is summed over the features instead of the batch: the wrong axis."""
    self.dbias += dy.sum(axis=1)


@add_gradients.mistake
def all_axes(self, dy, cache):
    """db is summed over everything: each feature has a gradient of its own."""
    self.dbias += dy.sum()
