"""Exercise 13: the gradient of a gradient. 30 minutes.

A gradient penalty makes a loss of dx, the gradient that comes out of D's backward pass: say, the
mean of (‖dx‖ − 1)². To train D by it, we need the gradient of that loss with respect to D's
weights, and dx came from a backward pass. So each layer also needs the backward pass of its
backward pass:

    forward             x, W   ->  y          then a loss gives dy = ∂L/∂y
    backward            dy, W  ->  dx         then a penalty P gives u = ∂P/∂dx
    double backward     u      ->  u_dy = ∂P/∂dy,  ∂P/∂W,  u_x = ∂P/∂x

Take `backward` as a function of dy, W and x, and differentiate it, as in exercises 1 and 3:

    Dense      dx = dy Wᵀ                  dy (N, O),  W (I, O),  dx, u (N, I)
    Tanh       dx = dy (1 − y²)            all of one shape, y = tanh x

Questions: for a dense layer, does dx depend on x? What is linear in dy, and what is the way back of
a product with Wᵀ? For tanh, dx depends on x through y: what is the derivative of 1 − y² with
respect to x?

    given       u = ∂P/∂dx, dy, and the cache
    to find     u_dy, with the shape of dy;  u_x, with that of x;  for Dense, ∂P/∂W (I, O)
"""

import numpy as np

import minigan
from checker import check


class Dense(minigan.Dense):
    def double_backward(self, u, dy, x):
        """u_dy, u_x; adds ∂P/∂W to self.dweight. u_x is None where dx does not depend on x."""
        self.dweight += ...
        u_dy = ...
        u_x = ...
        return u_dy, u_x


class Tanh(minigan.Tanh):
    def double_backward(self, u, dy, y):
        """u_dy, u_x."""
        u_dy = ...
        u_x = ...
        return u_dy, u_x


if __name__ == "__main__":
    check(__file__)
