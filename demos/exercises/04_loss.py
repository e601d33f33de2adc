"""Exercise 4: the losses of a GAN, on logits. 30 minutes.

D gives each sample a number v, its logit; D's probability that the sample is real is the sigmoid

    σ(v) = 1 / (1 + e⁻ᵛ)

With the logits r of N real samples and f of N fakes, the two players minimise

    D    −(1/N) Σ log σ(r)  −  (1/N) Σ log(1 − σ(f))        real samples up, fakes down
    G    −(1/N) Σ log σ(f)                                  "non-saturating"

Computed like that, they fail: in float32, 1 − σ(20) is 0, and its logarithm −∞. So use

    softplus(v) = log(1 + eᵛ)

Questions: which of the terms above is softplus(−v), and which softplus(v)? How can softplus be
computed so that no e overflows, for v = 800 and for v = −800? What is its derivative?

    r, f (N, 1)     the losses are numbers, their gradients have the shapes of r and f

The gradients are those of the means, so that each has its 1/N.
"""

import numpy as np

from checker import check


def softplus(v):
    """log(1 + eᵛ) for every number of an array, finite for every finite v."""
    return ...


def sigmoid(v):
    """1 / (1 + e⁻ᵛ), finite for every finite v."""
    return ...


def discriminator(r, f):
    """D's loss, ∂loss/∂r, ∂loss/∂f."""
    loss = ...
    d_real = ...
    d_fake = ...
    return loss, d_real, d_fake


def generator(f):
    """G's loss, ∂loss/∂f."""
    loss = ...
    d_fake = ...
    return loss, d_fake


if __name__ == "__main__":
    check(__file__)
