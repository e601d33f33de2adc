"""Exercise 3: ReLU, leaky ReLU and tanh. 20 minutes.

An activation applies one function f to every number by itself. Without it, ten dense layers would
be no more than one.

    ReLU          f(x) = x where x > 0,  0 elsewhere
    leaky ReLU    f(x) = x where x > 0,  s x elsewhere,   with a small slope s, such as 0.2
    tanh          f(x) = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)

    x, y, dx, dy: one shape, whatever it is

Question: y[i] depends on x[i] alone. By how much does L grow per unit of x[i]? For tanh: can you
write the derivative with y alone, so that the layer need not remember x? And can you tell from y
alone on which side of its kink a leaky ReLU was?

    given       dy = ∂L/∂y
    to find     dx = ∂L/∂x, from dy and y

At its kink, ReLU has no derivative. Take 0 there, and s for the leaky one, as everybody does.
"""

import numpy as np

import minigan
from checker import check


class ReLU(minigan.ReLU):
    def forward(self, x, train):
        y = ...
        return y, y

    def backward(self, dy, y):
        dx = ...
        return dx


class LeakyReLU(minigan.LeakyReLU):
    """s is self.negative_slope."""

    def forward(self, x, train):
        y = ...
        return y, y

    def backward(self, dy, y):
        dx = ...
        return dx


class Tanh(minigan.Tanh):
    def forward(self, x, train):
        y = ...
        return y, y

    def backward(self, dy, y):
        dx = ...
        return dx


if __name__ == "__main__":
    check(__file__)
