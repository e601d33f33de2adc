"""`Affine`: the parameters that dense and convolutional layers have in common, W and b."""

import copy

from minigan.layers.initializers import He
from minigan.layers.layer import Layer

__all__ = ["Affine"]


class Affine(Layer):
    """A weight, and a bias unless bias is False. init: an initializer, by default `He()`.

    Subclasses set `weight_shape` and `bias_size`, and give `fans()`: how many inputs are summed
    into one output, and how many outputs one input reaches.
    """

    def __init__(self, bias, init):
        self.has_bias = bool(bias)
        self.init = He() if init is None else init

    def parameters(self):
        fan_in, fan_out = self.fans()
        spec = {
            "weight": (
                self.weight_shape,
                lambda rng: self.init(rng, self.weight_shape, fan_in, fan_out),
            )
        }
        return spec | {"bias": ((self.bias_size,), 0)} if self.has_bias else spec

    def with_weight(self, weight):
        """The same layer with another weight and a gradient of zeros for it: see `SpectralNorm`."""
        layer = copy.copy(self)
        layer.backend = self.backend
        layer.weight, layer.dweight = weight, self.backend.xp.zeros_like(weight)
        return layer
