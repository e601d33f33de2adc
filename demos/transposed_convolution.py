"""A transposed convolution, seen in three ways, and where checkerboards come from.

A convolution is linear: if an image is written as one long vector x, its output is A x. The rows
of the matrix A hold the same kernel, each moved along a bit. A transposed convolution multiplies
by Aᵀ; it is nothing more than that.

What to look at:
- matrix.png: A and Aᵀ of a row of pixels, each found by sending single pixels through the layer,
  column by column. From one row of A to the next, the kernel moves by the stride. Aᵀ is not the
  inverse of A: Aᵀ A is not the identity.
- scatter.png: the same as stamping, on an image. Each input pixel stamps the kernel, times its
  value, into the output, one stride further than its neighbour. Where stamps overlap (outlined),
  they add.
- checkerboard.png: how many stamps meet in each output pixel. If the stride does not divide the
  kernel's size, the number changes from pixel to pixel: a checkerboard before anything is learned,
  and worse with each layer ("uneven" is the standard deviation over the mean). This is why DCGANs
  take kernel 4 and stride 2; weights can still learn a checkerboard. (Odena, Dumoulin & Olah 2016,
  "Deconvolution and checkerboard artifacts".)
- cure.png: networks that learn to enlarge smooth pictures, 4 × 4 to 16 × 16, before and after. One
  doubles the size by copying each pixel to 2 × 2 and then takes an ordinary convolution: every
  output pixel is a sum of equally many products. "Rough" is what a smoothing by 1, 2, 1 takes away,
  as a multiple of what it takes from the true pictures. Training cures kernel 4, but not kernel 3
  (seeds 0 to 2, after training: kernel 3 3.6 to 3.7, kernel 4 1.3 to 1.8, copies 1.2 to 1.5).
- The printed table: sizes, (H − 1) S − 2P + K + output_padding. With a stride, a convolution turns
  several input sizes into the same output size; output_padding says which of them is meant.

What to try next: other kernels and strides in the constants; which pairs of them are even?
It takes ten seconds.

Files: matrix.png, scatter.png, checkerboard.png, cure.png, metrics.json.
"""

import itertools

import numpy as np
from matplotlib.patches import Rectangle
from scipy.ndimage import convolve1d

from minigan import (
    Adam,
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    LinearDecay,
    ReLU,
    Sequential,
    Upsample,
)
from minigan.plotting import INK, SIGNED, minus, picture, save_picture, styled
from support.demo import start

# %% Constants

SIZE, KERNEL, STRIDE = 7, 3, 2  # of the convolution: 7 pixels -> 3
KERNELS, SHOWN, GRID = (2, 3, 4, 5, 6), (3, 5, 4), 16  # of the checkerboards, of 16 × 16 pixels

STEPS, QUICK_STEPS, BATCH, CHANNELS = 600, 30, 32, 8  # of the networks that enlarge pictures

FILES = ["matrix.png", "scatter.png", "checkerboard.png", "cure.png"]
options, out = start("transposed_convolution", __doc__, FILES)
rng = np.random.default_rng(options.seed)

# %% A convolution and the transposed one with the same kernel, as matrices

small = (SIZE - KERNEL) // STRIDE + 1


def network(layer, shape, weight):
    found = Sequential([layer], (*shape, 1), rng=0, dtype="float64")
    found.layers[0].weight[...] = weight
    return found


def matrix(network):
    """The layer as a matrix: column i is the output for the image whose only 1 is pixel i."""
    height, width, _ = network.input_shape
    pixels = np.eye(height * width).reshape(-1, height, width, 1)
    return network(pixels).reshape(height * width, -1).T


kernel = np.array([2.0, 3.0, -1.0]).reshape(1, KERNEL, 1, 1)  # of images one pixel high
conv = network(Conv2d(1, 1, (1, KERNEL), (1, STRIDE), bias=False), (1, SIZE), kernel)
transposed = network(
    ConvTranspose2d(1, 1, (1, KERNEL), (1, STRIDE), bias=False), (1, small), kernel
)
A, AT = matrix(conv), matrix(transposed)
x = rng.integers(-3, 4, (1, 1, SIZE, 1)).astype(float)
y = np.array([1.0, 2.0, -1.0]).reshape(1, 1, small, 1)
left, right = float((conv(x) * y).sum()), float((x * transposed(y)).sum())
print(
    f"largest difference of the second matrix from the first one's transpose: {abs(AT - A.T).max()}"
)
print(f"<conv(x), y> = {left:g} = {right:g} = <x, convT(y)>")

# %% The same for an image: 2 × 2 pixels become 5 × 5

whole_numbers = np.delete(np.arange(KERNEL**2 + 1) - 3, 3)  # easy to check by hand; none is 0
weight = rng.permutation(whole_numbers).reshape(KERNEL, KERNEL, 1, 1)
stamp = network(ConvTranspose2d(1, 1, KERNEL, STRIDE, bias=False), (2, 2), weight)
image = np.array([1.0, 2.0, -1.0, 3.0]).reshape(1, 2, 2, 1)

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
        counts = network(layer, counts.shape[1:3], ones)(counts)
    edge = (kernel - 1) * (2**layers - 1)  # near the edge, fewer stamps meet
    inside = counts[0, edge:-edge, edge:-edge, 0]
    return counts[0, ..., 0], float(inside.std() / inside.mean())


counts = {(k, depth): overlap(k, depth) for depth in (1, 2) for k in KERNELS}

# %% The cure, before and after training: to enlarge smooth pictures


def smooth(n):
    """Pictures (n, 16, 16, 1): the sum of two wide bumps each."""
    middle, width = rng.uniform(2, 14, (n, 2, 2, 1)), rng.uniform(2.5, 4, (n, 2, 1, 1))
    bumps = np.exp(-(((np.arange(16) - middle) / width) ** 2) / 2)  # along rows and columns
    return np.einsum("nki,nkj->nij", bumps[:, :, 0], bumps[:, :, 1])[..., None]


def roughness(images):
    """The root mean square of what a smoothing by 1, 2, 1 in both directions takes away."""
    smoothed = images
    for axis in (1, 2):
        smoothed = convolve1d(smoothed, [0.25, 0.5, 0.25], axis=axis, mode="nearest")
    return np.sqrt(((images - smoothed)[:, 2:-2, 2:-2] ** 2).mean())


def enlarge(layer):
    """layer(inputs, outputs): the layers that double the size."""
    return [*layer(1, CHANNELS), ReLU(), *layer(CHANNELS, 1)]


ENLARGERS = {
    "transposed, kernel 3": lambda c, o: [ConvTranspose2d(c, o, 3, 2, 1, 1)],
    "transposed, kernel 4": lambda c, o: [ConvTranspose2d(c, o, 4, 2, 1)],
    "copies, convolution": lambda c, o: [Upsample(2), Conv2d(c, o, 3, 1, 1)],
}
shrink = Sequential([AvgPool2d(4)], (16, 16, 1), rng=0, dtype="float64")
true = smooth(500)
steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
looks, rough, WHEN = {}, {}, ("before", "after")
for name, layer in ENLARGERS.items():
    enlarger = Sequential(enlarge(layer), (4, 4, 1), rng=rng, dtype="float64")
    optimizer, schedule = Adam(enlarger, 1e-2), LinearDecay(steps)
    before = enlarger(shrink(true))
    for step in range(steps):
        wanted = smooth(BATCH)
        made, caches = enlarger.forward(shrink(wanted))
        enlarger.set_gradients(2 * (made - wanted) / made.size, caches)  # of the mean square
        optimizer.step(schedule(step))
    looks[name] = before, enlarger(shrink(true))
    rough[name] = [float(roughness(look) / roughness(true)) for look in looks[name]]
    print(f"{name:20} rough: {rough[name][0]:.1f} before training, {rough[name][1]:.2f} after")

# %% Pictures


def show(axes, image, title, reach=None, outlined=None):
    """A small matrix with its numbers, orange below zero and blue above. outlined: which pixels."""
    reach = 1.6 * (abs(image).max() if reach is None else reach)
    axes.imshow(image, SIGNED, vmin=-reach, vmax=reach)
    for (i, j), value in np.ndenumerate(image):
        if value:
            text = minus(f"{value:g}")
            axes.text(j, i, text, ha="center", va="center", size=9.5, color=INK)
        if outlined is not None and outlined[i, j]:
            box = {"fill": False, "edgecolor": INK, "linewidth": 1.5}
            axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, **box))
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(True)


@styled
def draw_matrices(figure):
    panels = figure.subplots(1, 3, width_ratios=[SIZE, small, SIZE])
    product = AT @ A
    show(panels[0], A, f"A: convolution\n{SIZE} pixels to {small}")
    show(panels[1], AT, f"Aᵀ: transposed\n{small} to {SIZE}")
    show(panels[2], product, "Aᵀ A: not\nthe identity")
    panels[0].set_xlabel("each row is the kernel,\nmoved by the stride")
    panels[1].set_xlabel("each column is\nthe kernel")
    text = f"⟨A x, y⟩ = {left:g}\n⟨x, Aᵀ y⟩ = {right:g}"
    panels[2].set_xlabel(minus(text))


@styled
def draw_scatter(figure):
    value, reach = image[0, ..., 0], abs(stamp(image)).max()
    meets = stamp_count(np.ones((2, 2)))[0, ..., 0] > 1
    above, below = figure.subplots(2, 4)
    show(above[0], weight[..., 0, 0], "")
    show(above[1], value, "")
    show(above[2], stamp(image)[0, ..., 0], "output", reach, meets)
    for axes, name, size in ((above[0], "kernel", KERNEL), (above[1], "input", 2)):
        axes.set(xlim=(-0.5, 4.5), ylim=(4.5, -0.5), frame_on=False)  # pixels as of the output
        axes.set_title(name, loc="left")
        axes.add_patch(Rectangle((-0.5, -0.5), size, size, fill=False, edgecolor=INK))
    above[2].set_xlabel("the sum of the stamps below")
    above[3].set_axis_off()
    above[3].text(0, 0.5, "outlined: where\ntwo or more\nstamps meet", va="center")
    for axes, (i, j) in zip(below, np.ndindex(value.shape), strict=True):
        one = np.zeros_like(image)
        one[0, i, j] = value[i, j]
        title = minus(f"{value[i, j]:g} × kernel")
        show(axes, stamp(one)[0, ..., 0], title, reach)


def stamp_count(pixels):
    """How many stamps of the kernel meet in each pixel, (1, …, …, 1)."""
    layer = ConvTranspose2d(1, 1, KERNEL, STRIDE, bias=False)
    return network(layer, pixels.shape, np.ones_like(weight))(pixels[None, ..., None])


@styled
def draw_checkerboards(figure):
    shown = [(k, depth) for depth in (1, 2) for k in SHOWN]
    for axes, (k, depth) in zip(figure.subplots(2, 3).ravel(), shown, strict=True):
        image, uneven = counts[k, depth]
        middle = len(image) // 2
        cut = image[middle - 8 : middle + 8, middle - 8 : middle + 8]
        bar = axes.imshow(cut / cut.mean(), "Blues", vmin=0, vmax=2.5)
        name = f"kernel {k}, {depth} layer{'s' * (depth > 1)}"
        axes.set(title=f"{name}\nuneven: {uneven:.0%}", xticks=[], yticks=[])
    figure.colorbar(bar, ax=figure.axes, shrink=0.7, label="stamps that meet, over the mean")
    figure.suptitle(f"Stride {STRIDE}: the middle 16 × 16 pixels")


@styled
def draw_cure(figure):
    panels = figure.subplots(2, 4)
    for axes, title, image in zip(
        panels[:, 0], ("input", "true"), (shrink(true[:1]), true), strict=True
    ):
        axes.imshow(image[0, ..., 0], "Blues")
        axes.set(title=title)
    for column, name in zip(panels.T[1:], looks, strict=True):
        column[0].set_title(name.replace(", ", ",\n"))
        for axes, when, images, value in zip(column, WHEN, looks[name], rough[name], strict=True):
            axes.imshow(images[0, ..., 0], "Blues")
            axes.set_xlabel(f"{when}: {value:.1f} times")
    figure.suptitle(
        "Enlarged, before and after training; how many times as rough as the true pictures"
    )
    for axes in panels.ravel():
        axes.set(xticks=[], yticks=[])


for name, draw, height in (
    ("matrix.png", draw_matrices, 3.6),
    ("scatter.png", draw_scatter, 4.6),
    ("checkerboard.png", draw_checkerboards, 6),
    ("cure.png", draw_cure, 5.2),
):
    figure = picture(8, height)
    draw(figure)
    save_picture(figure, out.path(name))

out.save_metrics(
    adjoint=[left, right],
    transposed=bool(np.array_equal(AT, A.T)),
    rough=rough,
    sizes_agree=all(formula == got and back == SIZE for formula, got, back in sizes),
    uneven={f"kernel {k}, {depth} layers": uneven for (k, depth), (_, uneven) in counts.items()},
)
print(f"Files: {out.folder}")
