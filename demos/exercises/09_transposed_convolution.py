"""Exercise 9: a transposed convolution, forward and backward. 20 minutes.

A generator must make a large image of a small one. A convolution of stride 2 halves an image; what
it does to a gradient going *back* doubles one. That is a transposed convolution:

              convolution (exercise 8)        transposed convolution
    y         unfold(x) W + b                 ?
    dx        fold(dy Wᵀ)                     ?
    dW        unfold(x)ᵀ dy                   ?

    x (N, H, H, C),  y (N, OH, OH, O),  W (K, K, O, C),  b (O,)

Each pixel of x stamps the kernel, weighted, into y, S pixels further for each pixel of x; P pixels
of each side of y are cut off.

Questions: fill in the right column. How large is y, in terms of H, K, S and P? Draw two pixels and
their stamps, and count. In dW, which of x and dy is the image that has windows now?

    given       dy (N, OH, OH, O)
    to find     OH;  y;  dx (N, H, H, C);  dW (K, K, O, C);  db (O,)

As in exercise 8: matrix(W) is (K·K·O, C), rows(t) is t (..., C) as (M, C), product(t, w) is t times
w, pixel by pixel.
"""

import numpy as np

import minigan
from checker import check
from minigan.layers.convolution import matrix, product, rows


class ConvTranspose2d(minigan.ConvTranspose2d):
    """In the layer: self.unfold(image), self.fold(columns, (OH, OH)), self.weight, self.bias."""

    def output_size(self, size):
        """(OH, OH)"""
        (H, _), (K, _), (S, _), (P, _) = size, self.kernel_size, self.stride, self.padding
        OH = ...
        return OH, OH

    def forward(self, x, train):
        size = self.output_size(x.shape[1:3])
        y = ...
        return y, x

    def backward(self, dy, x):
        dx = ...
        return dx

    def add_gradients(self, dy, x):
        self.dweight += ...
        self.dbias += ...


if __name__ == "__main__":
    check(__file__)
