"""`Dense`: every output is a weighted sum of all inputs."""

from minigan.checks import check_integer
from minigan.layers.affine import Affine

__all__ = ["Dense"]


class Dense(Affine):
    """y = x W + b        x (N, in), W (in, out), b (out,) -> y (N, out)

    dx  = dy Wᵀ           every input reaches all outputs, weighted by its row of W
    dW += xᵀ dy           summed over the batch by the product itself
    db += Σₙ dy

    The shapes fit together in one way only: dW has W's shape (in, out), x is (N, in) and dy is
    (N, out), so the product must be xᵀ dy.
    """

    def __init__(self, in_features, out_features, *, bias=True, init=None):
        self.in_features = check_integer("in_features", in_features, 1)
        self.out_features = self.bias_size = check_integer("out_features", out_features, 1)
        self.weight_shape = self.in_features, self.out_features
        super().__init__(bias, init)

    def forward(self, x, train):
        y = x.dot(self.weight)
        if self.has_bias:
            y += self.bias
        return y, x

    def backward(self, dy, x):
        return dy.dot(self.weight.T)

    def add_gradients(self, dy, x):
        self.dweight += x.T.dot(dy)
        if self.has_bias:
            self.dbias += dy.sum(axis=0)

    def double_backward(self, u, dy, x):
        """dx = dy Wᵀ is a product, too: u_dy = u W, dW += uᵀ dy; x and b play no part in it."""
        self.dweight += u.T.dot(dy)
        return u.dot(self.weight), None

    def fans(self):
        return self.in_features, self.out_features

    def output_shape(self, input_shape):
        if input_shape != (self.in_features,):
            raise ValueError(f"expected input ({self.in_features},), got {input_shape}")
        return (self.out_features,)

    def describe(self):
        return f"{self.in_features}, {self.out_features}" + ("" if self.has_bias else ", no bias")
