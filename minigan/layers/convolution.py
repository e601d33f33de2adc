"""Convolution and transposed convolution: one linear map A and its transpose Aᵀ.

A convolution multiplies every window of an image by one matrix W. With the windows as the rows of
a matrix, it is a product; `unfold` makes that matrix, and `fold`, its transpose, adds every window
back to the place that it came from.

                  Conv2d                       ConvTranspose2d
    y             A x  = unfold(x) W           Aᵀ x  = fold(x Wᵀ)         (+ b)
    dx            Aᵀ dy = fold(dy Wᵀ)          A dy  = unfold(dy) W
    dW +=         unfold(x)ᵀ dy                unfold(dy)ᵀ x
    db +=         Σ dy over images and pixels, in both

What a convolution does forward, a transposed convolution does backward, and the other way round;
in the weight gradient, image and output change places. ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ is a test.

Shape letters: N batch, H W height and width, C channels of the image, K kernel, S stride, P
padding, O channels of the output; images are (N, H, W, C). ("Convolution" is the field's word: the
kernel is not flipped. Dumoulin & Visin 2016, arXiv:1603.07285, draw every case.)
"""

from minigan.checks import check_integer, check_pair
from minigan.layers.affine import Affine

__all__ = ["Conv2d", "ConvTranspose2d", "check_image", "conv_output_size", "fold", "rows", "unfold"]


class _Convolutional(Affine):
    """The arguments that both have in common; every size an integer or a (height, width) pair."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, bias, init):
        self.in_channels = check_integer("in_channels", in_channels, 1)
        self.out_channels = self.bias_size = check_integer("out_channels", out_channels, 1)
        self.kernel_size = check_pair("kernel_size", kernel_size, 1)
        self.stride = check_pair("stride", stride, 1)
        self.padding = check_pair("padding", padding, 0)
        super().__init__(bias, init)

    def unfold(self, image):
        return unfold(self.backend.xp, image, self.kernel_size, self.stride, self.padding)

    def fold(self, columns, size):
        xp, sizes = self.backend.xp, (self.kernel_size, self.stride, self.padding, size)
        return fold(xp, columns, *sizes)

    def describe(self):
        parts = [f"{self.in_channels}, {self.out_channels}", f"kernel {_pair(self.kernel_size)}"]
        parts += [f"stride {_pair(self.stride)}"] if self.stride != (1, 1) else []
        parts += [f"padding {_pair(self.padding)}"] if self.padding != (0, 0) else []
        return ", ".join(parts if self.has_bias else [*parts, "no bias"])


class Conv2d(_Convolutional):
    """y = unfold(x) W + b     x (N, H, W, C), W (Kh, Kw, C, O) -> y (N, OH, OW, O)

    dx  = fold(dy Wᵀ)
    dW += unfold(x)ᵀ dy
    db += Σ dy over images and pixels

    y[n, i, j, o] = b[o] + Σ_{k, l, c} x̄[n, S i + k, S j + l, c] W[k, l, c, o], where x̄ is x with
    `padding` zeros on each side; OH = (H + 2P − Kh) // S + 1. (Dumoulin & Visin, relationship 6.)
    """

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, *, bias=True, init=None
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias, init)
        self.weight_shape = (*self.kernel_size, self.in_channels, self.out_channels)

    def forward(self, x, train):
        columns = self.unfold(x)
        y = product(columns, matrix(self.weight))
        if self.has_bias:
            y += self.bias
        return y, (columns, x.shape)

    def backward(self, dy, cache):
        _, (_, *size, _) = cache
        return self.fold(product(dy, matrix(self.weight).T), size)

    def add_gradients(self, dy, cache):
        columns, _ = cache
        self.dweight += rows(columns).T.dot(rows(dy)).reshape(self.weight_shape)
        if self.has_bias:
            self.dbias += rows(dy).sum(axis=0)

    def double_backward(self, u, dy, cache):
        """dx = fold(dy Wᵀ), so u_dy = unfold(u) W and dW += unfold(u)ᵀ dy: u stands where x was."""
        columns = self.unfold(u)
        self.dweight += rows(columns).T.dot(rows(dy)).reshape(self.weight_shape)
        return product(columns, matrix(self.weight)), None

    def fans(self):
        window, steps = _area(self.kernel_size), _area(self.stride)
        return window * self.in_channels, window * self.out_channels / steps

    def output_shape(self, input_shape):
        check_image(input_shape, self.in_channels)
        size = conv_output_size(input_shape[:2], self.kernel_size, self.stride, self.padding)
        if min(size) < 1:
            raise ValueError(f"an image of {input_shape[:2]} is smaller than the kernel")
        return (*size, self.out_channels)


class ConvTranspose2d(_Convolutional):
    """y = fold(x Wᵀ) + b      x (N, H, W, C), W (Kh, Kw, O, C) -> y (N, OH, OW, O)

    dx  = unfold(dy) W
    dW += unfold(dy)ᵀ x
    db += Σ dy over images and pixels

    Every input pixel stamps the kernel, weighted, into the output:
    y[n, S i + k − P, S j + l − P, o] += Σ_c x[n, i, j, c] W[k, l, o, c] for every i, j, k, l;
    OH = (H − 1) S − 2P + Kh + output_padding. A convolution of stride S leads from several sizes to
    one; output_padding (< S) says which of them is wanted. (Dumoulin & Visin, relationship 14;
    PyTorch's weight is (C, O, Kh, Kw).)
    """

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        *,
        bias=True,
        init=None,
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias, init)
        self.output_padding = check_pair("output_padding", output_padding, 0)
        if any(o >= s for o, s in zip(self.output_padding, self.stride, strict=True)):
            raise ValueError(
                f"output_padding: expected less than the stride {self.stride}, "
                f"got {self.output_padding}"
            )
        self.weight_shape = (*self.kernel_size, self.out_channels, self.in_channels)

    def forward(self, x, train):
        y = self.fold(product(x, matrix(self.weight).T), self.output_size(x.shape[1:3]))
        if self.has_bias:
            y += self.bias
        return y, x

    def backward(self, dy, x):
        return product(self.unfold(dy), matrix(self.weight))

    def add_gradients(self, dy, x):
        self.dweight += rows(self.unfold(dy)).T.dot(rows(x)).reshape(self.weight_shape)
        if self.has_bias:
            self.dbias += rows(dy).sum(axis=0)

    def double_backward(self, u, dy, x):
        """dx = unfold(dy) W, so u_dy = fold(u Wᵀ) and dW += unfold(dy)ᵀ u: u stands where x was."""
        self.dweight += rows(self.unfold(dy)).T.dot(rows(u)).reshape(self.weight_shape)
        return self.fold(product(u, matrix(self.weight).T), dy.shape[1:3]), None

    def fans(self):
        window, steps = _area(self.kernel_size), _area(self.stride)
        return window * self.in_channels / steps, window * self.out_channels

    def output_size(self, size):
        """(OH, OW) for an image of `size` (H, W)."""
        geometry = zip(
            size, self.kernel_size, self.stride, self.padding, self.output_padding, strict=True
        )
        return tuple((n - 1) * s - 2 * p + k + extra for n, k, s, p, extra in geometry)

    def output_shape(self, input_shape):
        check_image(input_shape, self.in_channels)
        size = self.output_size(input_shape[:2])
        if min(size) < 1:
            raise ValueError(f"padding {self.padding} leaves an image of {size}")
        return (*size, self.out_channels)

    def describe(self):
        extra = self.output_padding != (0, 0)
        text = super().describe()
        return f"{text}, output_padding {_pair(self.output_padding)}" if extra else text


# Windows -----------------------------------------------------------------------------------------


def unfold(xp, x, kernel, stride, padding):
    """The windows of x (N, H, W, C), copied: (N, OH, OW, Kh·Kw·C), also called im2col."""
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    n, c = x.shape[0], x.shape[3]
    oh, ow = conv_output_size(x.shape[1:3], kernel, stride, padding)
    x = xp.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    columns = xp.empty((n, oh, ow, kh, kw, c), x.dtype)
    for k in range(kh):
        for l in range(kw):
            columns[:, :, :, k, l] = x[:, k : k + sh * oh : sh, l : l + sw * ow : sw]
    return columns.reshape(n, oh, ow, kh * kw * c)


def fold(xp, columns, kernel, stride, padding, size):
    """The transpose of `unfold`: an image (N, *size, C), each window added where it was taken."""
    (kh, kw), (sh, sw), (ph, pw), (h, w) = kernel, stride, padding, size
    n, oh, ow, _ = columns.shape
    columns = columns.reshape(n, oh, ow, kh, kw, -1)
    x = xp.zeros((n, h + 2 * ph, w + 2 * pw, columns.shape[-1]), columns.dtype)
    for k in range(kh):
        for l in range(kw):
            x[:, k : k + sh * oh : sh, l : l + sw * ow : sw] += columns[:, :, :, k, l]
    return x[:, ph : ph + h, pw : pw + w]


def conv_output_size(size, kernel, stride, padding):
    """(OH, OW) of a convolution over an image of `size` (H, W): (H + 2P − K) // S + 1."""
    return tuple(
        (n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True)
    )


def check_image(shape, channels):
    """`shape`, or ValueError unless it is (H, W, channels); None for any number of channels."""
    if len(shape) != 3 or channels not in (None, shape[2]):
        raise ValueError(f"expected input (H, W, {channels or 'C'}), got {shape}")
    return shape


def rows(x):
    """x (..., C) as a matrix (M, C)."""
    return x.reshape(-1, x.shape[-1])


def matrix(weight):
    """A kernel (Kh, Kw, C, O) as the matrix W (Kh·Kw·C, O)."""
    return weight.reshape(-1, weight.shape[-1])


def product(x, w):
    """x (N, H, W, C) times w (C, O), pixel by pixel: (N, H, W, O)."""
    return rows(x).dot(w).reshape(*x.shape[:-1], w.shape[1])


def _area(pair):
    return pair[0] * pair[1]


def _pair(pair):
    return f"{pair[0]}x{pair[1]}" if pair[0] != pair[1] else str(pair[0])
