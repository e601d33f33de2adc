"""Exercise 7: batch norm, backward in training. 30 minutes.

Batch norm gives each feature the mean 0 and the deviation 1 over the batch, and then a mean β and a
deviation γ that the network chooses for itself:

    x̂ = (x − μ) / σ,    y = γ x̂ + β           x, x̂, y (N, C)
    μ = (1/N) Σ x,      σ = √((1/N) Σ (x − μ)² + eps)           μ, σ, γ, β (C,)

Question: if x[n, c] grows, y[n, c] grows; but μ[c] and σ[c] change as well, and with them the whole
column y[:, c]. By how much does L grow per unit of x[n, c], all ways taken together?

    given       dy = ∂L/∂y (N, C)
    to find     dx = ∂L/∂x (N, C)
                dγ = ∂L/∂γ (C,),  dβ = ∂L/∂β (C,)

Draw the ways from x to y on paper, with boxes for μ, σ and x̂; go back along each of them, and add.
Two of three terms of dx are means over the batch. What do they do to a dy that is the same for all
samples? To one that is x̂?
"""

import numpy as np

import minigan
from checker import check


class BatchNorm(minigan.BatchNorm):
    """γ, β, eps and their gradients: self.gamma, self.beta, self.eps, self.dgamma, self.dbeta."""

    def forward(self, x, train):
        mean, var = self.batch_statistics(x) if train else (self.running_mean, self.running_var)
        sigma = ...
        normalized = ...
        y = ...
        return y, (normalized, sigma, train)

    def backward(self, dy, cache):
        normalized, sigma, train = cache
        if not train:  # μ and σ are constants then
            return self.gamma / sigma * dy
        dx = ...
        return dx

    def add_gradients(self, dy, cache):
        normalized, sigma, train = cache
        self.dgamma += ...
        self.dbeta += ...


if __name__ == "__main__":
    check(__file__)
