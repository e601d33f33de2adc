"""Exercise 12: Adam. 15 minutes.

The gradient g of a loss says which way is up. Adam goes down in steps that are all about as long as
the learning rate lr, whatever the size of g, by two running averages for every parameter w:

    m = β₁ m + (1 − β₁) g          the mean of the last gradients
    v = β₂ v + (1 − β₂) g²         the mean of their squares

Both begin at 0, and so are too small at first. In step t (1, 2, ...), m holds the last t gradients
with weights whose sum is 1 − β₁ᵗ; so it is divided by that, and v by ?. With these, m̂ and v̂,

    w = w − lr · m̂ / (√v̂ + eps)

(Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.)

Questions: what is the first step, if g is 0.001? If it is 1,000? And without the two divisions, for
β₁ = 0.5 and β₂ = 0.999?

    w, g, m, v: vectors with one number for every parameter of the network

w, m and v are views of what the network and its checkpoints hold: change them where they are.
`m = ...` would make a new vector of that name; `m[...] = ` and `w -= ` write into the old one.
"""

import numpy as np

import minigan
from checker import check


class Adam(minigan.Adam):
    """In the optimizer: self.beta1, self.beta2, self.eps."""

    def update(self, w, g, lr):
        """Change w, m and v for the gradient g. t is the number of this update, from 1."""
        m, v, t = self.state["mean"], self.state["square"], self.steps
        ...


if __name__ == "__main__":
    check(__file__)
