"""Generated images: as one sheet, or in rows, over the steps of training."""

import math

import numpy as np

from minigan.plotting.curves import draw_losses
from minigan.plotting.style import styled

__all__ = ["draw_images", "draw_progress", "show_rows", "tile"]


def tile(images, columns, gap=2):
    """One image of all, row by row: (N, H, W, C) -> (rows (H + gap) − gap, ..., C).

    Values are in [−1, 1], as networks make them; gaps and places without an image are white (1).
    """
    n, height, width, channels = images.shape
    rows = math.ceil(n / columns)
    places = np.ones((rows * columns, height + gap, width + gap, channels), images.dtype)
    places[:n, :height, :width] = images
    sheet = places.reshape(rows, columns, *places.shape[1:]).swapaxes(1, 2)
    sheet = sheet.reshape(rows * (height + gap), columns * (width + gap), channels)
    return sheet[: -gap or None, : -gap or None]


@styled
def draw_images(figure, images, columns, title=""):
    """Images (N, H, W, 1 or 3) in [−1, 1] as one sheet."""
    axes = figure.subplots()
    _show(axes, tile(images, columns))
    axes.set_title(title)


@styled
def draw_progress(figure, steps, images, losses, *, title="", note="", balance=None, unit=""):
    """Images (T, M, H, W, C) of the same M latent vectors, a row for each of T steps; the losses.

    losses: two arrays (of D, of G), over all steps. balance, unit: see `draw_losses`. note: a line
    about the losses.
    """
    above, below = figure.subfigures(2, 1, height_ratios=[1.75, 1])
    history, curves = above.subplots(), below.subplots()
    show_rows(history, images, [f"{step:,}" for step in steps])
    history.set(ylabel="step", title=title)
    draw_losses(curves, *losses, balance=balance, unit=unit)
    if note:
        curves.set_title(f"Losses: {note}")


def show_rows(axes, images, labels, gap=2):
    """Images (T, M, H, W, C) as T rows of M, each with its label."""
    _show(axes, tile(images.reshape(-1, *images.shape[2:]), images.shape[1], gap))
    axes.set_axis_on()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])
    height = images.shape[2]
    axes.set_yticks(np.arange(len(labels)) * (height + gap) + (height - 1) / 2, labels)


def _show(axes, sheet):
    """Greys for one channel, colours for three."""
    axes.imshow(sheet[..., 0] if sheet.shape[2] == 1 else (sheet + 1) / 2, "gray", vmin=-1, vmax=1)
    axes.set_axis_off()
