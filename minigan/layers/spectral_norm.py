"""`SpectralNorm`: an affine layer whose weight is divided by its largest singular value."""

from minigan.layers.affine import Affine
from minigan.layers.base import Layer

__all__ = ["SpectralNorm"]


class SpectralNorm(Layer):
    """The layer with W̄ = W / σ(W) in the place of W, σ the largest singular value.

    layer: a `Dense`, `Conv2d` or `ConvTranspose2d`; a convolution's weight counts as the matrix
    (Kh·Kw·C, O). A dense layer with W̄ is 1-Lipschitz, so a critic of such layers and (leaky)
    ReLU is too. Miyato et al. 2018, arXiv:1802.05957, section 2 and algorithm 1.

    σ is found by power iteration, one round for each forward pass in training, from where the
    last one ended: v ← Wᵀu / ‖Wᵀu‖, u ← W v / ‖W v‖, σ = uᵀ W v. For the true singular vectors,
    ∂σ/∂W = u vᵀ (their own change drops out, as σ is at its maximum over them), hence

        dW = (dW̄ − ⟨dW̄, W̄⟩ u vᵀ) / σ                                      (equation 12)

    In training this leaves out how the round just made moved u and v with W; it is exact once
    the iteration has converged. A weight of zeros has no direction to normalise: there σ counts
    as 1, so that W̄ = 0 and dW = dW̄, and u and v wait where they are.
    """

    def __init__(self, layer):
        if not isinstance(layer, Affine):
            raise TypeError(f"SpectralNorm: expected a Dense or convolution layer, got {layer!r}")
        self.layer = layer

    def unbound(self):
        layer = super().unbound()
        layer.layer = self.layer.unbound()
        return layer

    def parameters(self):
        return self.layer.parameters()

    def buffers(self):
        *inputs, outputs = self.layer.weight_shape
        rows = 1
        for length in inputs:
            rows *= length
        return {
            "left": ((rows,), lambda rng: _unit(rng.standard_normal(rows), 0)),
            "right": ((outputs,), lambda rng: _unit(rng.standard_normal(outputs), 0)),
        }

    def forward(self, x, train):
        """B(x, W̄) + b; in training, after one round of power iteration."""
        w = self.weight.reshape(-1, self.weight.shape[-1])
        if train:
            self.right[...] = _unit(w.T @ self.left, self.right)
            self.left[...] = _unit(w @ self.right, self.left)
        left, right = self.left.copy(), self.right.copy()  # the next pass will change them
        sigma = left @ (w @ right)
        sigma = sigma + (sigma == 0)
        normalized = self.weight / sigma
        y, cache = self._with(normalized).forward(x, train)
        return y, (cache, normalized, sigma, left, right)

    def backward(self, dy, cache, parameter_gradients=True, input_gradient=True, accumulate=True):
        """dx as the layer's, at W̄;  dW = (dW̄ − ⟨dW̄, W̄⟩ u vᵀ) / σ."""
        inner, normalized, *constants = cache
        layer = self._with(normalized)
        dx = layer.backward(dy, inner, parameter_gradients, input_gradient, accumulate)
        if parameter_gradients:
            self._add_weight_gradient(layer.dweight, normalized, *constants, accumulate)
        return dx

    def double_backward(self, u, dy, cache):
        """As the layer's, at W̄; its weight gradient passes through σ as in `backward`."""
        inner, normalized, *constants = cache
        layer = self._with(normalized)
        u_dy, u_x = layer.double_backward(u, dy, inner)
        self._add_weight_gradient(layer.dweight, normalized, *constants, True)
        return u_dy, u_x

    def _with(self, normalized):
        """The layer itself, for one pass: W̄ as its weight, a gradient of zeros for W̄."""
        layer = self.layer
        layer.backend, layer.weight = self.backend, normalized
        layer.dweight = self.backend.zeros(normalized.shape, normalized.dtype)
        if layer.has_bias:
            layer.bias, layer.dbias = self.bias, self.dbias
        return layer

    def _add_weight_gradient(self, d_normalized, normalized, sigma, left, right, accumulate):
        inner = (d_normalized * normalized).sum()
        outer = (left[:, None] * right).reshape(normalized.shape)
        gradient = (d_normalized - inner * outer) / sigma
        self.dweight[...] = self.dweight + gradient if accumulate else gradient

    def output_shape(self, input_shape):
        return self.layer.output_shape(input_shape)

    def describe(self):
        return repr(self.layer)


def _unit(vector, otherwise):
    """vector / ‖vector‖, whatever its size (no square underflows); `otherwise` for zeros."""
    largest = abs(vector).max()
    vector = vector / (largest + (largest == 0))
    return vector / ((vector * vector).sum() + (largest == 0)) ** 0.5 + otherwise * (largest == 0)
