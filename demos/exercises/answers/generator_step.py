"""Exercise 11, G's step: hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.games import small_game
from checker.observation import returned
from minigan.layers.activations import sigmoid, softplus

exercise = Exercise(GAN=minigan.GAN)
exercise.hints = (
    "Think of G and D as one long network whose last layers are not trained. What is dy for G?",
    "D.backward gives the gradient with respect to D's input and touches no gradient of D's own. "
    "D's input are the fakes, and they are G's output.",
    "logits, caches = D.forward(fake); the objective gives d_logits; D.backward(d_logits, caches) "
    "is d_fake. For G: zero its gradients, then add_gradients(d_fake, G's caches).",
)


def observe_feedback(its, draw, twist):
    game, x, fake = small_game(its.GAN, draw)
    before = game.discriminator.gradients.copy()
    loss, d_fake = returned(game.feedback(fake.copy(), x), "loss, d_fake")
    change = game.discriminator.gradients - before
    return {"loss": loss, "d_fake": d_fake, "gradients of D afterwards": change}


def observe_gradients(its, draw, twist):
    game, x, z = small_game(its.GAN, draw)
    before = game.discriminator.gradients.copy()
    figures = game.generator_gradients(x, z)
    change = game.discriminator.gradients - before
    seen = {"loss": figures["generator_loss"], "gradients": game.generator.gradients.copy()}
    return seen | {"gradients of D afterwards": change}


feedback = exercise.part("GAN.feedback", observe_feedback)
gradients = exercise.part("GAN.generator_gradients", observe_gradients, needs=("GAN.feedback",))


def through(self, x, objective):
    """The feedback of another loss: objective(logits) -> loss, d_logits."""
    logits, caches = self.discriminator.forward(x)
    loss, d_logits = objective(logits)
    return loss, self.discriminator.backward(d_logits, caches)


@feedback.mistake
def of_the_discriminator(self, fake, x):
    """that is D's loss for fakes: G wants D to take them for real."""

    def objective(logits):
        return softplus(np, logits).mean(), sigmoid(np, logits) / len(logits)

    return through(self, fake, objective)


@feedback.mistake
def minimax(self, fake, x):
    """that is log(1 − D), the minimax loss: self.objective is another one."""
    return through(self, fake, minigan.Minimax("reference").generator)


@feedback.mistake
def of_real_samples(self, fake, x):
    """D was shown the real samples x instead of the fakes."""
    return through(self, x, self.objective.generator)


@feedback.mistake
def of_the_logits(self, fake, x):
    """that is the gradient with respect to D's logits: it must go back through D, to its input."""
    logits, _ = self.discriminator.forward(fake)
    return self.objective.generator(logits)


@feedback.mistake
def cache_of_another_pass(self, fake, x):
    """the gradient went back with the cache of another pass: that of the real samples."""
    logits, _ = self.discriminator.forward(fake)
    loss, d_logits = self.objective.generator(logits)
    return loss, self.discriminator.backward(d_logits, self.discriminator.forward(x)[1])


@feedback.mistake
def into_the_discriminator(self, fake, x):
    """a gradient flows into D, which stands still in G's step"""
    logits, caches = self.discriminator.forward(fake)
    loss, d_logits = self.objective.generator(logits)
    return loss, self.discriminator.backpropagate(d_logits, caches)


@gradients.mistake
def not_zeroed(self, x, z):
    """G's gradients were not zeroed: what was there before is still in them."""
    fake, caches = self.generator.forward(z)
    loss, d_fake = self.feedback(fake, x)
    self.generator.add_gradients(d_fake, caches)
    return {"generator_loss": loss}


@gradients.mistake
def fakes_for_their_gradient(self, x, z):
    """the fakes themselves were sent back through G, instead of their gradient."""
    fake, caches = self.generator.forward(z)
    self.generator.set_gradients(fake, caches)
    return {"generator_loss": self.feedback(fake, x)[0]}


@gradients.mistake
def noise_for_fakes(self, x, z):
    """D was shown the noise z itself, not G(z)."""
    _, caches = self.generator.forward(z)
    loss, d_fake = self.feedback(z, x)
    self.generator.set_gradients(d_fake, caches)
    return {"generator_loss": loss}


@gradients.mistake
def real_samples_for_fakes(self, x, z):
    """D was shown the real samples x instead of the fakes."""
    _, caches = self.generator.forward(z)
    loss, d_fake = self.feedback(x, x)
    self.generator.set_gradients(d_fake, caches)
    return {"generator_loss": loss}


@gradients.mistake
def trains_the_discriminator(self, x, z):
    """a gradient flows into D, which stands still in G's step"""
    figures = minigan.GAN.generator_gradients(self, x, z)
    fake, _ = self.generator.forward(z)
    logits, caches = self.discriminator.forward(fake)
    self.discriminator.add_gradients(logits, caches)
    return figures
