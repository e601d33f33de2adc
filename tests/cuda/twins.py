"""`Twins`: what every operation of `CupyBackend` computes, in plain NumPy.

Where a page of the library says it (a layer, an optimizer, an average of weights), the twin runs
that page, on the CPU. The rest is written out here, in the plainest form. Nothing is tuned.
"""

from types import SimpleNamespace

import numpy as np

from minigan import (
    SGD,
    Adam,
    BatchNorm,
    LeakyReLU,
    ReLU,
    RMSProp,
    Sigmoid,
    Softplus,
    Tanh,
    WeightAverage,
)
from minigan.backend import get_backend, philox
from minigan.layers.activations import Activation, sigmoid, softplus
from minigan.layers.convolution import fold, matrix, product, rows, unfold
from minigan.layers.normalization import sum_per_feature

__all__ = ["Twins"]


class Identity(Activation):
    """f(x) = x, which no layer is made of."""

    def forward(self, x, train):
        return x.copy(), x

    def backward(self, dy, y):
        return dy.copy()

    def double_backward(self, u, dy, y):
        return u.copy(), None


PAGES = {
    "identity": Identity,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "softplus": Softplus,
}


def page(activation, slope):
    """The layer of that name, on the CPU."""
    layer = LeakyReLU(slope) if activation == "leaky_relu" else PAGES[activation]()
    layer.backend = get_backend("reference")
    return layer


def written(out, result):
    """The result, in `out` if that is given."""
    if out is None:
        return result
    out[...] = result
    return out


class Twins:
    """The operations of `CupyBackend`, by the same names and with the same arguments."""

    xp = np

    def asarray(self, x, dtype=None):
        return np.asarray(x, dtype)

    def is_finite(self, x):
        return bool(np.isfinite(x).all())

    # Products and sums -------------------------------------------------------------------------

    def matmul(self, a, b, out=None):
        return np.matmul(a, b, out=out)

    def add_product(self, out, a, b):
        out += a @ b

    def add_sum(self, out, x):
        out += sum_per_feature(x)

    def sum_rows(self, x, out=None):
        return written(out, sum_per_feature(x))

    # Activations and losses --------------------------------------------------------------------

    def bias_activation(self, x, bias, activation, slope=0.0, out=None):
        y, _ = page(activation, slope).forward(x if bias is None else x + bias, train=False)
        return written(out, y)

    def activation_gradient(self, dy, y, activation, slope=0.0):
        return page(activation, slope).backward(dy, y)

    def activation_curvature(self, u, dy, y, activation):
        _, curvature = page(activation, 0.0).double_backward(u, dy, y)
        return np.zeros_like(y) if curvature is None else curvature

    def logistic_loss(self, r, f, sign, slope, rest):
        loss = (sign * softplus(np, slope * r) + rest * r).mean()
        d_real = (sign * slope * sigmoid(np, slope * r) + rest) / r.size
        if f is None:
            return loss, d_real, np.zeros((0, *r.shape[1:]), r.dtype)
        return loss + softplus(np, f).mean(), d_real, sigmoid(np, f) / f.size

    def mean(self, x):
        return x.mean()

    def norm(self, x):
        return np.sqrt((x * x).sum())

    # Batch normalization -----------------------------------------------------------------------

    def batch_norm(
        self, x, gamma, beta, running_mean, running_var, eps, momentum, activation, slope=0.0
    ):
        """f(y); x − μ and 1/σ, which the gradient needs."""
        mean = rows(x).mean(axis=0)
        centred = rows(x) - mean
        var = (centred**2).mean(axis=0)
        layer = BatchNorm(len(mean), momentum=momentum)
        layer.running_mean, layer.running_var = running_mean, running_var
        layer.remember(mean, var, len(centred))
        inverse = 1 / np.sqrt(var + eps)
        y, _ = page(activation, slope).forward(gamma * centred * inverse + beta, train=False)
        return y.reshape(x.shape), centred, inverse

    def batch_norm_gradient(self, dy, centred, inverse, gamma, gradients=None):
        g, normalized = rows(dy), centred * inverse
        through_mean, through_sigma = g.mean(axis=0), (g * normalized).mean(axis=0)
        dx = gamma * inverse * (g - through_mean - normalized * through_sigma)
        if gradients is not None:
            dgamma, dbeta = gradients
            dgamma += (g * normalized).sum(axis=0)
            dbeta += g.sum(axis=0)
        return dx.reshape(dy.shape)

    # Convolutions ------------------------------------------------------------------------------

    def unfold(self, x, kernel, stride, padding):
        columns = unfold(np, x, kernel, stride, padding)
        return columns.reshape(*columns.shape[:3], *kernel, x.shape[3])

    columns_of = unfold

    def conv(self, x, w, stride, padding):
        columns = unfold(np, x, w.shape[:2], stride, padding)
        return product(columns, matrix(w)), columns

    def conv_grad_input(self, dy, w, stride, padding, size):
        if len(dy) == 0:  # which the page, in a network, never is
            return np.zeros((0, *size, w.shape[2]), dy.dtype)
        return fold(np, product(dy, matrix(w).T), w.shape[:2], stride, padding, size)

    def conv_grad_weight(self, columns, dy, out):
        places = out[..., 0].size
        out += (columns.reshape(-1, places).T @ rows(dy)).reshape(out.shape)

    # Updates -----------------------------------------------------------------------------------

    def new_flag(self):
        return np.array([1, 0], "int32")

    def finite_guard(self, loss, norm, flag, number, statistics=None):
        arrays = loss, norm, 0 if statistics is None else statistics
        if flag[0] and not all(np.isfinite(x).all() for x in arrays):
            flag[...] = 0, number

    def set_back(self, statistics, before, flag):
        if not flag[0]:
            statistics[...] = before

    def sgd(self, parameters, gradients, velocity, lr, momentum, guard=None):
        self._update(SGD, parameters, gradients, lr, guard,
                     state={"velocity": velocity}, momentum=momentum)  # fmt: skip

    def rmsprop(self, parameters, gradients, square, lr, alpha, eps, guard=None):
        self._update(RMSProp, parameters, gradients, lr, guard,
                     state={"square": square}, alpha=alpha, eps=eps)  # fmt: skip

    def adam(self, parameters, gradients, mean, square, lr, beta1, beta2, eps, t, guard=None):
        self._update(Adam, parameters, gradients, lr, guard,
                     state={"mean": mean, "square": square},
                     beta1=beta1, beta2=beta2, eps=eps, steps=t)  # fmt: skip

    def _update(self, cls, w, g, lr, guard, **attributes):
        """The page's update, of an optimizer with these attributes."""
        if guard is None or guard[0]:
            cls.update(SimpleNamespace(**attributes), w, g, lr)

    def interpolate(self, average, parameters, rate, guard=None):
        if guard is None or guard[0]:
            WeightAverage.interpolate(None, average, parameters, rate)

    # Random numbers ----------------------------------------------------------------------------

    def random_uniform(self, shape, dtype, key):
        return philox.uniform(shape, dtype, key)

    def random_normal(self, shape, dtype, key):
        return philox.normal(shape, dtype, key)
