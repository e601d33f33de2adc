"""Exercise 5: the chain rule. 20 minutes.

A network is layers one after another: the output of each is the input of the next.

    y = fₙ(… f₂(f₁(x)))

Each layer can do three things, and you have written them for some:

    y, cache = layer.forward(x, train)       going forward
    dx = layer.backward(dy, cache)           ∂L/∂(its input), from ∂L/∂(its output)
    layer.add_gradients(dy, cache)           ∂L/∂(its parameters), from ∂L/∂(its output)

Question: the network is given dy = ∂L/∂y, for its last output. What is "dy" for the layer before
the last one? In which order do the layers get theirs, and which cache belongs to whom?

    given       x, then dy with the shape of y
    to find     y and the caches;  dx with the shape of x;  all layers' gradients

A player that stands still is asked for `backward` alone. So that must touch no gradients.
"""

import numpy as np

import minigan
from checker import check
from minigan.layers.network import Caches


class Sequential(minigan.Sequential):
    """The layers are self.layers, from the first to the last."""

    def forward(self, x, train=True):
        """y, and a list with the cache of each layer."""
        caches = Caches()
        y = ...
        caches.count = len(y)  # N, by which the library checks the gradients that come back
        return y, caches

    def backward(self, dy, caches):
        """dx, the gradient with respect to the network's input."""
        dx = ...
        return dx

    def add_gradients(self, dy, caches):
        """Let every layer add to the gradients of its parameters."""
        ...


if __name__ == "__main__":
    check(__file__)
