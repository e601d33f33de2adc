"""Other sizes, without parameters: pixels are copied, averaged or added.

All three are linear, y = A x and dx = Aᵀ dy: what is copied forward is added backward, and the
other way round. As dx does not depend on x, u_dy = A u. Images are (N, H, W, C).
"""

from minigan.checks import check_integer
from minigan.layers.convolution import check_image
from minigan.layers.layer import Layer

__all__ = ["AvgPool2d", "GlobalSumPool", "Upsample"]


class Upsample(Layer):
    """y[n, S i + k, S j + l, c] = x[n, i, j, c] for k, l < S, the `factor`: the nearest pixel's.

    dx is the sum over the copies. Before a convolution, it serves as a transposed convolution of
    stride S, but makes no checkerboards: Odena, Dumoulin & Olah 2016, "resize-convolution".
    """

    def __init__(self, factor=2):
        self.factor = check_integer("factor", factor, 1)

    def forward(self, x, train):
        return copies(self.backend.xp, x, self.factor), None

    def backward(self, dy, cache):
        return sums(dy, self.factor)

    def double_backward(self, u, dy, cache):
        return self.forward(u, False)

    def output_shape(self, input_shape):
        h, w, c = check_image(input_shape, None)
        return h * self.factor, w * self.factor, c

    def describe(self):
        return str(self.factor)


class AvgPool2d(Upsample):
    """y[n, i, j, c] = Σ_{k, l < S} x[n, S i + k, S j + l, c] / S²: `Upsample`, transposed."""

    def forward(self, x, train):
        return sums(x, self.factor) / self.factor**2, None

    def backward(self, dy, cache):
        return copies(self.backend.xp, dy / self.factor**2, self.factor)

    def output_shape(self, input_shape):
        (h, w, c), s = check_image(input_shape, None), self.factor
        if h % s or w % s:
            raise ValueError(f"expected height and width to be multiples of {s}, got {input_shape}")
        return h // s, w // s, c


class GlobalSumPool(Layer):
    """y[n, c] = Σᵢⱼ x[n, i, j, c]: what is found in an image counts, wherever it is."""

    def forward(self, x, train):
        return x.sum(axis=(1, 2)), x.shape

    def backward(self, dy, shape):
        return self.backend.xp.zeros(shape, dy.dtype) + dy[:, None, None]

    def double_backward(self, u, dy, shape):
        return self.forward(u, False)[0], None

    def output_shape(self, input_shape):
        return check_image(input_shape, None)[2:]


def copies(xp, x, s):
    """Each pixel of x, s × s times: (N, s H, s W, C)."""
    n, h, w, c = x.shape
    return xp.broadcast_to(x[:, :, None, :, None], (n, h, s, w, s, c)).reshape(n, s * h, s * w, c)


def sums(x, s):
    """The sums of s × s pixels each, (N, H / s, W / s, C): the transpose of `copies`."""
    n, h, w, c = x.shape
    return x.reshape(n, h // s, s, w // s, s, c).sum(axis=(2, 4))
