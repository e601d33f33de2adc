"""Layers that change shapes and no numbers; and `Dropout`, which removes some numbers."""

import math

from minigan.checks import check_integer, check_number, check_shape
from minigan.layers.base import Layer

__all__ = ["Dropout", "Flatten", "Pack", "Reshape"]


class Reshape(Layer):
    """(N, *input_shape) -> (N, *shape), the same numbers in the same order."""

    samplewise = True

    def __init__(self, *shape):
        self.shape = check_shape("shape", shape)

    def forward(self, x, train):
        return x.reshape(x.shape[0], *self.shape), x.shape

    def backward(self, dy, shape, parameter_gradients=True, input_gradient=True, accumulate=True):
        return dy.reshape(shape)

    def double_backward(self, u, dy, shape):
        return u.reshape(dy.shape), None

    def output_shape(self, input_shape):
        if math.prod(input_shape) != math.prod(self.shape):
            raise ValueError(f"{input_shape} cannot be reshaped to {self.shape}")
        return self.shape

    def describe(self):
        return ", ".join(map(str, self.shape))


class Flatten(Layer):
    """(N, ...) -> (N, features)."""

    samplewise = True

    def forward(self, x, train):
        return x.reshape(x.shape[0], -1), x.shape

    def backward(self, dy, shape, parameter_gradients=True, input_gradient=True, accumulate=True):
        return dy.reshape(shape)

    def double_backward(self, u, dy, shape):
        return u.reshape(dy.shape), None

    def output_shape(self, input_shape):
        return (math.prod(input_shape),)


class Pack(Layer):
    """(N, ..., C) -> (N / m, ..., m·C): m samples side by side become one.

    As the first layer of a discriminator it makes D judge m samples together (PacGAN: Lin et al.
    2018, arXiv:1712.04086): a pack of m fakes that are too alike gives itself away, so that mode
    collapse is punished. Logits are then (N / m, 1).
    """

    def __init__(self, size):
        self.size = check_integer("size", size, 1)

    def forward(self, x, train):
        if len(x) % self.size:
            raise ValueError(f"a batch of {len(x)} cannot be packed by {self.size}")
        packs = x.reshape(-1, self.size, *x.shape[1:])
        last_but_one = tuple(range(2, packs.ndim - 1))
        y = packs.transpose(0, *last_but_one, 1, packs.ndim - 1)
        return y.reshape(*y.shape[:-2], -1), x.shape

    def backward(self, dy, shape, parameter_gradients=True, input_gradient=True, accumulate=True):
        split = dy.reshape(*dy.shape[:-1], self.size, -1)
        between = tuple(range(1, split.ndim - 2))
        return split.transpose(0, split.ndim - 2, *between, split.ndim - 1).reshape(shape)

    def double_backward(self, u, dy, shape):
        return self.forward(u, True)[0], None

    def output_shape(self, input_shape):
        if not input_shape:
            raise ValueError("expected at least one axis beside the batch")
        return (*input_shape[:-1], input_shape[-1] * self.size)

    def describe(self):
        return str(self.size)


class Dropout(Layer):
    """y = x · m / (1 − p), each m independently 0 with probability p, else 1; y = x in evaluation.

    The division keeps the expected value, so that evaluation needs no correction ("inverted"
    dropout). dx = dy · m / (1 − p), with the mask of the forward pass. Srivastava et al. 2014,
    section 4. The masks come from a generator that the network's seed determines.
    """

    samplewise = True

    def __init__(self, rate=0.5):
        self.rate = check_number("rate", rate, 0, 1, high_open=True)

    def forward(self, x, train):
        if not train:
            return x, None
        keep = self.rng.random(x.shape) >= self.rate
        mask = self.backend.asarray(keep, x.dtype) / x.dtype.type(1 - self.rate)
        return x * mask, mask

    def backward(self, dy, mask, parameter_gradients=True, input_gradient=True, accumulate=True):
        return dy if mask is None else dy * mask

    def why_no_double_backward(self):
        return (
            f"{self!r} cannot stand under a gradient penalty: every pass through it is another "
            "network, so that the penalty would constrain none of them"
        )

    def describe(self):
        return f"{self.rate:g}"
