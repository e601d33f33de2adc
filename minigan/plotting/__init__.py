"""Every picture that the demos draw, from arrays: nothing here knows of networks or of GANs.

`style` has the look that all pictures share and writes them to files; `curves` draws losses,
`plane` a GAN on 2-D data, `images` generated images, `confusion` what a classifier sees in them,
`translation` samples of two domains on their way to and fro. A `draw_…` function fills a figure
that `picture` has made, so that the same function serves a picture and each frame of an animation:

    figure = picture(12, 4)
    draw_moments(figure, ...)
    save_picture(figure, "picture.png")
"""

from minigan.plotting.confusion import draw_confusion
from minigan.plotting.curves import draw_losses, draw_shares, summarize
from minigan.plotting.images import draw_images, draw_progress, tile
from minigan.plotting.plane import Moment, draw_frame, draw_moment, draw_moments
from minigan.plotting.style import (
    STYLE,
    picture,
    replacing,
    save_animation,
    save_picture,
)
from minigan.plotting.translation import draw_cycle_error, draw_moves, draw_translations

__all__ = [
    "STYLE",
    "Moment",
    "draw_confusion",
    "draw_cycle_error",
    "draw_frame",
    "draw_images",
    "draw_losses",
    "draw_moment",
    "draw_moments",
    "draw_moves",
    "draw_progress",
    "draw_shares",
    "draw_translations",
    "picture",
    "replacing",
    "save_animation",
    "save_picture",
    "summarize",
    "tile",
]
