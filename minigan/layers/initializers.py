"""Initial weights: `initializer(rng, shape, fan_in, fan_out)` -> float64 array of that shape.

fan_in is the number of inputs that are summed into one output, fan_out the number of outputs
that one input reaches. Weights are always drawn in float64 on the CPU and then converted, so
that float32 and float64 networks, on any backend, start from the same numbers.
"""

from minigan.checks import check_number

__all__ = ["Glorot", "He", "Normal"]


class He:
    """N(0, 2 / ((1 + s²) fan_in)): keeps the size of activations through (leaky) ReLU layers.

    Half of a ReLU's inputs are cut off, hence the 2; `slope` s is leaky ReLU's. He et al. 2015,
    arXiv:1502.01852, equations 10 and 15.
    """

    def __init__(self, slope=0.0):
        self.slope = check_number("slope", slope, 0, 1)

    def __call__(self, rng, shape, fan_in, fan_out):
        return rng.standard_normal(shape) * (2 / ((1 + self.slope**2) * fan_in)) ** 0.5


class Glorot:
    """U(−a, a), a = √(6 / (fan_in + fan_out)): for tanh and linear layers.

    A compromise between keeping the size of activations (1 / fan_in) and of gradients
    (1 / fan_out). Glorot & Bengio 2010, equation 16.
    """

    def __call__(self, rng, shape, fan_in, fan_out):
        bound = (6 / (fan_in + fan_out)) ** 0.5
        return rng.uniform(-bound, bound, shape)


class Normal:
    """N(0, σ²) whatever the fans; DCGAN uses σ = 0.02 (Radford et al. 2015, section 4)."""

    def __init__(self, sigma):
        self.sigma = check_number("sigma", sigma, 0, float("inf"))

    def __call__(self, rng, shape, fan_in, fan_out):
        return rng.standard_normal(shape) * self.sigma
