"""Exercise 10: the discriminator's step. 20 minutes.

In a step of the discriminator D, the generator G stands still. D sees a batch of real samples x and
a batch of fakes G(z), and its gradients are set to those of its loss (exercise 4):

    x (N, ...)  ------------>  D  -->  r (N, 1)  \
                                                   loss, ∂loss/∂r, ∂loss/∂f
    z (N, d)  -->  G  -->  fakes  -->  D  -->  f (N, 1)  /

    y, caches = network.forward(x)           network.zero_gradients()
    dx = network.backward(dy, caches)        network.add_gradients(dy, caches)
    loss, d_real, d_fake = self.objective.discriminator(real_logits, fake_logits)

Questions: D is run twice: which of its two caches belongs to which gradient? How do the gradients
of both batches become one? What is in D's gradients before you begin? And how far back must the
gradient go: to D's first layer, to the fakes, or into G?

    given       x (N, ...), z (N, d)
    to find     D's gradients, for both batches together; nothing else may change

The optimizer, which makes the update, comes in exercise 12.
"""

import numpy as np

import minigan
from checker import check


class GAN(minigan.GAN):
    def discriminator_gradients(self, x, z):
        """Set D's gradients. Return the figures of the step."""
        G, D = self.generator, self.discriminator
        fake = ...
        real_logits, real_caches = ...
        fake_logits, fake_caches = ...
        loss, d_real, d_fake = ...
        ...  # set D's gradients
        return {
            "discriminator_loss": loss,
            "real_logit": real_logits.mean(),
            "fake_logit": fake_logits.mean(),
            "discriminator_gradient_norm": D.backend.norm(D.gradients),
        }


if __name__ == "__main__":
    check(__file__)
