"""The look of all pictures, and how they are written.

Figures are made without pyplot: no window system, no global list of open figures, nothing to
close. What is real is blue and what is generated is orange, everywhere; the colours are those of
Okabe and Ito, which colour-blind people can tell apart, on screens and on a projector.
"""

import json

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image, PngImagePlugin

from minigan.files import replacing

__all__ = [
    "FAKE",
    "INK",
    "JUDGEMENT",
    "OTHERS",
    "PAPER",
    "REAL",
    "SIGNED",
    "STYLE",
    "captions",
    "minus",
    "picture",
    "save_animation",
    "save_picture",
    "styled",
]

REAL, FAKE, INK, PAPER = "#0072B2", "#D55E00", "#222222", "#FFFFFF"

#: For what is neither real nor generated: green, purple, sky blue, amber, grey.
OTHERS = ("#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#888888")

#: The verdict of D: pale orange for "fake", white for "cannot tell", pale blue for "real". Pale, so
#: that the samples can be seen on it; in 15 shades, whose edges are contour lines.
JUDGEMENT = LinearSegmentedColormap.from_list("judgement", ["#F3B48B", PAPER, "#86BEE3"], N=15)

#: Numbers with a sign: orange below zero, white at it, blue above.
SIGNED = LinearSegmentedColormap.from_list("signed", [FAKE, PAPER, REAL])

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that all machines draw alike
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.labelsize": 10,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.markerscale": 3,
    "image.interpolation": "nearest",
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}

#: Decorator: what is drawn inside has the style, and the user's own settings stay as they are.
styled = matplotlib.rc_context(STYLE)

#: Pixels per inch: of frames, and of pictures, which are to be sharp on a slide, too.
DPI, SHARP = 100, 150


@styled
def picture(width, height):
    """An empty figure of width × height inches.

    At most 8 inches wide, its text of 10 points can be read where it is shown 800 pixels wide.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@styled
def save_picture(figure, path):
    """Write the figure to `path` as PNG, completely or not at all, its captions in the metadata."""
    figure.set_dpi(SHARP)
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Captions", json.dumps(captions(figure)))
    with replacing(path) as temporary:
        _render(figure).save(temporary, "PNG", optimize=True, pnginfo=notes)
    figure.set_dpi(DPI)


def captions(figure):
    """All texts of a figure but the numbers along its axes, as they were drawn."""
    along = (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis))
    ticks = {text for axis in along for text in axis.get_ticklabels(which="both")}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text not in ticks]
    return [text.get_text() for text in texts if text.get_text()]


def minus(number):
    """The text of a number, with a minus sign in place of a hyphen: "−0.5"."""
    return number.replace("-", "−")


@styled
def save_animation(figure, path, draw, frames, *, seconds=0.125, last=2.0):
    """Write a GIF that repeats for ever: draw(frame) fills the emptied figure for each frame.

    seconds: how long a frame is shown; last: how long the last one.
    """
    images = []
    for frame in frames:
        figure.clear()
        draw(frame)
        images.append(_render(figure))
    if not images:
        raise ValueError("frames: expected at least one frame, got none")
    duration = [round(1000 * seconds)] * (len(images) - 1) + [round(1000 * last)]
    with replacing(path) as temporary:
        images[0].save(
            temporary, "GIF", save_all=True, append_images=images[1:], duration=duration, loop=0
        )


def _render(figure):
    """The figure as an image of 256 colours, a fifth of the size of one with all colours.

    "Maximum coverage" keeps rare colours, such as those of a few dots, as they are.
    """
    figure.canvas.draw()
    image = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    return image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
