"""Normalization: centred, and scaled to a standard deviation of 1. One formula over different axes.

    x̂ = (x − μ) / σ,   σ = √(var + eps),   y = γ x̂ + β          γ, β (C,): one per channel

    for x (N, H, W, C)     μ and σ over    one each per
    BatchNorm              N, H, W         channel: depends on the other samples
    LayerNorm              H, W, C         sample
    InstanceNorm           H, W            sample and channel

In the backward pass, μ and σ depend on every number that they were taken over, and so does every
gradient. With means over the same axes,

    dx = P(γ dy),   P(v) = (v − mean(v) − x̂ · mean(v x̂)) / σ
                            itself  through μ  through σ
(P, the Jacobian of x -> x̂, is symmetric, and serves in both directions.)
"""

import math

from minigan.checks import check_integer, check_number
from minigan.layers.layer import Layer

__all__ = ["BatchNorm", "InstanceNorm", "LayerNorm"]


class _Normalization(Layer):
    """γ and β (num_features,), which start at 1 and 0; without `affine`, they stay there: y = x̂."""

    def __init__(self, num_features, *, affine=True, eps=1e-5):
        self.num_features = check_integer("num_features", num_features, 1)
        self.eps, self.affine = check_number("eps", eps, 0, 1, low_open=True), bool(affine)

    def parameters(self):
        spec = {"gamma": ((self.num_features,), 1), "beta": ((self.num_features,), 0)}
        return spec if self.affine else {}

    def bind_views(self, views):
        if not self.affine:  # constants, and gradients that nobody reads
            fixed = self.backend.xp.zeros((4, self.num_features), self.network.dtype)
            fixed[0] = 1
            views |= dict(zip(("gamma", "beta", "dgamma", "dbeta"), fixed, strict=True))
        super().bind_views(views)

    def add_gradients(self, dy, cache):
        normalized, *_ = cache
        self.dgamma += sum_per_feature(dy * normalized)
        self.dbeta += sum_per_feature(dy)

    def output_shape(self, input_shape):
        if not input_shape or input_shape[-1] != self.num_features:
            raise ValueError(f"expected a last axis of {self.num_features}, got {input_shape}")
        return input_shape

    def describe(self):
        return f"{self.num_features}" + ("" if self.affine else ", not affine")


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
    Raises ValueError in training if there is only one value per feature.
    """

    def __init__(self, num_features, *, affine=True, eps=1e-5, momentum=0.1):
        super().__init__(num_features, affine=affine, eps=eps)
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
    """y = γ x̂ + β,  x̂ = (x − μ) / σ,  μ and σ of each sample      x (N, ..., num_features)

    dx = P(γ dy), in training as in evaluation. It does not depend on the other samples: what batch
    norm lacks and a gradient penalty needs (Gulrajani et al. 2017, arXiv:1704.00028, section 4).
    Ba et al. 2016, arXiv:1607.06450, equations 3 and 4.
    """

    apart = 0

    def forward(self, x, train):
        centred = x - self.mean(x)
        sigma = (self.mean(centred * centred) + self.eps) ** 0.5
        normalized = centred / sigma
        return self.gamma * normalized + self.beta, (normalized, sigma)

    def backward(self, dy, cache):
        return self.jacobian(self.gamma * dy, *cache)

    def double_backward(self, u, dy, cache):
        """u_dy = γ P(u);  dγ += Σ P(u)·dy;  u_x from dx's own dependence on x̂ and σ.

        With g = γ dy and sums and means over the M values that share one μ and σ,
        ⟨u, dx⟩ = φ = (⟨u, g⟩ − M ū ḡ − ⟨u, x̂⟩⟨g, x̂⟩ / M) / σ.
        Through x̂, its derivative is v = −(⟨g, x̂⟩ u + ⟨u, x̂⟩ g) / (M σ), to be taken through x̂'s
        Jacobian; through σ it is −φ/σ times dσ/dx = x̂ / M:

            u_x = P(v) − φ x̂ / (M σ)
        """
        normalized, sigma = cache
        g, pushed = self.gamma * dy, self.jacobian(u, normalized, sigma)
        self.dgamma += sum_per_feature(pushed * dy)
        v = -(self.mean(g * normalized) * u + self.mean(u * normalized) * g) / sigma
        phi_over_m = self.mean(pushed * g)
        u_x = self.jacobian(v, normalized, sigma) - normalized * phi_over_m / sigma
        return self.gamma * pushed, u_x

    def jacobian(self, v, normalized, sigma):
        """P(v) = (v − mean(v) − x̂ · mean(v x̂)) / σ."""
        return (v - self.mean(v) - normalized * self.mean(v * normalized)) / sigma

    def output_shape(self, input_shape):
        shape = super().output_shape(input_shape)
        if math.prod(shape[: len(shape) - self.apart]) == 1:
            per = "channel" if self.apart else "sample"
            raise ValueError(f"expected more than one value per {per}: x̂ would always be 0")
        return shape

    def mean(self, x):
        """Over a sample's axes but for the last `apart`; they stay, with size 1."""
        return x.mean(axis=tuple(range(1, x.ndim - self.apart)), keepdims=True)


class InstanceNorm(LayerNorm):
    """y = γ x̂ + β,  x̂ = (x − μ) / σ,  μ and σ of each channel of each sample     x (N, H, W, C)

    An image's contrast is taken out of it. Ulyanov et al. 2016, arXiv:1607.08022, equation 3.
    """

    apart = 1


def sum_per_feature(x):
    """Σ x (..., C) over all axes but the last, (C,); added up in float64, as M may be millions."""
    return x.sum(axis=tuple(range(x.ndim - 1)), dtype="float64").astype(x.dtype)
