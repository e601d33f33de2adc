"""Five parts as a student writes them who has read demos/write_your_own.py, and nothing else."""

import numpy as np

from minigan import Block, Dense, Distribution, Layer, Objective

C = float(np.sqrt(2 / np.pi))


class GELU(Layer):
    """y = x Φ(x), with Φ(x) ≈ (1 + tanh(c (x + 0.044715 x³))) / 2."""

    def forward(self, x, train):
        t = self.backend.xp.tanh(C * (x + 0.044715 * x**3))
        return x * (1 + t) / 2, (x, t)

    def backward(self, dy, cache):
        x, t = cache
        inner = C * (1 + 3 * 0.044715 * x**2)
        return dy * ((1 + t) / 2 + x * (1 - t**2) * inner / 2)


class Maxout(Layer):
    """The largest of each `size` neighbouring features (Goodfellow et al. 2013)."""

    def __init__(self, size):
        self.size = size

    def output_shape(self, input_shape):
        return (input_shape[0] // self.size,)

    def forward(self, x, train):
        groups = x.reshape(len(x), -1, self.size)
        y = groups.max(axis=2)
        return y, groups == y[:, :, None]

    def backward(self, dy, largest):
        return (dy[:, :, None] * largest).reshape(len(dy), -1)

    def describe(self):
        return str(self.size)


class ResidualBlock(Layer):
    """y = x + f(x), with two dense layers and a GELU in f."""

    def __init__(self, width):
        self.f = Block([Dense(width, width), GELU(), Dense(width, width)])

    def forward(self, x, train):
        y, cache = self.f.forward(x, train)
        return x + y, cache

    def backward(self, dy, cache):
        return dy + self.f.backward(dy, cache)

    def add_gradients(self, dy, cache):
        self.f.add_gradients(dy, cache)


class LogCosh(Objective):
    """Least squares that grow like |e| far away: log cosh of the distance from 1 and −1, or 1."""

    def log_cosh(self, e):
        xp = self.backend.xp
        return abs(e) + xp.log1p(xp.exp(-2 * abs(e))) - float(np.log(2)), xp.tanh(e)

    def discriminator_terms(self, r, f):
        (real, d_real), (fake, d_fake) = self.log_cosh(r - 1), self.log_cosh(f + 1)
        return real, fake, d_real, d_fake

    def generator_terms(self, f):
        return self.log_cosh(f - 1)


class Smile(Distribution):
    """Two eyes and a mouth."""

    def __init__(self):
        super().__init__("smile", 2, (-1, 1, -1, 1))

    def draw(self, n, rng):
        angle = rng.uniform(1.2 * np.pi, 1.8 * np.pi, n)
        mouth = 0.7 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        eyes = np.where(rng.random((n, 1)) < 0.5, [[-0.3, 0.3]], [[0.3, 0.3]])
        points = np.where(rng.random((n, 1)) < 0.5, mouth, eyes)
        return points + rng.normal(0, 0.03, (n, 2))
