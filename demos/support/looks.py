"""`Observer`: what there is to see of a game on the plane, for the pictures of toy.py."""

import numpy as np

from minigan import OBJECTIVES, MomentMatching, witness
from minigan.data import GaussianMixture
from minigan.metrics import ModeCoverage, mode_coverage
from minigan.plotting import Moment
from support.verdict import plane_points, scaled, verdict

__all__ = ["Observer", "coverage_figures", "quiet", "relapse", "restored"]

JUDGED, ARROWS = 500, 60  # of the generated samples: with a gradient; with an arrow
GRID = 100  # points per side of the plane at which D is asked


class Observer:
    """Looks at a game, always with the same noise, so that the pictures show how points move.

    gan: the game. recipe: its `Recipe`. data: a toy. real: samples of it (n, 2). centre, scale: the
    networks see (x − centre) / scale. z: noise (m, dimension). A look changes nothing in the game.
    has_modes: whether the data have modes of one width, which can be counted. log_odds: whether a
    logit of 0 means that D cannot tell.
    """

    def __init__(self, gan, recipe, data, real, centre, scale, z):
        self.gan, self.data, self.z = gan, data, z
        self.centre, self.scale = centre, scale
        self.real = gan.asarray((real[:JUDGED] - centre) / scale)
        self.points = gan.asarray((plane_points(data.extent, GRID) - centre) / scale)
        self.has_modes = isinstance(data, GaussianMixture) and np.ndim(data.sigma) == 0
        self.log_odds = recipe.objective in OBJECTIVES and gan.objective.log_odds

    def look(self, step):
        """The `Moment` at this step, and its `ModeCoverage` (None without modes)."""
        fake = self.gan.generate(self.z)
        on_device = self.gan.asarray(fake[:JUDGED])
        _, d_fake = self.gan.feedback(on_device, self.real)
        arrows = -self.gan.generator.backend.to_numpy(d_fake[:ARROWS])
        background = self._verdict(on_device).reshape(GRID, GRID)
        fake = fake * self.scale + self.centre
        if not self.has_modes:
            return Moment(step, fake, arrows, background), None
        c = mode_coverage(fake, self.data.means, self.data.sigma)
        caption = f"{c.modes}/{c.modes_total} modes, {c.high_quality:.0%} high quality"
        return Moment(step, fake, arrows, background, caption), c

    def _verdict(self, fake):
        if isinstance(self.gan, MomentMatching):  # no D; the kernel's witness takes its place
            gan, backend = self.gan, self.gan.generator.backend
            heights = witness(self.points, self.real, fake, gan.bandwidths, backend=backend)
            return scaled(backend.to_numpy(heights))
        return verdict(self.gan.discriminator, self.points, self.real, fake, self.log_odds)


def restored(looks):
    """The same looks; a checkpoint holds dicts in place of a `Moment` and its `ModeCoverage`."""
    return [
        (Moment(**moment), c and ModeCoverage(**c)) if isinstance(moment, dict) else (moment, c)
        for moment, c in looks
    ]


def coverage_figures(c):
    """What metrics.json says about the modes: the figures of a `ModeCoverage`, or None for each."""
    names = "modes", "modes_total", "high_quality", "reverse_kl", "spread", "width"
    return {name: c and getattr(c, name) for name in names}


def relapse(shares):
    """Where a game lost most of what it had reached: an index into shares, or None.

    shares: rows (step, captured modes, high-quality samples). A fall by less than a fifth of all
    samples, from the best so far, is none.
    """
    good = np.array([row[2] for row in shares])
    fall = np.maximum.accumulate(good) - good if len(good) else np.zeros(1)
    return int(fall.argmax()) if fall.max() > 0.2 else None


def quiet(losses, step):
    """Whether the mean loss just around this step is within 5 % of that of a longer stretch."""
    near, far = (
        np.mean(losses[max(0, step - reach) : step + reach])
        for reach in (max(1, len(losses) // 50), max(1, len(losses) // 6))
    )
    return bool(abs(near - far) < 0.05 * abs(far))
