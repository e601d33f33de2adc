"""Exercise 1: a dense layer, forward and backward. 15 minutes.

A dense layer makes O numbers of I numbers: each output is a weighted sum of all inputs. For a batch
of N samples, the rows of x, that is one product of matrices:

    y = x W            x (N, I),  W (I, O),  y (N, O)

A loss L is one number that depends on y, and somebody has told us dy = ∂L/∂y: by how much L grows
per unit of each number in y.

Question: by how much does L grow per unit of each number in x, and of each weight?

    given       dy (N, O)
    to find     dx = ∂L/∂x (N, I)
                dW = ∂L/∂W (I, O)

Start with one sample, two inputs and two outputs, on paper: write y₁ and y₂ out, and collect all
ways in which x₁ moves L. Then find the product of matrices that says the same for all of them.

Write your lines for each `...` below and run this file; --hint helps, --solution shows the library.
"""

import numpy as np

import minigan
from checker import check


class Dense(minigan.Dense):
    """In the layer, W is self.weight. NumPy's product of matrices a b is a.dot(b) or a @ b."""

    def forward(self, x, train):
        """y, and a cache: whatever the backward pass will need to remember. Here, that is x."""
        y = ...
        return y, x

    def backward(self, dy, x):
        """dx, for the dy and the cache of one forward pass."""
        dx = ...
        return dx

    def add_gradients(self, dy, x):
        """Add dW to self.dweight, where the gradients of several batches come together."""
        self.dweight += ...


if __name__ == "__main__":
    check(__file__)
