"""What the generator starts from: noise of a simple distribution.

Noise is drawn in float64 on the CPU and then converted, so that every dtype and backend sees
the same numbers; or, by `PhiloxLatent`, where the networks are.
"""

import numpy as np

from minigan.backend import get_backend
from minigan.backend.philox import draw_key
from minigan.checks import as_generator, check_dtype, check_integer, check_number

__all__ = ["LATENTS", "MixtureLatent", "NormalLatent", "PhiloxLatent", "UniformLatent"]


class Latent:
    """z (N, dimension). Subclasses give `draw`.

    components: how many of the last dimensions only choose between pieces of the noise.
    """

    components = 0

    def __init__(self, dimension):
        self.dimension = check_integer("dimension", dimension, 1)

    def sample(self, n, rng):
        """n vectors, float64 (n, dimension), from the generator `rng`."""
        if type(n) is not int or n < 1:
            n = check_integer("n", n, 1)
        if not isinstance(rng, np.random.Generator):
            rng = as_generator(rng)
        return self.draw((n, self.dimension), rng)

    def __repr__(self):
        return f"{type(self).__name__}({self.dimension})"


class NormalLatent(Latent):
    """z ~ N(0, 1), independently in every dimension."""

    def draw(self, shape, rng):
        return rng.standard_normal(shape)


class UniformLatent(Latent):
    """z ~ U(−1, 1), independently in every dimension (Radford et al. 2015, section 4)."""

    def draw(self, shape, rng):
        return rng.uniform(-1, 1, shape)


class PhiloxLatent(Latent):
    """z ~ N(0, 1) in every component, made on the backend itself, in `dtype`.

    `rng` gives one 64-bit key per batch; the numbers depend on the key and their positions alone
    (`backend/philox.py`), with the same bits on every backend. A GPU makes its noise in one kernel:
    nothing has to be drawn, converted and copied on the host.
    """

    def __init__(self, dimension, *, backend="numpy", dtype="float32"):
        super().__init__(dimension)
        self.backend, self.dtype = get_backend(backend), check_dtype(dtype)

    def sample(self, n, rng):
        """n vectors (n, dimension) of `dtype`, on the backend."""
        return super().sample(n, rng)

    def draw(self, shape, rng):
        return self.backend.random_normal(shape, self.dtype, draw_key(rng))


class MixtureLatent(Latent):
    """z = (ε, s · e_k): ε ~ N(0, 1) in all but the last `components` dimensions, k uniform.

    e_k is the k-th unit vector of the others, s is `scale`. G is continuous, so that the image of
    connected noise is connected: between the kinds of data it has to draw what is neither
    (Khayatkhoei et al. 2018, arXiv:1806.00880). Here the noise is in pieces from the start, a
    Gaussian each (Gurumurthy et al. 2017, arXiv:1706.02071). Nobody says which piece is what.

    choices: how many such k are drawn, each with dimensions of its own, (ε, s · e_k, s · e_l, …):
    components ^ choices pieces, for data in which several things are of some kind each (Chen et
    al. 2016, arXiv:1606.03657, section 6). `components` is then the number of all these dimensions.
    """

    def __init__(self, dimension, components=20, *, scale=3.0, choices=1):
        self.kinds = check_integer("components", components, 1)
        self.choices = check_integer("choices", choices, 1)
        self.components = self.kinds * self.choices
        super().__init__(check_integer("dimension", dimension, self.components + 1))
        self.scale = check_number("scale", scale, 0, float("inf"), low_open=True)

    def draw(self, shape, rng):
        n, dimension = shape
        normal = rng.standard_normal((n, dimension - self.components))
        chosen = rng.integers(self.kinds, size=(n, self.choices))
        units = np.eye(self.kinds)[chosen].reshape(n, self.components)
        return np.concatenate([normal, self.scale * units], axis=1)

    def __repr__(self):
        choices = f", choices={self.choices}" if self.choices > 1 else ""
        return f"MixtureLatent({self.dimension}, {self.kinds}, scale={self.scale:g}{choices})"


LATENTS = {"mixture": MixtureLatent, "normal": NormalLatent, "uniform": UniformLatent}
