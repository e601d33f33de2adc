"""The toy distributions that GANs are usually tried on, with the constants of the literature.

    toy("ring").sample(256, np.random.default_rng(0))      # (256, 2) float64

`TOYS` has the names. Only swiss-roll, moons, pinwheel and ganlab-ring have no exact density.

Sources: VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and PacGAN (Lin et al. 2018,
arXiv:1712.04086); improved_wgan_training (Gulrajani et al. 2017, arXiv:1704.00028),
`gan_toy.py`; FFJORD (Grathwohl et al. 2019, arXiv:1810.01367), `lib/toy_data.py`; GAN Lab (Kahng
et al. 2019, arXiv:1809.01587), `ganlab_input_providers.ts`. Where the original spaces its angles
evenly or puts equally many points on each part, samples here are independent: the distribution
is the same, and any number of samples can be drawn. σ is the standard deviation of the noise.

First come the functions that build the toys, then the classes of shapes that are not Gaussian
mixtures.
"""

import math

import numpy as np
from scipy.special import i0e, log_ndtr, logsumexp

from minigan.data.distributions import Distribution, GaussianMixture

__all__ = ["TOYS", "toy"]


def ring():
    """8 Gaussians on a circle of radius 1, σ = 0.01 (VEEGAN, PacGAN)."""
    return GaussianMixture(circle_points(8), 0.01, name="ring", extent=(-1.5, 1.5, -1.5, 1.5))


def grid():
    """25 Gaussians at {−4, −2, 0, 2, 4}², σ = 0.05 (VEEGAN, PacGAN)."""
    return GaussianMixture(lattice_points(), 0.05, name="grid", extent=(-5, 5, -5, 5))


def eight_gaussians():
    """8 Gaussians on a circle of radius 2, σ = 0.02, all divided by 1.414 (improved_wgan_training).

    The standard deviation of each coordinate is then about 1.
    """
    means, sigma = 2 * circle_points(8) / 1.414, 0.02 / 1.414
    return GaussianMixture(means, sigma, name="eight-gaussians", extent=(-2, 2, -2, 2))


def twenty_five_gaussians():
    """The grid, all divided by 2.828 (improved_wgan_training).

    The standard deviation of each coordinate is then about 1.
    """
    means, sigma = lattice_points() / 2.828, 0.05 / 2.828
    return GaussianMixture(means, sigma, name="twenty-five-gaussians", extent=(-2, 2, -2, 2))


def swiss_roll():
    """(t cos t, t sin t) / 7.5 with t = 1.5π (1 + 2u), u uniform, σ = 0.25 / 7.5.

    Columns 0 and 2 of scikit-learn's `make_swiss_roll` (improved_wgan_training).
    """

    def roll(u):
        t = 1.5 * np.pi * (1 + 2 * u)
        return np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 7.5

    return NoisyCurve("swiss-roll", roll, sigma=0.25 / 7.5, extent=(-2.5, 2.5, -2.5, 2.5))


def moons():
    """Two interleaved half circles, (cos a, sin a) and (1 − cos a, ½ − sin a), a uniform in [0, π).

    With σ = 0.1 (scikit-learn's `make_moons`); then all is multiplied by 2 and moved by
    (−1, −0.2) (FFJORD).
    """

    def arcs(u):
        a = 2 * np.pi * (u % 0.5)
        upper = np.stack([np.cos(a), np.sin(a)], axis=1)
        lower = np.stack([1 - np.cos(a), 0.5 - np.sin(a)], axis=1)
        return 2 * np.where(u[:, None] < 0.5, upper, lower) + [-1, -0.2]

    return NoisyCurve("moons", arcs, sigma=2 * 0.1, extent=(-4, 4, -4, 4))


def circles():
    """Two circles of radius 1 and 0.5, σ = 0.08, all times 3 (FFJORD).

    scikit-learn's `make_circles` with factor 0.5.
    """
    return NoisyCircles("circles", [3, 1.5], sigma=3 * 0.08, extent=(-4, 4, -4, 4))


def rings():
    """Four circles of radius 3, 2.25, 1.5 and 0.75, σ = 0.08 (FFJORD)."""
    return NoisyCircles("rings", [3, 2.25, 1.5, 0.75], sigma=0.08, extent=(-4, 4, -4, 4))


def ganlab_line():
    """The segment from (0.8, 0.6) to (0.05, 0.9), σ = 0.01 (GAN Lab)."""
    return NoisySegment("ganlab-line", (0.8, 0.6), (0.05, 0.9), sigma=0.01, extent=(0, 1, 0, 1))


def ganlab_gaussians():
    """Gaussians at (0.3, 0.7), σ = 0.1, and (0.7, 0.4), σ = 0.05 in x and 0.2 in y (GAN Lab)."""
    means, sigma = [[0.3, 0.7], [0.7, 0.4]], [[0.1, 0.1], [0.05, 0.2]]
    return GaussianMixture(means, sigma, name="ganlab-gaussians", extent=(0, 1, 0, 1))


def ganlab_ring():
    """The ellipse (0.5 + 0.3 cos a, 0.45 + 0.25 sin a), a uniform, σ = 0.025 (GAN Lab)."""

    def ellipse(u):
        a = 2 * np.pi * u
        return np.stack([0.5 + 0.3 * np.cos(a), 0.45 + 0.25 * np.sin(a)], axis=1)

    return NoisyCurve("ganlab-ring", ellipse, sigma=0.025, extent=(0, 1, 0, 1))


def ganlab_disjoint():
    """Three Gaussians with σ = 0.025 and (nearly) equal weights (GAN Lab)."""
    means, weights = [[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]], [0.333, 0.333, 0.334]
    return GaussianMixture(means, 0.025, weights, name="ganlab-disjoint", extent=(0, 1, 0, 1))


def bimodal_1d():
    """Two equal Gaussians on a line: means −2 and 2, σ = 0.5. (Our own constants.)"""
    return GaussianMixture([[-2], [2]], 0.5, name="bimodal-1d", extent=(-5, 5))


def trimodal_1d():
    """Gaussians at −3, 0 and 3 with weights 0.5, 0.2 and 0.3, σ = 0.5. (Our own constants.)"""
    means, weights = [[-3], [0], [3]], [0.5, 0.2, 0.3]
    return GaussianMixture(means, 0.5, weights, name="trimodal-1d", extent=(-6, 6))


def circle_points(count):
    """(count, 2) points of the unit circle at the angles 2π i / count, i = 0, …, count − 1.

    `np.linspace(0, 2 * np.pi, count)` would include both 0 and 2π, which are the same point,
    and leave only count − 1 distinct modes: a bug that published rings have.
    """
    angles = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def lattice_points():
    """(25, 2) points {−4, −2, 0, 2, 4}², row by row."""
    ticks = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(ticks, ticks), axis=2).reshape(25, 2)


class NoisyCurve(Distribution):
    """c(u) + σ e with u uniform in [0, 1) and e standard normal in the plane.

    The density is the integral of N(x; c(u), σ² I) over u, which in general has no closed form.
    `curve` maps u (n,) to points (n, 2).
    """

    def __init__(self, name, curve, sigma, extent):
        super().__init__(name, 2, extent)
        self.curve = curve
        self.sigma = sigma

    def draw(self, n, rng):
        u = rng.random(n)
        return self.curve(u) + self.sigma * rng.standard_normal((n, 2))


class NoisyCircles(Distribution):
    """A point on one of several circles around the origin, all equally likely, plus noise.

    With r = |x|, the mean of N(x; (R cos a, R sin a), σ² I) over the angle a contains the modified
    Bessel function I₀:

        p(x | R) = exp(−(r² + R²) / 2σ²) I₀(r R / σ²) / 2πσ²
                 = exp(−(r − R)² / 2σ²) I₀ₑ(r R / σ²) / 2πσ²

    with I₀ₑ(t) = exp(−t) I₀(t), which does not overflow. (The distribution of r is Rice's.)
    """

    has_density = True

    def __init__(self, name, radii, sigma, extent):
        super().__init__(name, 2, extent)
        self.radii = np.array(radii, dtype=np.float64)
        self.sigma = sigma

    def draw(self, n, rng):
        radius = rng.choice(self.radii, size=n)
        a = 2 * np.pi * rng.random(n)
        centre = radius[:, None] * np.stack([np.cos(a), np.sin(a)], axis=1)
        return centre + self.sigma * rng.standard_normal((n, 2))

    def _log_density(self, x):
        r = np.hypot(x[:, 0], x[:, 1])[:, None]  # (n, 1) against radii (circles,)
        log_p = (
            -((r - self.radii) ** 2) / (2 * self.sigma**2)
            + np.log(i0e(r * self.radii / self.sigma**2))
            - math.log(2 * math.pi * self.sigma**2)
        )
        return logsumexp(log_p, b=1 / len(self.radii), axis=1)


class NoisySegment(Distribution):
    """A uniform point of the segment from `start` to `end`, of length L, plus noise.

    With t the coordinate of x along the segment (0 at its start), s the one across it, and Φ the
    distribution function of the standard normal:

        p(x) = (Φ(t / σ) − Φ((t − L) / σ)) / L · N(s; 0, σ²)
    """

    has_density = True

    def __init__(self, name, start, end, sigma, extent):
        super().__init__(name, 2, extent)
        self.start = np.array(start, dtype=np.float64)
        self.end = np.array(end, dtype=np.float64)
        self.sigma = sigma

    def draw(self, n, rng):
        u = rng.random((n, 1))
        point = self.start + u * (self.end - self.start)
        return point + self.sigma * rng.standard_normal((n, 2))

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


class Pinwheel(Distribution):
    """5 bent arms (FFJORD, after Johnson et al. 2016, arXiv:1603.06277).

    Draw r ~ N(1, 0.3²) along the arm, t ~ N(0, 0.1²) across it, and one of the arms k; turn (r, t)
    clockwise by the angle 2πk / 5 + 0.25 exp(r), which grows with r; multiply by 2. For the
    density at x one would have to solve for r: there is no closed form.
    """

    def __init__(self):
        super().__init__("pinwheel", 2, extent=(-4, 4, -4, 4))

    def draw(self, n, rng):
        r = 1 + 0.3 * rng.standard_normal(n)
        t = 0.1 * rng.standard_normal(n)
        a = 2 * np.pi * rng.integers(5, size=n) / 5 + 0.25 * np.exp(r)
        cos, sin = np.cos(a), np.sin(a)
        return 2 * np.stack([r * cos + t * sin, t * cos - r * sin], axis=1)


class Checkerboard(Distribution):
    """Uniform on the 8 squares of one colour of a 4 × 4 board, each of side 2 (FFJORD).

    p(x) = 1/32 in [−4, 4)² where ⌊x₁ / 2⌋ + ⌊x₂ / 2⌋ is even, else 0.
    """

    has_density = True

    def __init__(self):
        super().__init__("checkerboard", 2, extent=(-4.5, 4.5, -4.5, 4.5))

    def draw(self, n, rng):
        column = rng.integers(-2, 2, size=n)
        row = 2 * rng.integers(-1, 1, size=n) + column % 2  # of the column's parity
        corner = 2.0 * np.stack([column, row], axis=1)
        return corner + 2 * rng.random((n, 2))

    def _log_density(self, x):
        inside = ((x >= -4) & (x < 4)).all(axis=1)
        even = np.floor(x / 2).sum(axis=1) % 2 == 0
        return np.where(inside & even, -math.log(32), -np.inf)


#: Name -> what builds the distribution, called without arguments.
TOYS = {
    "ring": ring,
    "grid": grid,
    "eight-gaussians": eight_gaussians,
    "twenty-five-gaussians": twenty_five_gaussians,
    "swiss-roll": swiss_roll,
    "moons": moons,
    "circles": circles,
    "rings": rings,
    "pinwheel": Pinwheel,
    "checkerboard": Checkerboard,
    "ganlab-line": ganlab_line,
    "ganlab-gaussians": ganlab_gaussians,
    "ganlab-ring": ganlab_ring,
    "ganlab-disjoint": ganlab_disjoint,
    "bimodal-1d": bimodal_1d,
    "trimodal-1d": trimodal_1d,
}


def toy(name):
    """The toy distribution of that name (a key of `TOYS`); ValueError lists the names."""
    if name not in TOYS:
        raise ValueError(f"unknown toy distribution {name!r}: expected one of {list(TOYS)}")
    return TOYS[name]()
