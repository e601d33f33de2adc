"""A transposed convolution, seen in three ways, and where checkerboards come from.

A convolution is linear: if an image is written as one long vector x, its output is A x. The rows
of the matrix A hold the same kernel, each moved along a bit. A transposed convolution multiplies
by Aᵀ; it is nothing more than that.

What to look at:
- matrix.png: A, and Aᵀ beside it, each found by sending single pixels through the layer, column by
  column. One more step of the stride moves the kernel by that many places. Aᵀ is not the inverse:
  the picture says how far Aᵀ A is from the identity.
- scatter.png: the same as stamping. Each input pixel stamps the kernel, times its value, into the
  output, one stride further than its neighbour; where stamps overlap, they add.
- checkerboard.png: how many stamps meet in each output pixel. If the stride does not divide the
  kernel's size, the number changes from pixel to pixel: a checkerboard before anything is learned,
  and worse with each layer ("uneven" is the standard deviation over the mean). This is why DCGANs
  take kernel 4 and stride 2; weights can still learn a checkerboard. (Odena, Dumoulin & Olah 2016,
  "Deconvolution and checkerboard artifacts".)
- The printed table: sizes, (H − 1) S − 2P + K + output_padding. With a stride, a convolution turns
  several input sizes into the same output size; output_padding says which of them is meant.

What to try next: other kernels and strides in the constants; which pairs of them are even?
It takes three seconds.

Files: matrix.png, scatter.png, checkerboard.png, metrics.json.
"""

import itertools

import numpy as np

from minigan import Conv2d, ConvTranspose2d, Sequential
from minigan.plotting import INK, SIGNED, picture, save_picture, styled
from support.demo import start

# %% Constants

SIZE, KERNEL, STRIDE = 5, 3, 2  # of the convolution: 5 × 5 -> 2 × 2
KERNELS, GRID = (2, 3, 4, 5, 6), 16  # of the checkerboards, from a grid of 16 × 16

FILES = ["matrix.png", "scatter.png", "checkerboard.png"]
options, out = start("transposed_convolution", __doc__, FILES)
rng = np.random.default_rng(options.seed)

# %% A convolution and the transposed one with the same kernel, as matrices

small = (SIZE - KERNEL) // STRIDE + 1


def network(layer, size, weight):
    found = Sequential([layer], (size, size, 1), rng=0, dtype="float64")
    found.layers[0].weight[...] = weight
    return found


def matrix(network):
    """The layer as a matrix: column i is the output for the image whose only 1 is pixel i."""
    height, width, _ = network.input_shape
    pixels = np.eye(height * width).reshape(-1, height, width, 1)
    return network(pixels).reshape(height * width, -1).T


whole_numbers = np.delete(np.arange(KERNEL**2 + 1) - 3, 3)  # easy to check by hand; none is 0
weight = rng.permutation(whole_numbers).reshape(KERNEL, KERNEL, 1, 1)
conv = network(Conv2d(1, 1, KERNEL, STRIDE, bias=False), SIZE, weight)
transposed = network(ConvTranspose2d(1, 1, KERNEL, STRIDE, bias=False), small, weight)
A, AT = matrix(conv), matrix(transposed)
x = rng.integers(-3, 4, (1, SIZE, SIZE, 1)).astype(float)
y = np.resize([1.0, 2.0, -1.0, 3.0], (1, small, small, 1))
left, right = float((conv(x) * y).sum()), float((x * transposed(y)).sum())
print(
    f"largest difference of the second matrix from the first one's transpose: {abs(AT - A.T).max()}"
)
print(f"<conv(x), y> = {left:g} = {right:g} = <x, convT(y)>")

# %% Sizes: the formula, the layer, and the way back

print("\n  H  kernel  stride  padding  output_padding  formula  layer  back")
sizes = []
for k, s, p in itertools.product((2, 3, 4, 5), (1, 2, 3), (0, 1)):
    for extra in range(s):
        formula = (SIZE - 1) * s - 2 * p + k + extra
        layer = ConvTranspose2d(1, 1, k, s, p, extra)
        got = layer.output_shape((SIZE, SIZE, 1))[0]
        back = Conv2d(1, 1, k, s, p).output_shape((got, got, 1))[0]
        sizes.append((formula, got, back))
        print(f"{SIZE:3}{k:8}{s:8}{p:9}{extra:16}{formula:9}{got:7}{back:6}")

# %% Checkerboards: every stamp is all ones, and so is the input


def overlap(kernel, layers):
    """How many stamps (through all layers) meet in each pixel, and how uneven that is inside."""
    counts = np.ones((1, GRID, GRID, 1))
    for _ in range(layers):
        ones = np.ones((kernel, kernel, 1, 1))
        layer = ConvTranspose2d(1, 1, kernel, STRIDE, bias=False)
        counts = network(layer, counts.shape[1], ones)(counts)
    edge = (kernel - 1) * (2**layers - 1)  # near the edge, fewer stamps meet
    inside = counts[0, edge:-edge, edge:-edge, 0]
    return counts[0, ..., 0], float(inside.std() / inside.mean())


counts = {(k, depth): overlap(k, depth) for depth in (1, 2) for k in KERNELS}

# %% Pictures


def show(axes, image, title, *, numbers=True):
    """A small matrix with its numbers, orange below zero and blue above."""
    reach = abs(image).max()
    axes.imshow(image, SIGNED, vmin=-1.6 * reach, vmax=1.6 * reach)
    for (i, j), value in np.ndenumerate(image):
        if numbers and value:
            axes.text(j, i, f"{value:g}", ha="center", va="center", fontsize=9, color=INK)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(True)


@styled
def draw_matrices(figure):
    wide, tall = figure.subplots(1, 2, width_ratios=[2.6, 1])
    n, m = SIZE * SIZE, small * small
    show(wide, A, f"A: convolution, {n} pixels to {m}")
    show(tall, AT, f"Aᵀ: transposed, {m} to {n}")
    tall.set_aspect("auto")
    size = abs(AT @ A - np.eye(n)).max()
    wide.set_xlabel(
        f"⟨A x, y⟩ = {left:g} = {right:g} = ⟨x, Aᵀ y⟩\n"
        f"largest entry of Aᵀ A − 1: {size:g}, so Aᵀ is not the inverse"
    )


@styled
def draw_scatter(figure):
    value = y[0, ..., 0]
    panels = figure.subplots(1, value.size + 2)
    show(panels[0], value, "input y")
    for axes, (i, j) in zip(panels[1:], np.ndindex(value.shape), strict=False):
        stamp = np.zeros_like(y)
        stamp[0, i, j] = value[i, j]
        show(axes, transposed(stamp)[0, ..., 0], f"{value[i, j]:g} × kernel")
        axes.set_xlabel("+" if (i + 1, j + 1) != value.shape else "=")
    show(panels[-1], transposed(y)[0, ..., 0], "output: the sum")


@styled
def draw_checkerboards(figure):
    for axes, ((k, depth), (image, uneven)) in zip(
        figure.subplots(2, len(KERNELS)).ravel(), counts.items(), strict=True
    ):
        middle = len(image) // 2
        cut = image[middle - 8 : middle + 8, middle - 8 : middle + 8]
        bar = axes.imshow(cut, "Blues", vmin=0)
        figure.colorbar(bar, ax=axes, shrink=0.75)
        axes.set(title=f"kernel {k}, {depth} layer{'s' * (depth > 1)}", xticks=[], yticks=[])
        axes.set_xlabel(f"uneven: {uneven:.0%}")
    figure.suptitle(f"Stamps that meet in each pixel, stride {STRIDE} (the middle 16 × 16 pixels)")


for name, draw, size in (
    ("matrix.png", draw_matrices, (13, 6)),
    ("scatter.png", draw_scatter, (13, 3)),
    ("checkerboard.png", draw_checkerboards, (13, 5.6)),
):
    figure = picture(*size)
    draw(figure)
    save_picture(figure, out.path(name))

out.save_metrics(
    adjoint=[left, right],
    transposed=bool(np.array_equal(AT, A.T)),
    sizes_agree=all(formula == got and back == SIZE for formula, got, back in sizes),
    uneven={f"kernel {k}, {depth} layers": uneven for (k, depth), (_, uneven) in counts.items()},
)
print(f"Files: {out.folder}")
