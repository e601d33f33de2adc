"""Pictures of games, from arrays: nothing here depends on networks or GANs.

`style` has the look that all pictures share and writes them to files; `curves` draws losses,
`lines` distributions on a line, `plane` a GAN on 2-D data, `images` generated images,
`translation` samples of two domains and their translations. A `draw_…` function fills a figure or
axes that exist, so that the same function serves a picture and each frame of an animation:

    figure = picture(8, 4)
    draw_moments(figure, ...)
    save_picture(figure, "picture.png")
"""

from minigan.plotting.curves import draw_losses, draw_shares, draw_stretches
from minigan.plotting.images import draw_images, draw_progress, show_rows, tile
from minigan.plotting.lines import draw_densities
from minigan.plotting.plane import Moment, draw_frame, draw_moment, draw_moments
from minigan.plotting.style import (
    FAKE,
    INK,
    JUDGEMENT,
    OTHERS,
    REAL,
    SIGNED,
    STYLE,
    captions,
    minus,
    picture,
    save_animation,
    save_picture,
    styled,
)
from minigan.plotting.translation import draw_cycle_error, draw_moves, draw_translations

__all__ = [
    "FAKE",
    "INK",
    "JUDGEMENT",
    "OTHERS",
    "REAL",
    "SIGNED",
    "STYLE",
    "Moment",
    "captions",
    "draw_cycle_error",
    "draw_densities",
    "draw_frame",
    "draw_images",
    "draw_losses",
    "draw_moment",
    "draw_moments",
    "draw_moves",
    "draw_progress",
    "draw_shares",
    "draw_stretches",
    "draw_translations",
    "minus",
    "picture",
    "save_animation",
    "save_picture",
    "show_rows",
    "styled",
    "tile",
]
