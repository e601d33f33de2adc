"""Exercise 14: the Wasserstein critic, and what keeps it in bounds. 10 minutes.

A critic is a discriminator without a sigmoid: its output is a height, not a probability. Of all
functions with a slope of at most 1, the one that stands highest over the real samples and lowest
over the fakes measures how far apart the two are:

    W(p, q) = max  mean r − mean f        r, f (N, 1): the heights of real samples and fakes

(Arjovsky et al. 2017, arXiv:1701.07875, equations 2 and 3.) All losses here are minimised.

Questions: what does D minimise, then, and what does G, which can only move the fakes? What is each
loss's slope? Without the condition on the slope, what would D do? Weight clipping is the crude way
to keep it: after each step of D, every weight is moved back into [−limit, limit].

    given       r, f (N, 1)
    to find     for each sample, the terms of the losses and their derivatives, all (N, 1);
                the mean over the batch, with its 1/N, is taken elsewhere

Look at demos/wasserstein.py afterwards: how good is this leash, beside the penalty of exercise 13?
"""

import numpy as np

import minigan
from checker import check


class Wasserstein(minigan.Wasserstein):
    def discriminator_terms(self, r, f):
        """D's term for each real sample, for each fake, and their derivatives."""
        real = ...
        fake = ...
        d_real = ...
        d_fake = ...
        return real, fake, d_real, d_fake

    def generator_terms(self, f):
        """G's term for each fake, and its derivative."""
        fake = ...
        d_fake = ...
        return fake, d_fake


class WeightClipping(minigan.WeightClipping):
    def constrain(self, discriminator):
        """Clip discriminator.parameters, one vector of all weights, where they are: in place."""
        limit = self.limit
        ...


if __name__ == "__main__":
    check(__file__)
