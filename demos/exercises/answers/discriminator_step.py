"""Exercise 10, D's step: hints, and the classic mistakes."""

import minigan
from checker.exercise import Exercise
from checker.games import small_game
from minigan import gan

exercise = Exercise(GAN=minigan.GAN)
exercise.hints = (
    "D's loss is a sum of two means, one over real samples, one over fakes. So its gradient with "
    "respect to a weight of D is a sum, too. Where, in a layer, is that sum made?",
    "Begin with gradients of zero; `add_gradients` adds. Each batch has a cache of its own. The "
    "fakes are constants in this step, as G stands still: G's cache is of no use.",
    "fake, _ = G.forward(z). D.forward for x and for fake, each with its caches. Then "
    "D.zero_gradients(), and D.add_gradients twice: d_real with the caches of x, d_fake with those "
    "of the fakes.",
)


def observe(its, draw, twist):
    game, x, z = small_game(its.GAN, draw)
    before = game.generator.gradients.copy()
    given = x.copy()
    figures = game.discriminator_gradients(given, z)
    return {
        "loss": figures["discriminator_loss"],
        "gradients": game.discriminator.gradients.copy(),
        "gradients of G afterwards": game.generator.gradients - before,
        "x afterwards": given,
    }


step = exercise.part(
    "GAN.discriminator_gradients",
    observe,
    shown=(minigan.GAN.discriminator_gradients, gan.discriminator_gradients),
)


def passes(self, x, z):
    """D, the loss, and (dy, caches) of the real batch and of the fakes."""
    D = self.discriminator
    fake, _ = self.generator.forward(z)
    (real_logits, real), (fake_logits, fakes) = D.forward(x), D.forward(fake)
    loss, d_real, d_fake = self.objective.discriminator(real_logits, fake_logits)
    return D, {"discriminator_loss": loss}, (d_real, real), (d_fake, fakes)


@step.mistake
def not_zeroed(self, x, z):
    """D's gradients were not zeroed: what was there before is still in them."""
    D, figures, real, fakes = passes(self, x, z)
    D.add_gradients(*real)
    D.add_gradients(*fakes)
    return figures


@step.mistake
def set_twice(self, x, z):
    """set instead of added: the gradients of the fakes have replaced those of the real batch."""
    D, figures, real, fakes = passes(self, x, z)
    D.set_gradients(*real)
    D.set_gradients(*fakes)
    return figures


@step.mistake
def real_alone(self, x, z):
    """only the gradients of the real batch are there."""
    D, figures, real, _ = passes(self, x, z)
    D.set_gradients(*real)
    return figures


@step.mistake
def one_cache_for_both(self, x, z):
    """both gradients went back with the cache of the fakes: each batch has its own."""
    D, figures, (d_real, _), (d_fake, fakes) = passes(self, x, z)
    D.set_gradients(d_real, fakes)
    D.add_gradients(d_fake, fakes)
    return figures


@step.mistake
def the_real_cache_for_both(self, x, z):
    """both gradients went back with the cache of the real batch: each batch has its own."""
    D, figures, (d_real, real), (d_fake, _) = passes(self, x, z)
    D.set_gradients(d_real, real)
    D.add_gradients(d_fake, real)
    return figures


@step.mistake
def caches_exchanged(self, x, z):
    """the caches are exchanged: d_real belongs to the pass of the real batch."""
    D, figures, (d_real, real), (d_fake, fakes) = passes(self, x, z)
    D.set_gradients(d_real, fakes)
    D.add_gradients(d_fake, real)
    return figures


@step.mistake
def logits_exchanged(self, x, z):
    """real and fake logits are exchanged: the objective takes the real ones first."""
    D, fake = self.discriminator, self.generator.forward(z)[0]
    (real_logits, real), (fake_logits, fakes) = D.forward(x), D.forward(fake)
    loss, d_fake, d_real = self.objective.discriminator(fake_logits, real_logits)
    D.set_gradients(d_real, real)
    D.add_gradients(d_fake, fakes)
    return {"discriminator_loss": loss}


@step.mistake
def noise_for_fakes(self, x, z):
    """D was shown the noise z itself, not G(z)."""
    D = self.discriminator
    (real_logits, real), (fake_logits, fakes) = D.forward(x), D.forward(z)
    loss, d_real, d_fake = self.objective.discriminator(real_logits, fake_logits)
    D.set_gradients(d_real, real)
    D.add_gradients(d_fake, fakes)
    return {"discriminator_loss": loss}


@step.mistake
def into_the_generator(self, x, z):
    """a gradient flows into G, which stands still in D's step"""
    figures = minigan.GAN.discriminator_gradients(self, x, z)
    _, caches = self.generator.forward(z)
    self.generator.add_gradients(x, caches)
    return figures
