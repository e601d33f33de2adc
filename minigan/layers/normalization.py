"""Batch normalization: statistics of the batch in training, running statistics in evaluation."""

from minigan.checks import check_integer, check_number
from minigan.layers.base import Layer

__all__ = ["BatchNorm"]


class BatchNorm(Layer):
    """y = γ x̂ + β, x̂ = (x − mean) / √(var + eps), over all axes but the last.

    x (N, ..., num_features); γ and β (num_features,) start at 1 and 0. In training, mean and
    var are the batch's own (var with 1/M), and they enter the running statistics,
    running = (1 − momentum) · running + momentum · batch (var with 1/(M − 1), the unbiased
    one); in evaluation the running statistics are used. Ioffe & Szegedy 2015, arXiv:1502.03167,
    algorithms 1 and 2.

    The two modes have two backward passes. In evaluation, mean and var are constants. In
    training they depend on every sample, and so does every gradient: that is why real and fake
    samples go through a discriminator as separate batches, and why batch norm has no place
    under a gradient penalty. eps and momentum are keyword-only: swapped, they do harm silently.
    """

    def __init__(self, num_features, *, eps=1e-5, momentum=0.1):
        self.num_features = check_integer("num_features", num_features, 1)
        self.eps = check_number("eps", eps, 0, 1, low_open=True)
        self.momentum = check_number("momentum", momentum, 0, 1)

    def parameters(self):
        return {"gamma": ((self.num_features,), 1), "beta": ((self.num_features,), 0)}

    def buffers(self):
        return {"running_mean": ((self.num_features,), 0), "running_var": ((self.num_features,), 1)}

    def forward(self, x, train):
        return self._forward_train(x) if train else self._forward_eval(x)

    def backward(self, dy, cache, parameter_gradients=True, input_gradient=True, accumulate=True):
        of_batch, *arrays = cache
        backward = self._backward_train if of_batch else self._backward_eval
        dx, dgamma, dbeta = backward(dy, *arrays)
        if parameter_gradients:
            self.dgamma[...] = self.dgamma + dgamma if accumulate else dgamma
            self.dbeta[...] = self.dbeta + dbeta if accumulate else dbeta
        return dx

    def why_no_double_backward(self):
        return (
            f"{self!r} cannot stand under a gradient penalty: the penalty takes each sample's "
            "gradient by itself, and batch norm makes it depend on all the others; use LayerNorm"
        )

    def _forward_train(self, x):
        y, centred, inverse, mean, unbiased = self.backend.batch_norm(
            x, self.gamma, self.beta, self.eps
        )
        self.backend.interpolate(self.running_mean, mean, self.momentum)
        self.backend.interpolate(self.running_var, unbiased, self.momentum)
        return y, (True, centred, inverse)

    def _backward_train(self, dy, centred, inverse):
        return self.backend.batch_norm_gradient(dy, centred, inverse, self.gamma)

    def _forward_eval(self, x):
        inverse = (self.running_var + self.eps) ** -0.5
        normalized = (x - self.running_mean) * inverse
        return normalized * self.gamma + self.beta, (False, normalized, inverse)

    def _backward_eval(self, dy, normalized, inverse):
        """dx = dy · γ · inverse;  dγ = Σ dy·x̂;  dβ = Σ dy: mean and var are constants here."""
        axes = tuple(range(dy.ndim - 1))
        return dy * (self.gamma * inverse), (dy * normalized).sum(axis=axes), dy.sum(axis=axes)

    def output_shape(self, input_shape):
        if not input_shape or input_shape[-1] != self.num_features:
            raise ValueError(f"expected a last axis of {self.num_features}, got {input_shape}")
        return input_shape

    def describe(self):
        return str(self.num_features)
