"""Layers that change shapes and no numbers."""

import math

from minigan.checks import check_integer, check_shape
from minigan.layers.layer import Layer

__all__ = ["Flatten", "Pack", "Reshape"]


class Reshape(Layer):
    """(N, *input_shape) -> (N, *shape), the same numbers in the same order."""

    def __init__(self, *shape):
        self.shape = check_shape("shape", shape)

    def forward(self, x, train):
        return x.reshape(len(x), *self.output_shape(x.shape[1:])), x.shape

    def backward(self, dy, shape):
        return dy.reshape(shape)

    def double_backward(self, u, dy, shape):
        return u.reshape(dy.shape), None

    def output_shape(self, input_shape):
        if math.prod(input_shape) != math.prod(self.shape):
            raise ValueError(f"{input_shape} cannot be reshaped to {self.shape}")
        return self.shape

    def describe(self):
        return ", ".join(map(str, self.shape))


class Flatten(Reshape):
    """(N, ...) -> (N, features)."""

    def __init__(self):
        super().__init__()

    def output_shape(self, input_shape):
        return (math.prod(input_shape),)


class Pack(Layer):
    """(N, ..., C) -> (N / m, ..., m·C): m samples side by side become one.

    As the first layer of a discriminator it makes D judge m samples together (PacGAN: Lin et al.
    2018, arXiv:1712.04086): a pack of m fakes that are too alike gives itself away, so that mode
    collapse is punished. Logits are then (N / m, 1). Raises ValueError if m does not divide N.
    """

    def __init__(self, size):
        self.size = check_integer("size", size, 1)

    def forward(self, x, train):
        if len(x) % self.size:
            raise ValueError(f"a batch of {len(x)} cannot be packed by {self.size}")
        packs = x.reshape(-1, self.size, *x.shape[1:])  # (N / m, m, ..., C)
        y = self.backend.xp.moveaxis(packs, 1, -2)
        return y.reshape(*y.shape[:-2], -1), x.shape

    def backward(self, dy, shape):
        split = dy.reshape(*dy.shape[:-1], self.size, -1)  # (N / m, ..., m, C)
        return self.backend.xp.moveaxis(split, -2, 1).reshape(shape)

    def double_backward(self, u, dy, shape):
        return self.forward(u, True)[0], None

    def output_shape(self, input_shape):
        if not input_shape:
            raise ValueError("expected at least one axis beside the batch")
        return (*input_shape[:-1], input_shape[-1] * self.size)

    def describe(self):
        return str(self.size)
