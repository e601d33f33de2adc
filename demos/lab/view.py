"""`View`: an experiment on a figure, for the frames of a GIF."""

import textwrap

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba

from lab.mesh import mesh_cells
from minigan.plotting.plane import arrow_lengths
from minigan.plotting.style import FAKE, INK, JUDGEMENT, REAL, styled

__all__ = ["View"]

#: Fakes with an arrow.
ARROWS = 50

#: Characters per line of the text above the plane.
LINE = 64

#: Ink per cell of the mesh, its opacity times its share of the window's area; highest opacity.
MESH_INK, MESH_DARKEST = 0.0006, 0.5


class View:
    """Draws looks, losses and divergences on the empty `figure`.

    Real samples are blue, generated ones orange; the background is D's verdict.
    """

    @styled
    def __init__(self, figure, experiment):
        figure.set_layout_engine("none")  # laid out by hand: fast, and nothing jumps
        self.plane = figure.add_axes((0.07, 0.15, 0.52, 0.69))
        self.losses = figure.add_axes((0.67, 0.57, 0.30, 0.33))
        self.distances = figure.add_axes((0.67, 0.10, 0.30, 0.33))
        self.title = figure.text(0.07, 0.95, "", weight="bold", size=14)
        self.text = figure.text(0.07, 0.935, "", size=11, va="top")
        self.extent = extent = experiment.extent
        self._verdict = self.plane.imshow(
            np.zeros((2, 2)), JUDGEMENT, extent=extent, origin="lower", vmin=-1, vmax=1,
            interpolation="bilinear", aspect="equal",
        )  # fmt: skip
        mesh = LineCollection if experiment.settings.noise_dimension == 1 else PolyCollection
        self._mesh = self.plane.add_collection(mesh([], color=FAKE, linewidths=0.5), autolim=False)
        dots = {"linewidths": 0, "zorder": 3}
        self._real = self.plane.scatter([], [], s=16, color=REAL, label="real", **dots)
        self._fake = self.plane.scatter([], [], s=9, color=FAKE, label="generated", **dots)
        self.plane.set(xlim=extent[:2], ylim=extent[2:], xlabel="$x_1$", ylabel="$x_2$")
        self.plane.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, markerscale=2, columnspacing=1
        )
        self._begin_curves(experiment.settings)

    def _begin_curves(self, settings):
        draw = self.losses.plot
        self._loss_d = draw([], [], color=INK, label="discriminator")[0]
        self._loss_g = draw([], [], color=FAKE, label="generator")[0]
        draw = self.distances.plot
        self._kl = draw([], [], color=INK, label="KL(data ‖ generated)")[0]
        self._js = draw([], [], color=REAL, linestyle="--", label="Jensen-Shannon")[0]
        self.losses.set(title="Losses", ylabel="loss" if settings.is_critic else "loss [nats]")
        self.distances.set(title="Distance to the data", ylabel="divergence [nats]")
        for axes in (self.losses, self.distances):
            axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="step")
            axes.legend(loc="upper right")

    @styled
    def show(self, look, shows, title, text, history=(), divergences=()):
        """Draw one moment, and both curves up to it."""
        self.title.set_text(title)
        self.text.set_text(textwrap.fill(text, LINE))
        self._verdict.set_data(look.verdict * ("verdict" in shows))
        self._real.set_offsets(look.real if "real" in shows else np.empty((0, 2)))
        self._fake.set_offsets(look.fake if "fake" in shows else np.empty((0, 2)))
        self._show_mesh(mesh_cells(look.mesh if "mesh" in shows else look.mesh[:0]))
        self._show_push(look if "push" in shows else None)
        _plot(self.losses, history, (self._loss_d, self._loss_g))
        _plot(self.distances, divergences, (self._kl, self._js), bottom=0)

    def _show_mesh(self, cells):
        if isinstance(self._mesh, LineCollection):
            self._mesh.set_segments(cells)
            return
        self._mesh.set_verts(cells)
        x0, x1, y0, y1 = self.extent
        share = _areas(cells) / ((x1 - x0) * (y1 - y0))
        opacity = np.minimum(MESH_INK / np.maximum(share, 1e-9), MESH_DARKEST)
        opacity = np.nan_to_num(opacity)  # a generator that has diverged draws nothing
        self._mesh.set_facecolors([to_rgba(FAKE, alpha) for alpha in opacity])
        self._mesh.set_edgecolors([to_rgba(FAKE, alpha / 2) for alpha in opacity])

    def _show_push(self, look):
        if look is not None:
            arrows = 0.6 * arrow_lengths(look.push[:ARROWS], self.extent)
            self.plane.quiver(
                *look.fake[: len(arrows)].T, *arrows.T, color=INK, angles="xy", scale_units="xy",
                scale=1, width=0.005, zorder=4,
            )  # fmt: skip


def _areas(cells):
    """Areas of quadrilaterals (n, 4, 2), by the shoelace formula."""
    x, y = cells[..., 0], cells[..., 1]
    return 0.5 * np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1))


def _plot(axes, rows, curves, bottom=None):
    """Put the columns of rows (x, y, y') into two curves and fit the axes around them."""
    table = np.asarray(rows, np.float64).reshape(-1, 3)
    table = table[np.isfinite(table).all(axis=1)]
    for curve, values in zip(curves, table.T[1:], strict=True):
        curve.set_data(table[:, 0], values)
    if len(table):
        low, high = table[:, 1:].min(), table[:, 1:].max()
        margin = max(high - low, 1e-3)
        axes.set_xlim(0, max(table[-1, 0], 1))
        axes.set_ylim(low - 0.05 * margin if bottom is None else bottom, high + 0.4 * margin)
