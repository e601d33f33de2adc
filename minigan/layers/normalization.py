"""Normalization: over the batch (`BatchNorm`), or over each sample by itself (`LayerNorm`).

    x̂ = (x − μ) / σ,   y = γ x̂ + β

One formula over different axes. In the backward pass, μ and σ depend on every number that they were
taken over, and so does every gradient. With means over the same axes,

    dx = γ/σ · (dy − mean(dy) − x̂ · mean(dy x̂))
                 itself  through μ  through σ
"""

import math

from minigan.checks import check_integer, check_number
from minigan.layers.layer import Layer

__all__ = ["BatchNorm", "LayerNorm"]


class _Normalization(Layer):
    """What both have in common: γ and β (num_features,), which start at 1 and 0."""

    def __init__(self, num_features, *, eps):
        self.num_features = check_integer("num_features", num_features, 1)
        self.eps = check_number("eps", eps, 0, 1, low_open=True)

    def parameters(self):
        return {"gamma": ((self.num_features,), 1), "beta": ((self.num_features,), 0)}

    def output_shape(self, input_shape):
        if not input_shape or input_shape[-1] != self.num_features:
            raise ValueError(f"expected a last axis of {self.num_features}, got {input_shape}")
        return input_shape

    def describe(self):
        return str(self.num_features)


class BatchNorm(_Normalization):
    """y = γ x̂ + β,  x̂ = (x − μ) / σ,  σ = √(var + eps)      x (N, ..., num_features)

    dx  = γ/σ · (dy − mean(dy) − x̂ · mean(dy x̂))   in training;   γ/σ · dy   in evaluation
    dγ += Σ dy x̂
    dβ += Σ dy                                      sums and means over all axes but the last

    In training, μ and var are those of the batch (var with 1/M), and they enter the running
    statistics, running = (1 − momentum) · running + momentum · batch (var with 1/(M − 1)); in
    evaluation the running statistics are used, which are constants. Ioffe & Szegedy 2015,
    arXiv:1502.03167, algorithms 1 and 2, and section 3 for dx.

    In training every gradient depends on every sample: that is why real and fake samples go through
    a discriminator as separate batches, and why batch norm has no place under a gradient penalty.
    eps and momentum are keyword-only: swapped, they do harm silently. Raises ValueError in training
    if there is only one value per feature.
    """

    def __init__(self, num_features, *, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps=eps)
        self.momentum = check_number("momentum", momentum, 0, 1)

    def buffers(self):
        return {"running_mean": ((self.num_features,), 0), "running_var": ((self.num_features,), 1)}

    def forward(self, x, train):
        mean, var = self.batch_statistics(x) if train else (self.running_mean, self.running_var)
        sigma = (var + self.eps) ** 0.5
        normalized = (x - mean) / sigma
        return self.gamma * normalized + self.beta, (normalized, sigma, train)

    def backward(self, dy, cache):
        normalized, sigma, train = cache
        if not train:
            return self.gamma / sigma * dy
        through_mean = self.mean(dy)
        through_sigma = normalized * self.mean(dy * normalized)
        return self.gamma / sigma * (dy - through_mean - through_sigma)

    def add_gradients(self, dy, cache):
        normalized, _, _ = cache
        self.dgamma += sum_per_feature(dy * normalized)
        self.dbeta += sum_per_feature(dy)

    def batch_statistics(self, x):
        """μ and var of the batch; the running statistics move towards them."""
        mean = self.mean(x)
        var = self.mean((x - mean) ** 2)
        self.remember(mean, var, self.count(x))
        return mean, var

    def remember(self, mean, var, count):
        """running += momentum · (batch − running), with the variance's unbiased estimate."""
        if count < 2:
            raise ValueError("BatchNorm needs more than one value per feature in training")
        unbiased = var * (count / (count - 1))
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (unbiased - self.running_var)

    def mean(self, x):
        """The mean of each feature over the batch, (num_features,)."""
        return self.backend.batch_total(sum_per_feature(x)) / self.count(x)

    def count(self, x):
        """M, how many values each feature has in the batch."""
        return self.backend.batch_total(x.size // self.num_features)

    def why_no_double_backward(self):
        return (
            f"{self!r} cannot stand under a gradient penalty: the penalty takes each sample's "
            "gradient by itself, and batch norm makes it depend on all the others; use LayerNorm"
        )


class LayerNorm(_Normalization):
    """y = γ x̂ + β,  x̂ = (x − μ) / σ,  σ = √(var + eps)      x (N, ..., num_features)

    dx  = P(γ dy),   P(v) = (v − mean(v) − x̂ · mean(v x̂)) / σ
    dγ += Σ dy x̂
    dβ += Σ dy

    μ, var and the means run over all axes of a sample, so that each sample is normalized by itself,
    in training as in evaluation (Ba et al. 2016, arXiv:1607.06450, equations 3 and 4). A sample's
    gradient does not depend on the other samples: what batch norm lacks and a gradient penalty
    needs (Gulrajani et al. 2017, arXiv:1704.00028, section 4). P, the Jacobian of x -> x̂, is
    symmetric, so that the same P serves in both directions.
    """

    def __init__(self, num_features, *, eps=1e-5):
        super().__init__(num_features, eps=eps)

    def output_shape(self, input_shape):
        shape = super().output_shape(input_shape)
        if math.prod(shape) == 1:
            raise ValueError("LayerNorm needs more than one value per sample: x̂ would always be 0")
        return shape

    def forward(self, x, train):
        centred = x - mean_per_sample(x)
        sigma = (mean_per_sample(centred * centred) + self.eps) ** 0.5
        normalized = centred / sigma
        return self.gamma * normalized + self.beta, (normalized, sigma)

    def backward(self, dy, cache):
        return jacobian(self.gamma * dy, *cache)

    def add_gradients(self, dy, cache):
        normalized, _ = cache
        self.dgamma += sum_per_feature(dy * normalized)
        self.dbeta += sum_per_feature(dy)

    def double_backward(self, u, dy, cache):
        """u_dy = γ P(u);  dγ += Σ P(u)·dy;  u_x from dx's own dependence on x̂ and σ.

        With g = γ dy and M values per sample,
        ⟨u, dx⟩ = φ = (⟨u, g⟩ − M ū ḡ − ⟨u, x̂⟩⟨g, x̂⟩ / M) / σ.
        Through x̂, its derivative is v = −(⟨g, x̂⟩ u + ⟨u, x̂⟩ g) / (M σ), to be taken through x̂'s
        Jacobian; through σ it is −φ/σ times dσ/dx = x̂ / M:

            u_x = P(v) − φ x̂ / (M σ)
        """
        normalized, sigma = cache
        g, pushed = self.gamma * dy, jacobian(u, normalized, sigma)
        self.dgamma += sum_per_feature(pushed * dy)
        v = -(mean_per_sample(g * normalized) * u + mean_per_sample(u * normalized) * g) / sigma
        phi_over_m = mean_per_sample(pushed * g)
        u_x = jacobian(v, normalized, sigma) - normalized * phi_over_m / sigma
        return self.gamma * pushed, u_x


def jacobian(v, normalized, sigma):
    """P(v) = (v − mean(v) − x̂ · mean(v x̂)) / σ, with the means of each sample."""
    return (v - mean_per_sample(v) - normalized * mean_per_sample(v * normalized)) / sigma


def mean_per_sample(x):
    """The mean of each sample, (N, 1, ...)."""
    return x.mean(axis=tuple(range(1, x.ndim)), keepdims=True)


def sum_per_feature(x):
    """Σ x (..., C) over all axes but the last, (C,); added up in float64, as M may be millions."""
    return x.sum(axis=tuple(range(x.ndim - 1)), dtype="float64").astype(x.dtype)
