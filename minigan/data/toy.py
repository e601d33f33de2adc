"""The toy distributions that GANs are usually tried on, with the constants of the literature.

    toy("ring").sample(256, np.random.default_rng(0))      # (256, 2) float64

First come the shapes that are not Gaussian mixtures, then `TOYS`, with a name and the constants
of each toy. Only swiss-roll, moons, pinwheel and ganlab-ring have no exact density.

Sources: VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and PacGAN (Lin et al. 2018,
arXiv:1712.04086); improved_wgan_training (Gulrajani et al. 2017, arXiv:1704.00028),
`gan_toy.py`; FFJORD (Grathwohl et al. 2019, arXiv:1810.01367), `lib/toy_data.py`; GAN Lab (Kahng
et al. 2019, arXiv:1809.01587), `ganlab_input_providers.ts`. Where the original spaces its angles
evenly or puts equally many points on each part, samples here are independent: the distribution
is the same, and any number of samples can be drawn. σ is the standard deviation of the noise.
"""

import math
from functools import partial

import numpy as np
from scipy.special import i0e, log_ndtr, logsumexp

from minigan.data.distributions import Distribution, GaussianMixture

__all__ = ["TOYS", "toy"]


def circle(a):
    """The points of the unit circle at the angles a (n,): (n, 2)."""
    return np.stack([np.cos(a), np.sin(a)], axis=1)


def swiss_roll(u):
    """(t cos t, t sin t) / 7.5 with t = 1.5π (1 + 2u)."""
    t = 1.5 * np.pi * (1 + 2 * u)
    return t[:, None] * circle(t) / 7.5


def moons(u):
    """Two interleaved half circles, (cos a, sin a) and (1 − cos a, ½ − sin a), a in [0, π).

    All is multiplied by 2 and moved by (−1, −0.2).
    """
    upper = circle(2 * np.pi * (u % 0.5))
    return 2 * np.where(u[:, None] < 0.5, upper, [1, 0.5] - upper) + [-1, -0.2]


def ellipse(u):
    """(0.5 + 0.3 cos a, 0.45 + 0.25 sin a) with a = 2πu."""
    return [0.5, 0.45] + [0.3, 0.25] * circle(2 * np.pi * u)


class NoisyCurve(Distribution):
    """c(u) + σ e with u uniform in [0, 1) and e standard normal in the plane.

    The density is the integral of N(x; c(u), σ² I) over u, which in general has no closed form.
    `curve` maps u (n,) to points (n, 2).
    """

    def __init__(self, curve, sigma, *, name, extent):
        super().__init__(name, 2, extent)
        self.curve, self.sigma = curve, sigma

    def draw(self, n, rng):
        return self.curve(rng.random(n)) + self.sigma * rng.standard_normal((n, 2))


class NoisySegment(NoisyCurve):
    """A uniform point of the segment from `start` to `end`, of length L, plus noise.

    With t the coordinate of x along the segment (0 at its start), s the one across it, and Φ the
    distribution function of the standard normal:

        p(x) = (Φ(t / σ) − Φ((t − L) / σ)) / L · N(s; 0, σ²)
    """

    def __init__(self, start, end, sigma, *, name, extent):
        self.start, self.end = np.array(start, np.float64), np.array(end, np.float64)
        super().__init__(self._point, sigma, name=name, extent=extent)

    def _point(self, u):
        return self.start + u[:, None] * (self.end - self.start)

    def _log_density(self, x):
        length = math.dist(self.start, self.end)
        along = (self.end - self.start) / length
        across = np.array([-along[1], along[0]])
        t, s = (x - self.start) @ along, (x - self.start) @ across
        # Φ(a) − Φ(b) would cancel where both are close to 1. The segment looks the same from
        # either end, so measure t from the nearer one: then b is negative and Φ(b) < ½.
        t = np.minimum(t, length - t)
        log_a, log_b = log_ndtr(t / self.sigma), log_ndtr((t - length) / self.sigma)
        log_along = log_a + np.log1p(-np.exp(log_b - log_a)) - math.log(length)
        log_across = -0.5 * (s / self.sigma) ** 2 - 0.5 * math.log(2 * math.pi * self.sigma**2)
        return log_along + log_across


class NoisyCircles(Distribution):
    """A point on one of several circles around the origin, all equally likely, plus noise.

    With r = |x|, the mean of N(x; (R cos a, R sin a), σ² I) over the angle a contains the modified
    Bessel function I₀:

        p(x | R) = exp(−(r² + R²) / 2σ²) I₀(r R / σ²) / 2πσ²
                 = exp(−(r − R)² / 2σ²) I₀ₑ(r R / σ²) / 2πσ²

    with I₀ₑ(t) = exp(−t) I₀(t), which does not overflow. (The distribution of r is Rice's.)
    """

    def __init__(self, radii, sigma, *, name, extent):
        super().__init__(name, 2, extent)
        self.radii, self.sigma = np.array(radii, np.float64), sigma

    def draw(self, n, rng):
        centre = rng.choice(self.radii, size=n)[:, None] * circle(2 * np.pi * rng.random(n))
        return centre + self.sigma * rng.standard_normal((n, 2))

    def _log_density(self, x):
        r = np.hypot(x[:, 0], x[:, 1])[:, None]  # (n, 1) against radii (circles,)
        log_p = (
            -((r - self.radii) ** 2) / (2 * self.sigma**2)
            + np.log(i0e(r * self.radii / self.sigma**2))
            - math.log(2 * math.pi * self.sigma**2)
        )
        return logsumexp(log_p, b=1 / len(self.radii), axis=1)


class Pinwheel(Distribution):
    """5 bent arms (Johnson et al. 2016, arXiv:1603.06277).

    Draw r ~ N(1, 0.3²) along the arm, t ~ N(0, 0.1²) across it, and one of the arms k; turn (r, t)
    clockwise by the angle 2πk / 5 + 0.25 exp(r), which grows with r; multiply by 2. For the
    density at x one would have to solve for r: there is no closed form.
    """

    def draw(self, n, rng):
        r = 1 + 0.3 * rng.standard_normal(n)
        t = 0.1 * rng.standard_normal(n)
        a = 2 * np.pi * rng.integers(5, size=n) / 5 + 0.25 * np.exp(r)
        cos, sin = np.cos(a), np.sin(a)
        return 2 * np.stack([r * cos + t * sin, t * cos - r * sin], axis=1)


class Checkerboard(Distribution):
    """Uniform on the 8 squares of one colour of a 4 × 4 board, each of side 2.

    p(x) = 1/32 in [−4, 4)² where ⌊x₁ / 2⌋ + ⌊x₂ / 2⌋ is even, else 0.
    """

    def draw(self, n, rng):
        column = rng.integers(-2, 2, size=n)
        row = 2 * rng.integers(-1, 1, size=n) + column % 2  # of the column's parity
        corner = 2.0 * np.stack([column, row], axis=1)
        return corner + 2 * rng.random((n, 2))

    def _log_density(self, x):
        inside = ((x >= -4) & (x < 4)).all(axis=1)
        even = np.floor(x / 2).sum(axis=1) % 2 == 0
        return np.where(inside & even, -math.log(32), -np.inf)


#: (8, 2) points at the angles 2π i / 8, i = 0, …, 7. `np.linspace(0, 2 * np.pi, 8)` would include
#: both 0 and 2π, which are the same point, and leave only 7 modes: published rings have that bug.
EIGHT = circle(2 * np.pi * np.arange(8) / 8)

#: (25, 2) points {−4, −2, 0, 2, 4}², row by row.
LATTICE = np.stack(np.meshgrid(*[np.arange(-4.0, 5.0, 2.0)] * 2), axis=2).reshape(25, 2)

UNIT = (0, 1, 0, 1)


def square(a):
    """The extent [−a, a]²."""
    return -a, a, -a, a


#: Name -> what builds the distribution, given the name.
TOYS = {
    # 8 Gaussians on a circle of radius 1 (VEEGAN, PacGAN).
    "ring": partial(GaussianMixture, EIGHT, 0.01, extent=square(1.5)),
    # 25 Gaussians at {−4, −2, 0, 2, 4}² (VEEGAN, PacGAN).
    "grid": partial(GaussianMixture, LATTICE, 0.05, extent=square(5)),
    # A ring of radius 2 with σ = 0.02 and the grid, divided by such a number that the standard
    # deviation of each coordinate is about 1 (improved_wgan_training).
    "eight-gaussians": partial(GaussianMixture, 2 * EIGHT / 1.414, 0.02 / 1.414, extent=square(2)),
    "twenty-five-gaussians": partial(
        GaussianMixture, LATTICE / 2.828, 0.05 / 2.828, extent=square(2)
    ),
    # Columns 0 and 2 of scikit-learn's `make_swiss_roll`, σ = 0.25, over 7.5
    # (improved_wgan_training).
    "swiss-roll": partial(NoisyCurve, swiss_roll, 0.25 / 7.5, extent=square(2.5)),
    # scikit-learn's `make_moons` with σ = 0.1, times 2 (FFJORD).
    "moons": partial(NoisyCurve, moons, 2 * 0.1, extent=square(4)),
    # scikit-learn's `make_circles` with radii 1 and 0.5 and σ = 0.08, times 3 (FFJORD).
    "circles": partial(NoisyCircles, [3, 1.5], 3 * 0.08, extent=square(4)),
    # FFJORD's own.
    "rings": partial(NoisyCircles, [3, 2.25, 1.5, 0.75], 0.08, extent=square(4)),
    "pinwheel": partial(Pinwheel, dimension=2, extent=square(4)),
    "checkerboard": partial(Checkerboard, dimension=2, extent=square(4.5)),
    # GAN Lab's. In ganlab-gaussians the second has σ = 0.05 in x and 0.2 in y.
    "ganlab-line": partial(NoisySegment, (0.8, 0.6), (0.05, 0.9), 0.01, extent=UNIT),
    "ganlab-gaussians": partial(
        GaussianMixture, [[0.3, 0.7], [0.7, 0.4]], [[0.1, 0.1], [0.05, 0.2]], extent=UNIT
    ),
    "ganlab-ring": partial(NoisyCurve, ellipse, 0.025, extent=UNIT),
    "ganlab-disjoint": partial(
        GaussianMixture,
        [[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]],
        0.025,
        [0.333, 0.333, 0.334],
        extent=UNIT,
    ),
    # Gaussians on a line, with our own constants.
    "bimodal-1d": partial(GaussianMixture, [[-2], [2]], 0.5, extent=(-5, 5)),
    "trimodal-1d": partial(GaussianMixture, [[-3], [0], [3]], 0.5, [0.5, 0.2, 0.3], extent=(-6, 6)),
}


def toy(name):
    """The toy distribution of that name (a key of `TOYS`); ValueError lists the names."""
    if name not in TOYS:
        raise ValueError(f"unknown toy distribution {name!r}: expected one of {list(TOYS)}")
    return TOYS[name](name=name)
