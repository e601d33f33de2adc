"""What the generator starts from: noise of a simple distribution.

Noise is drawn in float64 on the CPU and then converted, so that every dtype and backend sees
the same numbers; or, by `PhiloxLatent`, where the networks are.
"""

import numpy as np
from scipy.special import softmax

from minigan.backend import get_backend
from minigan.backend.philox import draw_key
from minigan.checks import as_generator, check_dtype, check_integer, check_number

__all__ = ["LATENTS", "MixtureLatent", "NormalLatent", "PhiloxLatent", "UniformLatent"]


class Latent:
    """z (N, dimension). Subclasses give `draw`.

    components: how many of the last dimensions only choose between pieces of the noise.
    continuous: how many come before these.
    """

    components = 0

    def __init__(self, dimension):
        self.dimension = check_integer("dimension", dimension, 1)

    @property
    def continuous(self):
        return self.dimension - self.components

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
    """z = (ε, s · e_k): ε ~ N(0, 1) in all but the last `components` dimensions, k with P(k) = π_k.

    e_k is the k-th unit vector of the others, s is `scale`. G is continuous, so that the image of
    connected noise is connected: between the kinds of data it has to draw what is neither
    (Khayatkhoei et al. 2018, arXiv:1806.00880). Here the noise is in pieces from the start, a
    Gaussian each (Gurumurthy et al. 2017, arXiv:1706.02071). Nobody says which piece is what.

    choices: how many such k are drawn, each with dimensions of its own, (ε, s · e_k, s · e_l, …):
    components ^ choices pieces, for data in which several things are of some kind each (Chen et
    al. 2016, arXiv:1606.03657, section 6). `components` is then the number of all these dimensions.

    weights: π, (components,), or (choices, components) where each choice has its own; positive, and
    divided by their sum (unless it is 1). None: all pieces are equally likely. (The attribute: of
    each choice.)
    """

    def __init__(self, dimension, components=20, *, scale=3.0, choices=1, weights=None):
        self.kinds = check_integer("components", components, 1)
        self.choices = check_integer("choices", choices, 1)
        self.components = self.kinds * self.choices
        super().__init__(check_integer("dimension", dimension, self.components + 1))
        self.scale = check_number("scale", scale, 0, float("inf"), low_open=True)
        self.weights = self._shares("weights", np.ones(self.kinds) if weights is None else weights)
        self.uniform = bool((self.weights == self.weights[0, 0]).all())

    def draw(self, shape, rng):
        n, dimension = shape
        normal = rng.standard_normal((n, dimension - self.components))
        if self.uniform:
            chosen = rng.integers(self.kinds, size=(n, self.choices))
        else:
            chosen = np.stack([rng.choice(self.kinds, n, p=p) for p in self.weights], axis=1)
        units = np.eye(self.kinds)[chosen].reshape(n, self.components)
        return np.concatenate([normal, self.scale * units], axis=1)

    def reweighted(self, z, logits):
        """The same pieces, each as likely as it is among real data: a new `MixtureLatent`.

        z (n, dimension): samples of this latent. logits (n,): log p/q at G(z), of the densities of
        real data and of G's samples, as a D of log odds has them. With q = Σ π_k q_k, the share of
        real data for which piece k answers is

            π'_k = E_p[π_k q_k / q] = π_k E_{q_k}[p / q] ≈ Σ_{i in piece k} r_i / Σ_i r_i,

        r = exp(logits): a step of the EM algorithm on the weights of the mixture (Bishop 2006,
        section 9.2.2). Like rejection sampling by D (Azadi et al. 2019, arXiv:1810.06758), but of
        whole pieces. ValueError for a piece without a sample, or none of weight.
        """
        z, logits = np.asarray(z), np.asarray(logits, dtype=np.float64)
        if z.ndim != 2 or z.shape[1] != self.dimension or logits.shape != (len(z),):
            raise ValueError(
                f"expected z (n, {self.dimension}) and logits (n,), got {z.shape}, {logits.shape}"
            )
        if not np.isfinite(logits).all():
            raise ValueError("logits: expected finite numbers")
        chosen = z[:, self.continuous :].reshape(len(z), self.choices, self.kinds) > 0
        weights = np.einsum("n,nck->ck", softmax(logits), chosen)
        weights = self._shares("the weights by these logits", weights)
        options = {"scale": self.scale, "choices": self.choices, "weights": weights}
        return MixtureLatent(self.dimension, self.kinds, **options)

    def _shares(self, name, weights):
        """Weights (choices, kinds) whose rows sum to 1; ValueError if they cannot be such."""
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape not in {(self.kinds,), (self.choices, self.kinds)}:
            raise ValueError(
                f"{name}: expected shape {(self.kinds,)} or {(self.choices, self.kinds)}, "
                f"got {weights.shape}"
            )
        if not (np.isfinite(weights).all() and (weights > 0).all()):
            raise ValueError(f"{name}: expected positive numbers, got {weights.tolist()}")
        weights = np.broadcast_to(weights, (self.choices, self.kinds))
        total = weights.sum(axis=1, keepdims=True)
        if np.allclose(total, 1, rtol=0, atol=1e-12):  # as they were, to the last bit
            return weights.copy()
        return weights / total

    def __repr__(self):
        choices = f", choices={self.choices}" if self.choices > 1 else ""
        options = f"scale={self.scale:g}{choices}"
        options += "" if self.uniform else f", weights={self.weights.tolist()}"
        return f"MixtureLatent({self.dimension}, {self.kinds}, {options})"


LATENTS = {"mixture": MixtureLatent, "normal": NormalLatent, "uniform": UniformLatent}
