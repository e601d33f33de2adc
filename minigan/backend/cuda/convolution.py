"""The convolution family on the GPU: the three operations of `layers/convolution.py`.

Two ways, `CupyBackend(convolutions=...)`:

    "columns"   unfold, a matrix product by cuBLAS, fold: fast products, and a matrix `columns`
                that is Kh·Kw / (Sh·Sw) times as large as the image
    "direct"    one kernel each, that multiplies windows of the image without storing them

Shape letters as there; weights are (Kh, Kw, C, O), and every geometry argument is a pair.
"""

from typing import NamedTuple

from minigan.backend.cuda.launch import MOST_BLOCKS, THREADS, Launching, ceil_div, product_grid

__all__ = ["CupyConvolution"]

#: A product's step along its sum, as in `kernels.cu`.
DEPTH = 16
#: Blocks that a weight gradient is cut into, at least, if its sum is long enough.
ENOUGH_BLOCKS, SHORTEST_CHUNK = 256, 16 * DEPTH


def conv_output_size(size, kernel, stride, padding):
    """(OH, OW): (H + 2P − K) // S + 1."""
    return tuple(
        (n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True)
    )


class UnstoredColumns(NamedTuple):
    """What stands for `columns` where they are not stored: what they can be read from."""

    x: object
    kernel: tuple
    stride: tuple
    padding: tuple


class CupyConvolution(Launching):
    """The operations of the convolution family; part of `CupyBackend`, which has `matmul`."""

    def unfold(self, x, kernel, stride, padding):
        """The windows of x (N, H, W, C), copied: (N, OH, OW, Kh, Kw, C), also called im2col."""
        x, dtype, size = self._image(x, kernel, stride, padding)
        n, h, w, c = x.shape
        columns = self._new("columns", (n, *size, *kernel, c), dtype)
        pixels, places = n * size[0] * size[1], kernel[0] * kernel[1] * c
        geometry = h, w, c, *kernel, *stride, *padding, *size
        self._walk_down("unfold", (pixels, places), x, columns, geometry)
        return columns

    def columns_of(self, x, kernel, stride, padding):
        """What `conv_grad_weight` wants of x: its windows, or what they can be read from."""
        if self.convolutions == "columns":
            return self.unfold(x, kernel, stride, padding)
        return UnstoredColumns(self._float("x", x), kernel, stride, padding)

    def conv(self, x, w, stride, padding):
        """y (N, OH, OW, O) and the columns that `conv_grad_weight` will want."""
        kernel, o = w.shape[:2], w.shape[3]
        x, dtype, size = self._image(x, kernel, stride, padding)
        w = self._read("w", w, dtype, (*kernel, x.shape[3], o))
        if self.convolutions == "columns":
            columns = self.unfold(x, kernel, stride, padding)
            return self._times_weight(columns, w), columns
        y = self._new("y", (x.shape[0], *size, o), dtype)
        pixels = y.size // o
        if pixels:
            geometry = *x.shape[1:], *kernel, *stride, *padding, *size
            self._launch("conv", dtype, product_grid(pixels, o), x, w, y, pixels, o, *geometry)
        return y, UnstoredColumns(x, kernel, stride, padding)

    def conv_grad_weight(self, columns, dy, out):
        """out (Kh, Kw, C, O) += columnsᵀ dy, with columns = unfold(x) and dy (N, OH, OW, O)."""
        if isinstance(columns, UnstoredColumns):
            self._direct_grad_weight(columns, dy, out)
            return
        columns = self._float("columns", columns)
        dtype, (*kernel, o) = columns.dtype, out.shape
        self._write("out", out, dtype, out.shape)
        dy = self._read("dy", dy, dtype, (*columns.shape[:3], o))
        columns = self._read("columns", columns, dtype, (*dy.shape[:3], *kernel))
        matrix = out.reshape(-1, o)
        rows = columns.reshape(-1, len(matrix))
        self.add_product(matrix, rows.T, dy.reshape(-1, o))

    def conv_grad_input(self, dy, w, stride, padding, size):
        """dx (N, H, W, C) for dy (N, OH, OW, O): the adjoint of x -> conv(x, w), for one `size`."""
        dy = self._float("dy", dy)
        dtype, (n, *out_size, o), (*kernel, c, _) = dy.dtype, dy.shape, w.shape
        w = self._read("w", w, dtype, (*kernel, c, o))
        dx = self._new("dx", (n, *size, c), dtype)
        geometry = *size, c, *kernel, *stride, *padding, *out_size
        if self.convolutions == "columns":
            columns = self.matmul(dy.reshape(-1, o), w.reshape(-1, o).T)
            self._walk_down("fold", (n * size[0], size[1] * c), columns, dx, geometry)
        elif dx.size:
            # the largest phase: every S-th pixel along both axes
            pixels = n * ceil_div(size[0], stride[0]) * ceil_div(size[1], stride[1])
            grid = *product_grid(pixels, c), stride[0] * stride[1]
            self._launch("conv_grad_input", dtype, grid, dy, w, dx, n, o, *geometry)
        return dx

    def _direct_grad_weight(self, columns, dy, out):
        x, kernel, stride, padding = columns
        (n, h, w, c), dtype, o = x.shape, x.dtype, out.shape[-1]
        size = conv_output_size((h, w), kernel, stride, padding)
        dy = self._read("dy", dy, dtype, (n, *size, o))
        self._write("out", out, dtype, (*kernel, c, o))
        pixels, places = n * size[0] * size[1], kernel[0] * kernel[1] * c
        grid = product_grid(places, o)
        wanted = ceil_div(ENOUGH_BLOCKS, grid[0] * grid[1])
        chunk = max(ceil_div(ceil_div(pixels, wanted), DEPTH) * DEPTH, SHORTEST_CHUNK)
        parts = max(1, ceil_div(pixels, chunk))
        partial = self._new("partial sums", (parts, places * o), dtype)
        geometry = h, w, c, *kernel, *stride, *padding, *size
        arguments = x, dy, partial, pixels, o, chunk, *geometry
        self._launch("conv_grad_weight", dtype, (*grid, parts), *arguments)
        self._column_sums(partial, out.reshape(-1), accumulate=True)

    def _walk_down(self, name, shape, source, out, geometry):
        """Run a kernel whose threads own a column of the matrix `out`, and walk down its rows."""
        rows, columns = shape
        if out.size:
            width = min(THREADS, 1 << (columns - 1).bit_length())
            across = ceil_div(columns, width)
            down = min(ceil_div(rows, THREADS // width), max(1, MOST_BLOCKS // across))
            self._launch(name, out.dtype, (across, down), source, out, rows, width, *geometry)

    def _image(self, x, kernel, stride, padding):
        """x, ready to be read; its dtype; and (OH, OW)."""
        x = self._float("x", x)
        return x, x.dtype, conv_output_size(x.shape[1:3], kernel, stride, padding)

    def _times_weight(self, columns, w):
        """(N, OH, OW, Kh, Kw, C) times (Kh, Kw, C, O) -> (N, OH, OW, O), one matrix product."""
        rows, o = columns.shape[:3], w.shape[-1]
        return self.matmul(columns.reshape(-1, w[..., 0].size), w.reshape(-1, o)).reshape(*rows, o)
