"""Exercise 6: gradients add where paths meet. 15 minutes.

A residual connection leads x past a few layers f, and adds both:

    y = x + f(x)          x, y (N, C)

It has no numbers of its own. f, in the layer self.residual, is a chain like that of exercise 5:

    y, cache = self.residual.forward(x, train)
    dx = self.residual.backward(dy, cache)
    self.residual.add_gradients(dy, cache)

Question: there are two ways from x to y, and so two ways by which a number of x moves the loss. If
both are open at once, by how much does L grow per unit of x?

    given       dy = ∂L/∂y (N, C)
    to find     dx = ∂L/∂x (N, C), and the gradients of f

Then think of a hundred such layers, one after another, and of an f that lets hardly anything
through. What reaches the first of them? (He et al. 2016, arXiv:1512.03385.)
"""

import numpy as np

import minigan
from checker import check


class Residual(minigan.Residual):
    def forward(self, x, train):
        """y, and the cache for the two methods below."""
        y = ...
        cache = ...
        return y, cache

    def backward(self, dy, cache):
        dx = ...
        return dx

    def add_gradients(self, dy, cache):
        """Let f add to the gradients of its parameters."""
        ...


if __name__ == "__main__":
    check(__file__)
