"""Which class was asked for, and which one a classifier sees."""

import numpy as np

from minigan.plotting.style import INK, PAPER, styled

__all__ = ["draw_confusion"]


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
