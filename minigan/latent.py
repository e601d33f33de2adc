"""What the generator starts from: noise of a simple distribution.

Noise is drawn in float64 on the CPU and then converted, so that every dtype and backend sees
the same numbers; or, by `PhiloxLatent`, where the networks are.
"""

from minigan.backend import get_backend
from minigan.checks import as_generator, check_dtype, check_integer

__all__ = ["LATENTS", "NormalLatent", "PhiloxLatent", "UniformLatent"]


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


class PhiloxLatent(Latent):
    """z ~ N(0, 1) in every component, made on the backend itself, in `dtype`.

    `rng` gives one 64-bit key a batch; the numbers follow from it and their positions alone
    (`backend/philox.py`), the same bits on every backend. A GPU so makes its noise in one kernel,
    and nothing is drawn, converted and copied on the host, which has the next step to prepare.
    """

    def __init__(self, dimension, *, backend="numpy", dtype="float32"):
        super().__init__(dimension)
        self.backend, self.dtype = get_backend(backend), check_dtype(dtype)

    def sample(self, n, rng):
        """n vectors (n, dimension) of `dtype`, on the backend."""
        return super().sample(n, rng)

    def draw(self, shape, rng):
        key = int(rng.integers(1 << 64, dtype="uint64"))
        return self.backend.random_normal(shape, self.dtype, key)


LATENTS = {"normal": NormalLatent, "uniform": UniformLatent}
