"""`SpectralNorm`: an affine layer whose weight is divided by its largest singular value."""

import math

from minigan.backend import get_backend
from minigan.layers.affine import Affine
from minigan.layers.layer import Layer
from minigan.layers.network import Step

__all__ = ["SpectralNorm"]


class SpectralNorm(Layer):
    """The layer with W̄ = W / σ(W) in the place of W, σ the largest singular value.

    layer: a `Dense`, `Conv2d` or `ConvTranspose2d`; a convolution's weight counts as the matrix
    (Kh·Kw·C, O). A dense layer with W̄ is 1-Lipschitz, so a critic of such layers and (leaky)
    ReLU is too. Miyato et al. 2018, arXiv:1802.05957, section 2 and algorithm 1.

    σ = uᵀ W v, with the singular vectors u and v that belong to it. They are computed when the
    weight is made or assigned, and in evaluation. In training, W moves little from step to step,
    and one round of power iteration follows it: v ← Wᵀu / ‖Wᵀu‖, u ← W v / ‖W v‖. For the true
    singular vectors, ∂σ/∂W = u vᵀ (their own change drops out, as σ is at its maximum over them):

        dW = (dW̄ − ⟨dW̄, W̄⟩ u vᵀ) / σ                                      (equation 12)

    In training this leaves out how the round just made moved u and v with W; it is exact where
    the iteration has converged. A weight of zeros has no direction to normalize: there σ counts
    as 1, so that W̄ = 0 and dW = dW̄.
    """

    def __init__(self, layer):
        if not isinstance(layer, Affine):
            raise TypeError(f"SpectralNorm: expected a Dense or convolution layer, got {layer!r}")
        self.layer = layer

    def parameters(self):
        return self.layer.parameters()

    def parts(self):
        return {}  # the parameters of the layer inside are this one's own

    def buffers(self):
        *inputs, outputs = self.layer.weight_shape
        return {"left": ((math.prod(inputs),), 0), "right": ((outputs,), 0)}

    def derive(self):
        """u and v of the present weight."""
        self.left[...], self.right[...] = self.singular_vectors()

    def forward(self, x, train):
        """The layer at W̄; in training, after one round of power iteration."""
        w = self.weight.reshape(-1, self.weight.shape[-1])
        if train:
            self.right[...] = _unit(w.T.dot(self.left), self.right)
            self.left[...] = _unit(w.dot(self.right), self.left)
            left, right = self.left.copy(), self.right.copy()  # the next pass will change them
        else:
            left, right = self.singular_vectors()
        sigma = left.dot(w.dot(right))
        sigma = sigma + (sigma == 0)
        layer = self.normalized(self.weight / sigma)
        y, cache = Step(layer, self.backend).forward(x, train)
        return y, (layer, cache, sigma, left, right)

    def backward(self, dy, cache):
        """dx as the layer's, at W̄."""
        layer, inner, *_ = cache
        return Step(layer, self.backend).backward(dy, inner)

    def add_gradients(self, dy, cache):
        """dW += (dW̄ − ⟨dW̄, W̄⟩ u vᵀ) / σ, and db as the layer's."""
        layer, inner, *constants = cache
        layer.dweight.fill(0)
        Step(layer, self.backend).add_gradients(dy, inner)
        self.add_weight_gradient(layer, *constants)

    def double_backward(self, u, dy, cache):
        """As the layer's, at W̄; its weight gradient passes through σ as above."""
        layer, inner, *constants = cache
        layer.dweight.fill(0)
        u_dy, u_x = Step(layer, self.backend).double_backward(u, dy, inner)
        self.add_weight_gradient(layer, *constants)
        return u_dy, u_x

    def singular_vectors(self):
        """u and v, exactly; computed on the host."""
        host = get_backend("numpy").xp
        w = self.backend.to_numpy(self.weight).reshape(-1, self.weight.shape[-1])
        if not host.isfinite(w).all():
            return self.left.copy(), self.right.copy()  # the search for NaN goes on elsewhere
        left, _, right = host.linalg.svd(w, full_matrices=False)
        return tuple(self.backend.asarray(v, w.dtype) for v in (left[:, 0], right[0]))

    def normalized(self, weight):
        """The layer at W̄: one of its own for each pass, so that several can be open at once."""
        layer = self.layer.with_weight(weight)
        if layer.has_bias:
            layer.bias, layer.dbias = self.bias, self.dbias
        return layer

    def add_weight_gradient(self, layer, sigma, left, right):
        inner = (layer.dweight * layer.weight).sum()
        outer = (left[:, None] * right).reshape(layer.weight.shape)
        self.dweight += (layer.dweight - inner * outer) / sigma

    def output_shape(self, input_shape):
        return self.layer.output_shape(input_shape)

    def describe(self):
        return repr(self.layer)


def _unit(vector, otherwise):
    """vector / ‖vector‖, whatever its size (no square underflows); `otherwise` for zeros."""
    largest = abs(vector).max()
    vector = vector / (largest + (largest == 0))
    return vector / ((vector * vector).sum() + (largest == 0)) ** 0.5 + otherwise * (largest == 0)
