"""`Affine`: what dense, convolutional and transposed convolutional layers have in common.

Each is a map B(x, W) that is linear in x and linear in W, plus a bias. The derivative of a
bilinear map needs nothing but its two adjoints, so forward and backward are written here once,
and each layer says what its B is:

    layer              B(x, W)       adjoint in x        adjoint in W
    Dense              x W           dy Wᵀ               xᵀ dy
    Conv2d             conv          conv_grad_input     conv_grad_weight
    ConvTranspose2d    (the first two columns swapped, the third with x and dy swapped)
"""

from minigan.layers.base import Layer
from minigan.layers.initializers import He

__all__ = ["Affine"]


class Affine(Layer):
    """y = B(x, W) + b. Subclasses give `apply`, `apply_adjoint` and `add_weight_gradient`."""

    samplewise = True

    def __init__(self, bias, init):
        self.has_bias = bool(bias)
        self.init = He() if init is None else init

    def parameters(self):
        shape, fan_in, fan_out = self.weight_shape, *self.fans()
        spec = {"weight": (shape, lambda rng: self.init(rng, shape, fan_in, fan_out))}
        if self.has_bias:
            spec["bias"] = ((self.bias_size,), 0)
        return spec

    def forward(self, x, train):
        """y = B(x, W) + b."""
        y, saved = self.apply(x)
        if self.has_bias:
            y = self.backend.bias_activation(y, self.bias, "identity", out=y)
        return y, (x, saved)

    def backward(self, dy, cache, parameter_gradients=True, input_gradient=True, accumulate=True):
        """dx = B*(dy, W);  dW += the adjoint in W;  db += Σ dy over all axes but the last."""
        x, saved = cache
        dx, saved_dy = self.apply_adjoint(dy, x.shape) if input_gradient else (None, None)
        if parameter_gradients:
            self.add_weight_gradient(x, dy, saved, saved_dy, accumulate)
            if self.has_bias:
                self.backend.add_sum(self.dbias, dy, accumulate)
        return dx

    def double_backward(self, u, dy, cache):
        """u_dy = B(u, W);  dW += the adjoint in W of (u, dy);  u_x = 0.

        dx = B*(dy, W) is linear in dy and in W and knows neither x nor b. As ⟨u, B*(dy, W)⟩ =
        ⟨B(u, W), dy⟩, its gradients are those of the forward pass with u in the place of x.
        """
        u_dy, saved = self.apply(u)
        self.add_weight_gradient(u, dy, saved, None, True)
        return u_dy, None
