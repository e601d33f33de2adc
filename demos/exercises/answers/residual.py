"""Exercise 6, a residual connection: solution, hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.observation import GRADIENT_TWISTS, VALUE_TWISTS, bound, chosen, rounded


def forward(f, x, train):
    y, caches = f.forward(x, train)
    return x + y, caches


def backward(f, dy, caches):
    return dy + f.backward(dy, caches)


def add_gradients(f, dy, caches):
    f.add_gradients(dy, caches)


exercise = Exercise(forward=forward, backward=backward, add_gradients=add_gradients)
exercise.hints = (
    "Let f(x) = w x with one weight. By how much does y = x + w x grow per unit of x?",
    "One way leads past f: what arrives at x there? The other leads through f. Where paths meet "
    "going back, what they bring is added.",
    "y is x plus what f gives, the cache is that of f. dx is dy plus what f.backward gives for dy.",
)


def prepare(draw, twist):
    """f, of one width, and a batch for it."""
    width = draw.inputs
    f = bound([minigan.Dense(width, width), minigan.Tanh()], draw, (width,))
    return f, rounded(draw.normal(draw.batch, width), twist == "x in float32")


def open_pass(its, draw, twist):
    """Two forward passes; f, dy for the first, and its cache."""
    f, x = prepare(draw, twist)
    y, cache = its.forward(f, x.copy(), True)
    _, later = its.forward(f, draw.normal(*x.shape), True)
    dy = chosen(rounded(draw.normal(*y.shape), twist == "dy in float32"), twist)
    return f, dy, later if twist == "stale" else cache


def observe_forward(its, draw, twist):
    f, x = prepare(draw, twist)
    given = x.copy()
    y, _ = its.forward(f, given, True)
    return {"y": chosen(y, twist), "x afterwards": given}


def observe_backward(its, draw, twist):
    f, dy, cache = open_pass(its, draw, twist)
    before = f.gradients[...] = draw.normal(f.gradients.size)
    given = dy.copy()
    seen = {"dx": np.copy(its.backward(f, given, cache)), "dy afterwards": given}
    seen["dx, a second time"] = its.backward(f, dy.copy(), cache)
    return seen | {"parameters' gradients afterwards": f.gradients - before}


def observe_gradients(its, draw, twist):
    f, dy, cache = open_pass(its, draw, twist)
    f.zero_gradients()
    its.add_gradients(f, dy.copy(), cache)
    seen, before = {"gradients": f.gradients.copy()}, draw.normal(f.gradients.size)
    f.gradients[...] = before * (twist != "set")
    its.add_gradients(f, dy.copy(), cache)
    return seen | {"gradients, added to others": f.gradients.copy()}


needs = ("forward",)
value = exercise.part("forward", observe_forward, twists=VALUE_TWISTS)
back = exercise.part("backward", observe_backward, needs=needs, twists=GRADIENT_TWISTS)
gradients = exercise.part("add_gradients", observe_gradients, needs=needs, twists=GRADIENT_TWISTS)


@value.mistake
def no_shortcut(f, x, train):
    """y = f(x): x itself is not added."""
    return f.forward(x, train)


@value.mistake
def nothing_through_f(f, x, train):
    """y = x: f(x) is not added."""
    return x.copy(), f.forward(x, train)[1]


@value.mistake
def product(f, x, train):
    """y = x · f(x): the two are added, not multiplied."""
    y, caches = f.forward(x, train)
    return x * y, caches


@back.mistake
def through_f_alone(f, dy, caches):
    """the way past f is missing: L also grows through x itself."""
    return f.backward(dy, caches)


@back.mistake
def past_f_alone(f, dy, caches):
    """the way through f is missing."""
    return dy.copy()


@back.mistake
def multiplied(f, dy, caches):
    """what the two ways bring is multiplied: where paths meet, gradients are added."""
    return dy * f.backward(dy, caches)


@back.mistake
def averaged(f, dy, caches):
    """what the two ways bring is averaged: where paths meet, gradients are added."""
    return (dy + f.backward(dy, caches)) / 2


@gradients.mistake
def of_both_ways(f, dy, caches):
    """f's gradients come from dy alone: y = x + f(x) passes dy on to f as it is."""
    f.add_gradients(dy + f.backward(dy, caches), caches)
