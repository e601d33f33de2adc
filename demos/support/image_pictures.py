"""Pictures of digits over a run: for mnist.py and conditional.py. A look is (step, images)."""

import numpy as np

from minigan import plotting
from minigan.plotting.images import show_rows
from minigan.plotting.style import INK, PAPER, styled

__all__ = [
    "draw_confusion",
    "save_images",
    "save_movie",
    "save_progress",
    "save_rows",
]


def save_images(path, images, columns, size, title):
    """One sheet of images (N, 28, 28, 1). size: of the figure, in inches."""
    figure = plotting.picture(*size)
    plotting.draw_images(figure, images, columns, title)
    plotting.save_picture(figure, path)


def save_rows(path, images, labels, name, size, title):
    """Images (rows · columns, 28, 28, 1), a row for each of the labels, which are called `name`."""
    figure = plotting.picture(*size)
    _draw_rows(figure, images.reshape(len(labels), -1, *images.shape[1:]), labels, name, title)
    plotting.save_picture(figure, path)


@styled
def _draw_rows(figure, images, labels, name, title):
    axes = figure.subplots()
    show_rows(axes, images, labels)
    axes.set(title=title, ylabel=name)


def save_movie(path, looks, columns, size):
    """A sheet per look, as an animation."""
    figure = plotting.picture(*size)

    def draw(look):
        plotting.draw_images(figure, look[1], columns, f"step {look[0]:,}")

    plotting.save_animation(figure, path, draw, looks)


def save_progress(path, looks, losses, title, **curves):
    """A row of images for each of five looks, beside the losses. curves: as for `draw_progress`."""
    rows = sorted({round((len(looks) - 1) * part) for part in (1 / 24, 1 / 8, 1 / 4, 1 / 2, 1)})
    steps, images = [looks[row][0] for row in rows], np.stack([looks[row][1] for row in rows])
    figure = plotting.picture(8, 5.6)
    plotting.draw_progress(figure, steps, images, losses, title=title, **curves)
    plotting.save_picture(figure, path)


@styled
def draw_confusion(figure, shares, title=""):
    """A confusion matrix (K, K): row k, which sums to 1, has the shares of what k was taken for."""
    axes, classes = figure.subplots(), np.arange(len(shares))
    image = axes.imshow(100 * shares, "Blues", vmin=0, vmax=100)
    for row, column in np.argwhere(shares >= 0.005):  # what rounds to 0 stays empty
        percent = f"{100 * shares[row, column]:.0f}"
        colour = PAPER if shares[row, column] > 0.5 else INK
        axes.text(column, row, percent, ha="center", va="center", color=colour)
    axes.set(xticks=classes, yticks=classes, title=title)
    axes.set(xlabel="classified as", ylabel="asked for")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the row [%]")
