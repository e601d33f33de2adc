"""Convolution and transposed convolution: one linear map and its adjoint.

A convolution that strides by S makes images smaller; seen as a matrix A it takes x to A x. Its
transpose Aᵀ takes small images to large ones, and that is all a transposed convolution is. So
it has no arithmetic of its own: where `Conv2d` calls `conv`, `ConvTranspose2d` calls
`conv_grad_input`, and the other way round. ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ is a test.

Images are (N, H, W, C), weights (Kh, Kw, C_in, C_out) as the convolution sees them.
"""

from minigan.backend.numpy_convolution import conv_output_size
from minigan.checks import check_integer, check_pair
from minigan.layers.affine import Affine

__all__ = ["Conv2d", "ConvTranspose2d"]


class _Convolutional(Affine):
    """The arguments that both have in common; every size an integer or a (height, width) pair."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, bias, init):
        self.in_channels = check_integer("in_channels", in_channels, 1)
        self.out_channels = self.bias_size = check_integer("out_channels", out_channels, 1)
        self.kernel_size = check_pair("kernel_size", kernel_size, 1)
        self.stride = check_pair("stride", stride, 1)
        self.padding = check_pair("padding", padding, 0)
        super().__init__(bias, init)

    def _check_image(self, input_shape):
        if len(input_shape) != 3 or input_shape[2] != self.in_channels:
            raise ValueError(f"expected input (H, W, {self.in_channels}), got {input_shape}")

    def describe(self):
        parts = [f"{self.in_channels}, {self.out_channels}", f"kernel {_pair(self.kernel_size)}"]
        parts += [f"stride {_pair(self.stride)}"] if self.stride != (1, 1) else []
        parts += [f"padding {_pair(self.padding)}"] if self.padding != (0, 0) else []
        return ", ".join(parts if self.has_bias else [*parts, "no bias"])


class Conv2d(_Convolutional):
    """y[n, i, j, o] = b[o] + Σ_{k, l, c} x̄[n, S i + k, S j + l, c] W[k, l, c, o].

    x (N, H, W, in_channels), x̄ the same with `padding` zeros on each side, W (Kh, Kw, in, out)
    -> y (N, OH, OW, out_channels), OH = (H + 2P − K) // S + 1.
    (Dumoulin & Visin 2016, relationship 6; cross-correlation, as everywhere in the field.)
    """

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, *, bias=True, init=None
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias, init)
        self.weight_shape = (*self.kernel_size, self.in_channels, self.out_channels)

    def apply(self, x):
        return self.backend.conv(x, self.weight, self.stride, self.padding)

    def apply_adjoint(self, dy, shape):
        geometry = self.stride, self.padding, shape[1:3]
        return self.backend.conv_grad_input(dy, self.weight, *geometry), None

    def add_weight_gradient(self, x, dy, columns, _, accumulate):
        self.backend.conv_grad_weight(columns, dy, self.dweight, accumulate)

    def fans(self):
        window, steps = _area(self.kernel_size), _area(self.stride)
        return window * self.in_channels, window * self.out_channels / steps

    def output_shape(self, input_shape):
        self._check_image(input_shape)
        size = conv_output_size(input_shape[:2], self.kernel_size, self.stride, self.padding)
        if min(size) < 1:
            raise ValueError(f"an image of {input_shape[:2]} is smaller than the kernel")
        return (*size, self.out_channels)


class ConvTranspose2d(_Convolutional):
    """The adjoint of `Conv2d` with the same kernel, stride and padding, plus a bias.

    y[n, S i + k − P, S j + l − P, o] += Σ_c x[n, i, j, c] W[k, l, o, c] for every i, j, k, l: each
    input pixel stamps the kernel, weighted, into the output.
    x (N, H, W, in_channels), W (Kh, Kw, out, in) -> y (N, OH, OW, out_channels),
    OH = (H − 1) S − 2P + K + output_padding.

    Several image sizes lead to one size under a strided convolution; output_padding (< S) says
    which of them is wanted. (Dumoulin & Visin 2016, relationship 14; PyTorch's weight is
    (in, out, Kh, Kw).)
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

    def apply(self, x):
        size = self._output_size(x.shape[1:3])
        return self.backend.conv_grad_input(x, self.weight, self.stride, self.padding, size), None

    def apply_adjoint(self, dy, shape):
        return self.backend.conv(dy, self.weight, self.stride, self.padding)

    def add_weight_gradient(self, x, dy, _, columns, accumulate):
        if columns is None:  # nobody asked for dx, which would have unfolded dy
            columns = self.backend.unfold(dy, self.kernel_size, self.stride, self.padding)
        self.backend.conv_grad_weight(columns, x, self.dweight, accumulate)

    def fans(self):
        window, steps = _area(self.kernel_size), _area(self.stride)
        return window * self.in_channels / steps, window * self.out_channels

    def _output_size(self, size):
        geometry = zip(
            size, self.kernel_size, self.stride, self.padding, self.output_padding, strict=True
        )
        return tuple((n - 1) * s - 2 * p + k + extra for n, k, s, p, extra in geometry)

    def output_shape(self, input_shape):
        self._check_image(input_shape)
        size = self._output_size(input_shape[:2])
        if min(size) < 1:
            raise ValueError(f"padding {self.padding} leaves an image of {size}")
        return (*size, self.out_channels)

    def describe(self):
        extra = self.output_padding != (0, 0)
        text = super().describe()
        return f"{text}, output_padding {_pair(self.output_padding)}" if extra else text


def _area(pair):
    return pair[0] * pair[1]


def _pair(pair):
    return f"{pair[0]}x{pair[1]}" if pair[0] != pair[1] else str(pair[0])
