"""Other sizes, without parameters: pixels are copied, averaged or added.

                    y                                    dx
    Upsample        each pixel, S × S times              the sum over its copies
    AvgPool2d       the mean of each S × S pixels        dy / S², S × S times
    GlobalSumPool   the sum of all pixels                dy, at each pixel

All three are linear, y = A x and dx = Aᵀ dy: what is copied forward is added backward, and the
other way round. As dx does not depend on x, u_dy = A u. Images are (N, H, W, C).
"""

from minigan.checks import check_integer
from minigan.layers.layer import Layer

__all__ = ["AvgPool2d", "GlobalSumPool", "Upsample"]


class _Resampling(Layer):
    """The cache is the shape of x."""

    def double_backward(self, u, dy, shape):
        return self.forward(u, False)[0], None

    def output_shape(self, input_shape):
        if len(input_shape) != 3:
            raise ValueError(f"expected an image (H, W, C), got {input_shape}")
        return input_shape


class Upsample(_Resampling):
    """y[n, S i + k, S j + l, c] = x[n, i, j, c] for k, l < S: the value of the nearest pixel.

    S: `scale_factor`. Before a convolution, it serves as a transposed convolution of stride S, but
    has no checkerboards: Odena, Dumoulin & Olah 2016, "resize-convolution".
    """

    def __init__(self, scale_factor=2):
        self.scale_factor = check_integer("scale_factor", scale_factor, 1)

    def forward(self, x, train):
        return copies(self.backend.xp, x, self.scale_factor), x.shape

    def backward(self, dy, shape):
        return sums(dy, self.scale_factor)

    def output_shape(self, input_shape):
        h, w, c = super().output_shape(input_shape)
        return h * self.scale_factor, w * self.scale_factor, c

    def describe(self):
        return str(self.scale_factor)


class AvgPool2d(_Resampling):
    """y[n, i, j, c] = Σ_{k, l < S} x[n, S i + k, S j + l, c] / S²;  S: kernel_size, the stride."""

    def __init__(self, kernel_size=2):
        self.kernel_size = check_integer("kernel_size", kernel_size, 1)

    def forward(self, x, train):
        return sums(x, self.kernel_size) / self.kernel_size**2, x.shape

    def backward(self, dy, shape):
        return copies(self.backend.xp, dy / self.kernel_size**2, self.kernel_size)

    def output_shape(self, input_shape):
        (h, w, c), s = super().output_shape(input_shape), self.kernel_size
        if h % s or w % s:
            raise ValueError(f"expected height and width to be multiples of {s}, got {input_shape}")
        return h // s, w // s, c

    def describe(self):
        return str(self.kernel_size)


class GlobalSumPool(_Resampling):
    """y[n, c] = Σᵢⱼ x[n, i, j, c]: what is found in an image counts, wherever it is."""

    def forward(self, x, train):
        return x.sum(axis=(1, 2)), x.shape

    def backward(self, dy, shape):
        return self.backend.xp.zeros(shape, dy.dtype) + dy[:, None, None]

    def output_shape(self, input_shape):
        return super().output_shape(input_shape)[2:]


def copies(xp, x, s):
    """Each pixel of x, s × s times: (N, s H, s W, C)."""
    n, h, w, c = x.shape
    return xp.broadcast_to(x[:, :, None, :, None], (n, h, s, w, s, c)).reshape(n, s * h, s * w, c)


def sums(x, s):
    """The sums of s × s pixels each, (N, H / s, W / s, C): the transpose of `copies`."""
    n, h, w, c = x.shape
    return x.reshape(n, h // s, s, w // s, s, c).sum(axis=(2, 4))
