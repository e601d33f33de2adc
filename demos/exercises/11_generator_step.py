"""Exercise 11: the generator's step, through D. 20 minutes.

G learns from D alone. Its loss is a function of D's logits for the fakes, so the gradient goes back
through all of D, to D's input, and on into G:

    z (N, d)  -->  G  -->  fake (N, ...)  -->  D  -->  logits (N, 1)  -->  loss
                  dG  <--     d_fake      <--  D  <--    d_logits    <--

    y, caches = network.forward(x)           network.zero_gradients()
    dx = network.backward(dy, caches)        network.add_gradients(dy, caches)
    loss, d_logits = self.objective.generator(logits)

Questions: D stands still in this step: which of its methods may be called, and which not? What is
d_fake for G? What happens to a G that never sees a real sample: how does it know where they are?

    given       fake (N, ...) and z (N, d)
    to find     feedback: the loss, and d_fake = ∂loss/∂fake (N, ...)
                generator_gradients: G's gradients; those of D may not change
"""

import numpy as np

import minigan
from checker import check


class GAN(minigan.GAN):
    """Both need self.discriminator, self.generator, self.objective; x is not needed here."""

    def feedback(self, fake, x):
        """All that G learns of its fakes: the loss, and its gradient with respect to them."""
        loss = ...
        d_fake = ...
        return loss, d_fake

    def generator_gradients(self, x, z):
        """Set G's gradients for the fakes G(z), with self.feedback. Return the step's figures."""
        G = self.generator
        fake, caches = ...
        loss, d_fake = ...
        ...  # set G's gradients
        return {"generator_loss": loss, "generator_gradient_norm": G.backend.norm(G.gradients)}


if __name__ == "__main__":
    check(__file__)
