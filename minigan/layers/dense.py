"""`Dense`: every output is a weighted sum of all inputs."""

from minigan.checks import check_integer
from minigan.layers.affine import Affine

__all__ = ["Dense"]


class Dense(Affine):
    """y = x W + b, x (N, in_features) -> y (N, out_features), W (in, out), b (out,).

        dx = dy Wᵀ        every input reaches all outputs, weighted by W's row
        dW = xᵀ dy        summed over the batch
        db = Σ_n dy

    Sizes can only fit together in one way: dW has W's shape (in, out), x is (N, in), dy is
    (N, out), so the product must be xᵀ dy.
    """

    def __init__(self, in_features, out_features, *, bias=True, init=None):
        self.in_features = check_integer("in_features", in_features, 1)
        self.out_features = check_integer("out_features", out_features, 1)
        self.weight_shape, self.bias_size = (self.in_features, self.out_features), out_features
        super().__init__(bias, init)

    def apply(self, x):
        """x W."""
        return self.backend.matmul(x, self.weight), None

    def apply_adjoint(self, dy, shape):
        """dy Wᵀ."""
        return self.backend.matmul(dy, self.weight.T), None

    def add_weight_gradient(self, x, dy, saved, saved_dy, accumulate):
        """dW += xᵀ dy."""
        self.backend.add_product(self.dweight, x.T, dy, accumulate)

    def fans(self):
        return self.in_features, self.out_features

    def output_shape(self, input_shape):
        if input_shape != (self.in_features,):
            raise ValueError(f"expected input ({self.in_features},), got {input_shape}")
        return (self.out_features,)

    def describe(self):
        return f"{self.in_features}, {self.out_features}" + ("" if self.has_bias else ", no bias")
