"""What the generator starts from: noise of a simple distribution.

Noise is drawn in float64 on the CPU and then converted, so that every dtype and backend sees
the same numbers.
"""

from minigan.checks import as_generator, check_integer

__all__ = ["LATENTS", "NormalLatent", "UniformLatent"]


class Latent:
    """z (N, dimension), independent components. Subclasses give `draw`."""

    def __init__(self, dimension):
        self.dimension = check_integer("dimension", dimension, 1)

    def sample(self, n, rng):
        """n vectors, float64 (n, dimension), from the generator `rng`."""
        return self.draw((check_integer("n", n, 1), self.dimension), as_generator(rng))

    def __repr__(self):
        return f"{type(self).__name__}({self.dimension})"


class NormalLatent(Latent):
    """z ~ N(0, 1) in every component."""

    def draw(self, shape, rng):
        return rng.standard_normal(shape)


class UniformLatent(Latent):
    """z ~ U(−1, 1) in every component (Radford et al. 2015, section 4)."""

    def draw(self, shape, rng):
        return rng.uniform(-1, 1, shape)


LATENTS = {"normal": NormalLatent, "uniform": UniformLatent}
