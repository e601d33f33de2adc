"""Pictures of digits over a run: for mnist.py and conditional.py. A look is (step, images)."""

import numpy as np

from minigan import plotting

__all__ = ["save_images", "save_movie", "save_progress"]


def save_images(path, images, columns, size, title):
    """One sheet of images (N, 28, 28, 1). size: of the figure, in inches."""
    figure = plotting.picture(*size)
    plotting.draw_images(figure, images, columns, title)
    plotting.save_picture(figure, path)


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
    figure = plotting.picture(13, 4.4)
    plotting.draw_progress(figure, steps, images, losses, title=title, **curves)
    plotting.save_picture(figure, path)
