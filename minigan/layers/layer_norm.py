"""`LayerNorm`: normalisation over each sample by itself, with a second derivative."""

from minigan.checks import check_integer, check_number
from minigan.layers.base import Layer

__all__ = ["LayerNorm"]


class LayerNorm(Layer):
    """y = γ x̂ + β, x̂ = (x − μ) / σ, with μ and σ = √(var + eps) of each sample.

    x (N, ..., num_features); μ and var run over all axes but the batch, γ and β are
    (num_features,) and start at 1 and 0. The same in training and evaluation. Ba et al. 2016,
    arXiv:1607.06450, equations 3 and 4. A sample's output, and so its gradient, knows nothing of
    the other samples: what batch norm lacks and a gradient penalty needs (Gulrajani et al. 2017,
    arXiv:1704.00028, section 4).

    With M values a sample, ⟨·,·⟩ and means over a sample, the Jacobian of x -> x̂ is symmetric:

        P(v) = (v − mean(v) − x̂ · mean(v·x̂)) / σ
    """

    samplewise = True

    def __init__(self, num_features, *, eps=1e-5):
        self.num_features = check_integer("num_features", num_features, 1)
        self.eps = check_number("eps", eps, 0, 1, low_open=True)

    def parameters(self):
        return {"gamma": ((self.num_features,), 1), "beta": ((self.num_features,), 0)}

    def forward(self, x, train):
        """y = γ x̂ + β."""
        centred = x - _mean(x)
        sigma = (_mean(centred * centred) + self.eps) ** 0.5
        normalized = centred / sigma
        return normalized * self.gamma + self.beta, (normalized, sigma)

    def backward(self, dy, cache, parameter_gradients=True, input_gradient=True, accumulate=True):
        """dx = P(γ dy);  dγ = Σ dy·x̂;  dβ = Σ dy, summed over all axes but the last."""
        if parameter_gradients:
            dgamma, dbeta = _per_feature(dy * cache[0]), _per_feature(dy)
            self.dgamma[...] = self.dgamma + dgamma if accumulate else dgamma
            self.dbeta[...] = self.dbeta + dbeta if accumulate else dbeta
        return _jacobian(dy * self.gamma, *cache)

    def double_backward(self, u, dy, cache):
        """u_dy = γ P(u);  dγ += Σ P(u)·dy;  u_x from dx's own dependence on x̂ and σ.

        With g = γ dy, ⟨u, dx⟩ = φ = (⟨u, g⟩ − M ū ḡ − ⟨u, x̂⟩⟨g, x̂⟩ / M) / σ. Through x̂, its
        derivative is v = −(⟨g, x̂⟩ u + ⟨u, x̂⟩ g) / (M σ), to be taken through x̂'s Jacobian;
        through σ it is −φ/σ times dσ/dx = x̂ / M:

            u_x = P(v) − φ x̂ / (M σ)
        """
        normalized, sigma = cache
        size = normalized[0].size
        g, pushed = dy * self.gamma, _jacobian(u, normalized, sigma)
        self.dgamma += _per_feature(pushed * dy)
        v = -(_mean(g * normalized) * u + _mean(u * normalized) * g) / sigma
        phi = _mean(pushed * g) * size
        u_x = _jacobian(v, normalized, sigma) - normalized * (phi / (sigma * size))
        return pushed * self.gamma, u_x

    def output_shape(self, input_shape):
        if not input_shape or input_shape[-1] != self.num_features:
            raise ValueError(f"expected a last axis of {self.num_features}, got {input_shape}")
        return input_shape

    def describe(self):
        return str(self.num_features)


def _jacobian(v, normalized, sigma):
    """P(v)."""
    return (v - _mean(v) - normalized * _mean(v * normalized)) / sigma


def _mean(x):
    """The mean of each sample, (N, 1, ...)."""
    return x.mean(axis=tuple(range(1, x.ndim)), keepdims=True)


def _per_feature(x):
    return x.sum(axis=tuple(range(x.ndim - 1)))
