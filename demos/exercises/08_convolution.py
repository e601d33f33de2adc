"""Exercise 8: a convolution is a product of matrices. 30 minutes.

A convolution multiplies every window of an image, K × K pixels of C channels, by one matrix W:

    x (N, H, H, C)  --unfold-->  columns (N, OH, OH, K·K·C)  --· W + b-->  y (N, OH, OH, O)
    W (K, K, C, O), as a matrix (K·K·C, O);  b (O,);  OH = (H + 2P − K) // S + 1

`unfold` writes the numbers of each window into one row: window (i, j) begins at row S·i and column
S·j of the image with P zeros on each side, and its numbers stand in the order (row, column,
channel). S is the stride. After that, a convolution is the dense layer of exercise 1.

Questions: the transpose of `unfold`, self.fold, adds each number back to the pixel that it was
taken from. Why is that the way back for the gradient? And over which axes is db a sum?

    given       dy (N, OH, OH, O)
    to find     dx (N, H, H, C),  dW (K, K, C, O),  db (O,)

The library helps with shapes: matrix(W) is (K·K·C, O), rows(t) is t (..., C) as (M, C), and
product(t, w) is t (N, H, H, C) times w (C, O), pixel by pixel.
"""

import numpy as np

import minigan
from checker import check
from minigan.layers.convolution import matrix, product, rows


def unfold(x, K, S, P):
    """The windows of x (N, H, H, C): (N, OH, OH, K·K·C). np.pad makes the zeros."""
    return ...


class Conv2d(minigan.Conv2d):
    """In the layer: self.unfold(x), self.fold(columns, (H, H)), self.weight, self.bias."""

    def forward(self, x, train):
        columns = self.unfold(x)
        y = ...
        return y, (columns, x.shape)

    def backward(self, dy, cache):
        columns, (N, H, H, C) = cache
        dx = ...
        return dx

    def add_gradients(self, dy, cache):
        columns, shape = cache
        self.dweight += ...
        self.dbias += ...


if __name__ == "__main__":
    check(__file__)
