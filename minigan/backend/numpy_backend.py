"""Every operation that is worth a kernel, in plain NumPy: the readable form, and the oracle.

A backend holds the operations that layers, objectives and optimizers are made of; whatever is
not here is ordinary array code through `backend.xp`. Each method states shapes and formula.
Arrays that a method returns come from a pool (`pool.py`) and belong to whoever holds them.
"""

import math
from functools import lru_cache

import numpy as np

from minigan.backend.numpy_activations import ACTIVATIONS
from minigan.backend.numpy_convolution import Convolution
from minigan.backend.philox import normal, uniform
from minigan.backend.pool import ArrayPool

__all__ = ["NumpyBackend"]

#: Elements of a block of an optimizer's update: its five arrays then fit the L2 cache together.
BLOCK = 1 << 16


@lru_cache(maxsize=64)
def _ones(n, dtype):
    return np.ones(n, dtype)


class NumpyBackend(Convolution):
    """The operations on CPU arrays (`numpy.ndarray`)."""

    name = "numpy"
    xp = np
    #: After how many updates `watch.py` looks whether training is still finite: every one.
    patience = 1

    def __init__(self):
        self.pool = ArrayPool()

    def __repr__(self):
        return "NumpyBackend()"

    # Arrays ------------------------------------------------------------------------------------

    def empty(self, shape, dtype):
        """An uninitialised array that nobody else refers to, from the pool."""
        return self.pool.empty(shape, dtype)

    def zeros(self, shape, dtype):
        """An array of zeros, from the pool."""
        array = self.pool.empty(shape, dtype)
        array.fill(0)
        return array

    def asarray(self, x, dtype=None):
        """`x` as an array of this backend (copied only if it must be)."""
        return np.asarray(x, dtype)

    def to_numpy(self, x):
        """An array of this backend as a `numpy.ndarray`."""
        self.check(x)
        return x

    def check(self, x, what="array"):
        """Raise TypeError unless `x` is an array of this backend."""
        if not isinstance(x, np.ndarray):
            raise TypeError(
                f"{what}: expected a numpy.ndarray for the numpy backend, got "
                f"{type(x).__module__}.{type(x).__name__}; convert it with backend.asarray(...)"
            )

    # Affine maps -------------------------------------------------------------------------------

    def matmul(self, a, b):
        """a (M, K) times b (K, O) -> (M, O)."""
        # np.dot is np.matmul with half of its overhead, a fifth of the time of small products.
        return np.dot(a, b, out=self.empty((a.shape[0], b.shape[1]), a.dtype))

    def add_product(self, out, a, b, accumulate=True):
        """out (K, O) += a (K, M) times b (M, O), or = if not `accumulate`: a weight gradient."""
        if accumulate:
            np.add(out, self.matmul(a, b), out=out)
        else:
            np.dot(a, b, out=out)  # saves two passes over the gradients of large layers

    def add_sum(self, out, x, accumulate=True):
        """out (C,) += Σ x (..., C) over all axes but the last: the gradient of a bias."""
        if accumulate:
            np.add(out, self.sum_rows(x), out=out)
        else:
            np.copyto(out, self.sum_rows(x))

    def sum_rows(self, x):
        """Σ x (..., C) over all axes but the last, (C,).

        As the product of a row of ones with x, which takes a third of the time of x.sum(axis=0).
        """
        rows = x.reshape(-1, x.shape[-1])
        return np.dot(_ones(len(rows), x.dtype), rows)

    # Activations -------------------------------------------------------------------------------

    def bias_activation(self, x, bias, activation, slope=0.0, out=None):
        """y = f(x + b), x (..., C), b (C,) or None; `out` may be x itself.

        `activation` is a name in `ACTIVATIONS`; `slope` is leaky ReLU's slope below zero.
        """
        y = self.empty(x.shape, x.dtype) if out is None else out
        if bias is not None:
            x = np.add(x, bias, out=y)
        return ACTIVATIONS[activation].value(x, slope, y)

    def activation_gradient(self, dy, y, activation, slope=0.0):
        """dx = dy · f'(x), with f' expressed by the output y = f(x)."""
        dx = ACTIVATIONS[activation].derivative(y, slope, self.empty(y.shape, y.dtype))
        return np.multiply(dx, dy, out=dx)

    def activation_curvature(self, u, dy, y, activation):
        """u · dy · f''(x), the derivative of ⟨u, dy · f'(x)⟩ with respect to x."""
        out = ACTIVATIONS[activation].second(y, 0.0, self.empty(y.shape, y.dtype))
        np.multiply(out, dy, out=out)
        return np.multiply(out, u, out=out)

    # Batch normalization -----------------------------------------------------------------------

    def batch_norm(self, x, gamma, beta, eps):
        """Normalise x (..., C) over all axes but the last, M values a feature.

        mean = Σ x / M,  var = Σ (x − mean)² / M,  y = γ (x − mean) / √(var + eps) + β.
        The variance takes two passes: Σ x² / M − mean² loses every digit when |mean| ≫ √var.
        Returns y, and centred = x − mean, inverse = 1 / √(var + eps), mean, var · M / (M − 1).
        Raises ValueError if M < 2.
        """
        rows = x.reshape(-1, x.shape[-1])
        count = x.dtype.type(self.batch_total(len(rows)))
        if count < 2:
            raise ValueError("BatchNorm needs more than one value per feature in training")
        mean = self.batch_total(self.sum_rows(rows)) / count
        centred = np.subtract(rows, mean, out=self.empty(rows.shape, x.dtype))
        square = self.batch_total(np.einsum("mc,mc->c", centred, centred))
        inverse = 1 / np.sqrt(square / count + eps)
        y = np.multiply(centred, gamma * inverse, out=self.empty(rows.shape, x.dtype))
        np.add(y, beta, out=y)
        return y.reshape(x.shape), centred, inverse, mean, square / (count - 1)

    def batch_norm_gradient(self, dy, centred, inverse, gamma):
        """dx, dγ, dβ of `batch_norm`. With x̂ = centred · inverse and means over the batch:

        dβ = Σ dy,  dγ = Σ dy·x̂,  dx = γ·inverse · (dy − mean(dy) − x̂ · mean(dy·x̂)).
        The two means are what flows back through the batch's own mean and variance.
        (Ioffe & Szegedy 2015, arXiv:1502.03167, section 3.)
        """
        rows = dy.reshape(-1, dy.shape[-1])
        dbeta = self.sum_rows(rows)
        dgamma = np.einsum("mc,mc->c", rows, centred) * inverse
        count = dy.dtype.type(self.batch_total(len(rows)))
        mean_dy, mean_product = self.batch_total(np.stack([dbeta, dgamma])) / count
        dx = np.multiply(centred, -inverse * mean_product, out=self.empty(rows.shape, dy.dtype))
        np.add(dx, rows, out=dx)
        np.subtract(dx, mean_dy, out=dx)
        np.multiply(dx, gamma * inverse, out=dx)
        return dx.reshape(dy.shape), dgamma, dbeta

    def batch_total(self, local):
        """A sum over the batch from its part here, which is all of it: see `parallel.py`."""
        return local

    # Losses ------------------------------------------------------------------------------------

    def softplus_with_gradient(self, x):
        """log(1 + eˣ) and its derivative σ(x), both finite for every finite x."""
        return self.bias_activation(x, None, "softplus"), self.sigmoid(x)

    def sigmoid(self, x):
        """σ(x) = 1 / (1 + e⁻ˣ); through tanh, so nothing overflows."""
        return np.tanh(x * 0.5) * 0.5 + 0.5

    def norm(self, x):
        """√Σ x² of a vector."""
        return np.sqrt(np.dot(x, x))

    # Whether training is still finite ----------------------------------------------------------

    def is_finite(self, x):
        """Whether every number of x is finite."""
        return bool(np.isfinite(x).all())

    def finite_guard(self, loss, norm, before=None):
        """A flag: whether two numbers are finite and the flag `before`, if any, was set."""
        return before in (None, True) and math.isfinite(loss) and math.isfinite(norm)

    def read_flags(self, flags):
        """The flags as a list of bool."""
        return list(flags)

    # Optimizer updates, on one flat vector ---------------------------------------------------
    #
    # guard: a flag of `finite_guard`; where it is not set, nothing is changed.

    def sgd(self, parameters, gradients, velocity, lr, momentum, guard=None):
        """v = μ v + g;  w −= lr · v."""
        if guard is False:
            return
        for w, g, v, step in self._blocks(parameters, gradients, velocity):
            np.multiply(v, momentum, out=v)
            np.add(v, g, out=v)
            np.multiply(v, lr, out=step)
            np.subtract(w, step, out=w)

    def rmsprop(self, parameters, gradients, square, lr, alpha, eps, guard=None):
        """s = α s + (1 − α) g²;  w −= lr · g / (√s + eps)."""
        if guard is False:
            return
        for w, g, s, step in self._blocks(parameters, gradients, square):
            np.multiply(g, g, out=step)
            np.multiply(step, 1 - alpha, out=step)
            np.multiply(s, alpha, out=s)
            np.add(s, step, out=s)
            np.sqrt(s, out=step)
            np.add(step, eps, out=step)
            np.divide(g, step, out=step)
            np.multiply(step, lr, out=step)
            np.subtract(w, step, out=w)

    def adam(self, parameters, gradients, mean, square, lr, beta1, beta2, eps, t, guard=None):
        """m = β₁ m + g;  v = β₂ v + g²;  w −= lr · m̂ / (√v̂ + eps),

        m̂ = m (1 − β₁) / (1 − β₁ᵗ), v̂ = v (1 − β₂) / (1 − β₂ᵗ). Kingma & Ba 2015, algorithm 1,
        has the factors 1 − β in m and v; here they wait for the end, where one scalar holds them
        all, which saves two of twelve passes over the vectors: m̂ / (√v̂ + eps) = c · m / (√v + e)
        with e = eps √k, c = √k (1 − β₁) / (1 − β₁ᵗ), k = (1 − β₂ᵗ) / (1 − β₂).
        """
        if guard is False:
            return
        root = ((1 - beta2**t) / (1 - beta2)) ** 0.5
        scale, eps = lr * root * (1 - beta1) / (1 - beta1**t), eps * root
        for w, g, m, v, step in self._blocks(parameters, gradients, mean, square):
            np.multiply(m, beta1, out=m)
            np.add(m, g, out=m)
            np.multiply(v, beta2, out=v)
            np.multiply(g, g, out=step)
            np.add(v, step, out=v)
            np.sqrt(v, out=step)
            np.add(step, eps, out=step)
            np.divide(m, step, out=step)
            np.multiply(step, scale, out=step)
            np.subtract(w, step, out=w)

    def interpolate(self, average, parameters, rate, guard=None):
        """w̄ += rate · (w − w̄): an exponential moving average, in place."""
        if guard is False:
            return
        for mean, w, step in self._blocks(average, parameters):
            np.subtract(w, mean, out=step)
            np.multiply(step, rate, out=step)
            np.add(mean, step, out=mean)

    def _blocks(self, *vectors):
        """Slices of the vectors, block by block, and a scratch block.

        A block stays in the cache over all its operations, where whole vectors would go to
        memory and back at each: half the time of an update of a million parameters.
        """
        scratch = self.empty((min(BLOCK, vectors[0].size),), vectors[0].dtype)
        for start in range(0, vectors[0].size, BLOCK):
            parts = [vector[start : start + BLOCK] for vector in vectors]
            yield *parts, scratch[: parts[0].size]

    # Random numbers ----------------------------------------------------------------------------

    def random_uniform(self, shape, dtype, key):
        """U[0, 1), a function of the key (an integer below 2⁶⁴) and nothing else: see philox.py."""
        return uniform(shape, dtype, key)

    def random_normal(self, shape, dtype, key):
        """N(0, 1), likewise."""
        return normal(shape, dtype, key)
