"""Exercise 2: a bias. 10 minutes.

A bias moves all samples by the same numbers:

    y = x + b           x (N, C),  b (C,),  y (N, C)

NumPy adds the vector b to each row of x; one says that b is broadcast along the batch.

Question: one number b[c] moves N numbers of y. By how much does the loss L grow per unit of b[c],
if it grows by dy[n, c] per unit of y[n, c]? And what reaches x?

    given       dy = ∂L/∂y (N, C)
    to find     dx = ∂L/∂x (N, C)
                db = ∂L/∂b (C,)

Start with N = 2 and C = 1: three numbers go in, two come out.
"""

import numpy as np

import minigan
from checker import check


class Bias(minigan.Layer):
    """y = x + b. In the layer, b is self.bias, and its gradient self.dbias."""

    def __init__(self, num_features):
        self.num_features = num_features

    def parameters(self):
        return {"bias": ((self.num_features,), 0)}

    def forward(self, x, train):
        """y, and the cache: does the backward pass need to remember anything?"""
        y = ...
        return y, None

    def backward(self, dy, cache):
        dx = ...
        return dx

    def add_gradients(self, dy, cache):
        self.dbias += ...


if __name__ == "__main__":
    check(__file__)
