"""The convolution family in NumPy: one linear map, its adjoint, and its weight gradient.

A convolution multiplies every window of the image by one matrix. `unfold` copies the windows
into the rows of a matrix, and then, with columns = unfold(x) (M, Kh·Kw·C) and the weight as a
matrix W (Kh·Kw·C, O):

    conv             y  = columns W        (N, H, W, C) -> (N, OH, OW, O)
    conv_grad_weight dW = columnsᵀ dy      (Kh, Kw, C, O)
    conv_grad_input  dx = fold(dy Wᵀ)      (N, OH, OW, O) -> (N, H, W, C)

with OH = (H + 2P − K) // S + 1. `fold`, the adjoint of `unfold`, adds every window back to where
it came from. ("Convolution" is the field's word; the kernel is not flipped, so this is
cross-correlation. Dumoulin & Visin 2016, arXiv:1603.07285, draw every case.)

Shape letters: N batch, H W height and width, C channels, K kernel, S stride, P padding, O output
channels; images are (N, H, W, C), weights (Kh, Kw, C, O), every geometry argument a pair.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

__all__ = ["Convolution", "conv_output_size"]


def conv_output_size(size, kernel, stride, padding):
    """(OH, OW) of a convolution over an image of `size` (H, W): (H + 2P − K) // S + 1."""
    return tuple(
        (n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True)
    )


class Convolution:
    """The operations of the convolution family; part of `NumpyBackend`."""

    def unfold(self, x, kernel, stride, padding):
        """The windows of x (N, H, W, C), copied: (N, OH, OW, Kh, Kw, C), also called im2col."""
        size = conv_output_size(x.shape[1:3], kernel, stride, padding)
        return self._windows(self._pad(x, padding), kernel, stride, size)

    def conv(self, x, w, stride, padding):
        """y (N, OH, OW, O) and the columns that `conv_grad_weight` will want."""
        columns = self.unfold(x, w.shape[:2], stride, padding)
        return self._product(columns, w), columns

    def conv_grad_weight(self, columns, dy, out, accumulate=True):
        """out (Kh, Kw, C, O) += columnsᵀ dy, with columns = unfold(x) and dy (N, OH, OW, O)."""
        a, o = columns.reshape(-1, out[..., 0].size), out.shape[-1]
        self.add_product(out.reshape(-1, o), a.T, dy.reshape(-1, o), accumulate)

    def conv_grad_input(self, dy, w, stride, padding, size):
        """dx (N, H, W, C) for dy (N, OH, OW, O): the adjoint of x -> conv(x, w), for one `size`.

        Two forms of the same sum; the one that moves fewer numbers is taken.
        """
        taps = [-(-k // s) for k, s in zip(w.shape[:2], stride, strict=True)]
        channels_in, channels_out = w.shape[2:]
        folded = w.shape[0] * w.shape[1] * channels_in
        gathered = taps[0] * taps[1] * channels_out
        form = self._fold if folded < gathered else self._gather
        return form(dy, w, stride, padding, size)

    def _fold(self, dy, w, stride, padding, size):
        """dx by scattering: each window of dy Wᵀ is added to the place that it came from."""
        (n, oh, ow, o), (kh, kw, c) = dy.shape, w.shape[:3]
        columns = self.matmul(dy.reshape(-1, o), w.reshape(-1, o).T).reshape(n, oh, ow, kh, kw, c)
        (sh, sw), (ph, pw) = stride, padding
        dx = self.zeros((n, size[0] + 2 * ph, size[1] + 2 * pw, c), dy.dtype)
        for i in range(kh):
            for j in range(kw):
                dx[:, i : i + sh * oh : sh, j : j + sw * ow : sw] += columns[:, :, :, i, j]
        return self._crop(dx, padding, size)

    def _gather(self, dy, w, stride, padding, size):
        """dx by gathering: a convolution of stride 1 over dy, then a pixel shuffle.

        Row S·q + a of the padded dx receives only from the rows q, q − 1, … of dy, through the
        kernel's rows a, a + S, …: T = ⌈K/S⌉ taps. So the S·S phases (a, b) of dx are the
        channels of one stride-1 convolution with a T × T kernel, no sum is scattered, and
        nothing is multiplied by the zeros that a dilated dy would hold. (Shi et al. 2016,
        arXiv:1609.07009, call it sub-pixel convolution.) Saves a third of the time of `_fold`
        where channels are many.
        """
        (n, *_, o), (kh, kw, c) = dy.shape, w.shape[:3]
        (sh, sw), (th, tw) = stride, (-(-kh // stride[0]), -(-kw // stride[1]))
        kernel = self.zeros((th * sh, tw * sw, c, o), w.dtype)
        kernel[:kh, :kw] = w
        # (th, sh, tw, sw, c, o) -> taps reversed, (th, tw, o) rows by (sh, sw, c) columns
        phases = kernel.reshape(th, sh, tw, sw, c, o)[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)
        columns = self.unfold(dy, (th, tw), (1, 1), (th - 1, tw - 1))
        rows = self._product(columns, phases.reshape(th, tw, o, sh * sw * c))
        hq, wq = rows.shape[1:3]
        shuffled = rows.reshape(n, hq, wq, sh, sw, c).transpose(0, 1, 3, 2, 4, 5)
        return self._place(shuffled, padding, size)

    def _place(self, shuffled, padding, size):
        """The padded image (N, hq, Sh, wq, Sw, C) cropped by the padding and cut to `size`."""
        n, hq, sh, wq, sw, c = shuffled.shape
        dx = self.empty((n, *size, c), shuffled.dtype)
        covered = [
            min(q * s - p, length)
            for q, s, p, length in zip((hq, wq), (sh, sw), padding, size, strict=True)
        ]
        if covered != list(size):
            dx.fill(0)  # rows that no window reached: output_padding, or a remainder of the stride
        for a in range(sh):
            for b in range(sw):
                to_h, from_h = _phase(a, sh, padding[0], covered[0])
                to_w, from_w = _phase(b, sw, padding[1], covered[1])
                dx[:, to_h, to_w] = shuffled[:, from_h, a, from_w, b]
        return dx

    def _product(self, columns, w):
        """(N, OH, OW, Kh, Kw, C) times (Kh, Kw, C, O) -> (N, OH, OW, O), one matrix product."""
        rows, o = columns.shape[:3], w.shape[-1]
        return self.matmul(columns.reshape(-1, w[..., 0].size), w.reshape(-1, o)).reshape(*rows, o)

    def _windows(self, x, kernel, stride, size):
        n, c = x.shape[0], x.shape[3]
        columns = self.empty((n, *size, *kernel, c), x.dtype)
        sn, sh, sw, sc = x.strides
        strides = (sn, sh * stride[0], sw * stride[1], sh, sw, sc)
        np.copyto(columns, as_strided(x, columns.shape, strides, writeable=False))
        return columns

    def _pad(self, x, padding):
        ph, pw = padding
        if ph == pw == 0:
            return x
        n, h, w, c = x.shape
        padded = self.empty((n, h + 2 * ph, w + 2 * pw, c), x.dtype)
        padded[:, :ph] = padded[:, ph + h :] = 0
        padded[:, ph : ph + h, :pw] = padded[:, ph : ph + h, pw + w :] = 0
        padded[:, ph : ph + h, pw : pw + w] = x
        return padded

    def _crop(self, x, padding, size):
        (ph, pw), (h, w) = padding, size
        return x[:, ph : ph + h, pw : pw + w]


def _phase(a, stride, padding, covered):
    """Where phase `a` of the padded image goes: slices (to in dx, from in q).

    Row S·q + a of the padded image is row S·q + a − P of dx; q runs over what lies in dx.
    """
    first = max(-((a - padding) // stride), 0)  # smallest q with S·q + a − P >= 0
    start = stride * first + a - padding
    count = max(-(-(covered - start) // stride), 0)
    return slice(start, start + stride * (count - 1) + 1 if count else start, stride), slice(
        first, first + count
    )
