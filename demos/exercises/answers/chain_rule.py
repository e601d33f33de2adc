"""Exercise 5, the chain rule: hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.observation import GRADIENT_TWISTS, chosen, rounded
from minigan.layers.network import Caches

exercise = Exercise(Sequential=minigan.Sequential)
exercise.hints = (
    "Write a network of two layers out: h = f₁(x), y = f₂(h). Who can turn ∂L/∂y into ∂L/∂h? What "
    "is ∂L/∂h for f₁?",
    "What a layer gets from `backward` is the gradient with respect to its input, and that is the "
    "output of the layer before it. So go from the last layer to the first, caches likewise. A "
    "layer's own gradients need the dy of its output: what it was before its own `backward`.",
    "for layer, cache in zip(reversed(self.layers), reversed(caches)): here, dy becomes "
    "layer.backward(dy, cache). For the gradients, the same loop, with one line more before that.",
)


def prepare(its, draw, twist):
    """A network of five layers of one width, and a batch for it."""
    width = draw.inputs
    layers = [minigan.Dense(width, width) if k % 2 == 0 else minigan.Tanh() for k in range(5)]
    network = its.Sequential(layers, (width,), rng=0, dtype="float64", backend="reference")
    network.parameters[...] = draw.normal(network.parameters.size)
    return network, rounded(draw.normal(draw.batch, width), twist == "x in float32")


def observe_forward(its, draw, twist):
    network, x = prepare(its, draw, twist)
    given = x.copy()
    y, caches = network.forward(given)
    if len(caches) != len(network.layers):
        raise ValueError(f"caches: expected {len(network.layers)}, got {len(caches)}")
    return {"y": chosen(y, twist), "x afterwards": given}


def open_pass(its, draw, twist):
    """Two forward passes; the network, dy for the first, and its caches."""
    network, x = prepare(its, draw, twist)
    y, caches = network.forward(x.copy())
    _, later = network.forward(draw.normal(*x.shape))
    dy = chosen(rounded(draw.normal(*y.shape), twist == "dy in float32"), twist)
    return network, dy, later if twist == "stale" else caches


def observe_backward(its, draw, twist):
    network, dy, caches = open_pass(its, draw, twist)
    before = network.gradients[...] = draw.normal(network.gradients.size)
    given = dy.copy()
    seen = {"dx": np.copy(network.backward(given, caches)), "dy afterwards": given}
    seen["dx, a second time"] = network.backward(dy.copy(), caches)
    return seen | {"parameters' gradients afterwards": network.gradients - before}


def observe_gradients(its, draw, twist):
    network, dy, caches = open_pass(its, draw, twist)
    network.zero_gradients()
    network.add_gradients(dy.copy(), caches)
    seen, before = {"gradients": network.gradients.copy()}, draw.normal(network.gradients.size)
    network.gradients[...] = before * (twist != "set")
    network.add_gradients(dy.copy(), caches)
    return seen | {"gradients, added to others": network.gradients.copy()}


needs = ("Sequential.forward",)
forward = exercise.part("Sequential.forward", observe_forward)
backward = exercise.part(
    "Sequential.backward", observe_backward, needs=needs, twists=GRADIENT_TWISTS
)
add_gradients = exercise.part(
    "Sequential.add_gradients", observe_gradients, needs=needs, twists=GRADIENT_TWISTS
)


@forward.mistake
def input_for_all(self, x, train=True):
    """every layer was given the network's x, instead of the output of the layer before."""
    passes = [layer.forward(x, train) for layer in self.layers]
    caches = Caches(cache for _, cache in passes)
    caches.count = len(x)
    return passes[-1][0], caches


@forward.mistake
def the_other_way(self, x, train=True):
    """the layers were run from the last to the first."""
    caches = Caches()
    for layer in reversed(self.layers):
        x, cache = layer.forward(x, train)
        caches.append(cache)
    caches.count = len(x)
    return x, caches


@backward.mistake
def from_the_first(self, dy, caches):
    """the layers were run from the first to the last: the gradient starts at the output."""
    for layer, cache in zip(self.layers, caches, strict=True):
        dy = layer.backward(dy, cache)
    return dy


@backward.mistake
def caches_not_reversed(self, dy, caches):
    """the caches are not reversed: each layer got that of another."""
    for layer, cache in zip(reversed(self.layers), caches, strict=True):
        dy = layer.backward(dy, cache)
    return dy


@backward.mistake
def not_chained(self, dy, caches):
    """every layer was given the dy of the network's output, instead of what the next one gave."""
    return self.layers[0].backward(dy, caches[0])


@backward.mistake
def stops_early(self, dy, caches):
    """it stops before the first layer: that is the gradient with respect to its output."""
    for layer, cache in zip(self.layers[:0:-1], caches[:0:-1], strict=True):
        dy = layer.backward(dy, cache)
    return dy


@add_gradients.mistake
def last_layer_alone(self, dy, caches):
    """only the last layer's gradients are there."""
    self.layers[-1].add_gradients(dy, caches[-1])


@add_gradients.mistake
def same_dy(self, dy, caches):
    """every layer was given the dy of the network's output, instead of what the next one gave."""
    for layer, cache in zip(self.layers, caches, strict=True):
        layer.add_gradients(dy, cache)


@add_gradients.mistake
def one_too_late(self, dy, caches):
    """a layer's own gradients come from the dy of its output, not from its dx."""
    for layer, cache in zip(reversed(self.layers), reversed(caches), strict=True):
        dy = layer.backward(dy, cache)
        layer.add_gradients(dy, cache)


@add_gradients.mistake
def caches_of_others(self, dy, caches):
    """the caches are not reversed: each layer got that of another."""
    for layer, cache in zip(reversed(self.layers), caches, strict=True):
        layer.add_gradients(dy, cache)
        dy = layer.backward(dy, cache)


@add_gradients.mistake
def first_forgotten(self, dy, caches):
    """the first layer's gradients are missing."""
    for layer, cache in zip(self.layers[:0:-1], caches[:0:-1], strict=True):
        layer.add_gradients(dy, cache)
        dy = layer.backward(dy, cache)
