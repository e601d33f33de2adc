"""Exercise 5, the chain rule: hints, and the classic mistakes."""

import minigan
from checker.exercise import Exercise
from checker.observation import layer_parts
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


def build(its, draw):
    """A network of five layers of one width, and a batch for it."""
    width = draw.inputs
    layers = [minigan.Dense(width, width) if k % 2 == 0 else minigan.Tanh() for k in range(5)]
    network = its.Sequential(layers, (width,), rng=0, dtype="float64", backend="reference")
    network.parameters[...] = draw.normal(network.parameters.size)
    return network, draw.normal(draw.batch, width)


forward, backward, add_gradients = layer_parts(exercise, "Sequential", build, "gradients")


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
