"""Exercise 6, a residual connection: hints, and the classic mistakes."""

import minigan
from checker.exercise import Exercise
from checker.observation import layer_parts

exercise = Exercise(Residual=minigan.Residual)
exercise.hints = (
    "Let f(x) = w x with one weight. By how much does y = x + w x grow per unit of x?",
    "One way leads past f: what arrives at x there? The other leads through f. Where paths meet "
    "going back, what they bring is added.",
    "y is x plus what f gives, the cache is that of f. dx is dy plus what f.backward gives for dy.",
)


def build(its, draw):
    width = draw.inputs
    layer = its.Residual([minigan.Dense(width, width), minigan.Tanh()])
    return layer, draw.normal(draw.batch, width)


method = {name: (getattr(minigan.Residual, name),) for name in ("forward", "backward")}
method["add_gradients"] = (minigan.Residual.add_gradients, minigan.Residual.backpropagate)
value, back, gradients = layer_parts(exercise, "Residual", build, "gradients", method)


@value.mistake
def no_shortcut(self, x, train):
    """y = f(x): x itself is not added."""
    y, caches = self.residual.forward(x, train)
    return y, (caches, [])


@value.mistake
def nothing_through_f(self, x, train):
    """y = x: f(x) is not added."""
    return x.copy(), (self.residual.forward(x, train)[1], [])


@value.mistake
def product(self, x, train):
    """y = x · f(x): the two are added, not multiplied."""
    y, caches = self.residual.forward(x, train)
    return x * y, (caches, [])


@back.mistake
def through_f_alone(self, dy, cache):
    """the way past f is missing: L also grows through x itself."""
    return self.residual.backward(dy, cache[0])


@back.mistake
def past_f_alone(self, dy, cache):
    """the way through f is missing."""
    return dy.copy()


@back.mistake
def multiplied(self, dy, cache):
    """what the two ways bring is multiplied: where paths meet, gradients are added."""
    return dy * self.residual.backward(dy, cache[0])


@gradients.mistake
def of_both_ways(self, dy, cache):
    """f's gradients come from dy alone: y = x + f(x) passes dy on to f as it is."""
    self.residual.add_gradients(dy + self.residual.backward(dy, cache[0]), cache[0])


@gradients.mistake
def of_its_own_input(self, dy, cache):
    """f's gradients come from the dy of its output, not from the dx that leaves it."""
    self.residual.add_gradients(self.residual.backward(dy, cache[0]), cache[0])
