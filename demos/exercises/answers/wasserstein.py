"""Exercise 14, the Wasserstein losses and clipping: hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.observation import bound, returned
from minigan.layers.activations import sigmoid

exercise = Exercise(Wasserstein=minigan.Wasserstein, WeightClipping=minigan.WeightClipping)
exercise.hints = (
    "D wants mean r − mean f large, and its optimizer makes losses small. G wants the fakes to "
    "stand high.",
    "D minimises mean f − mean r, G minimises −mean f. Each term is linear in its logit, so its "
    "derivative is the same number for every sample: an array of that shape.",
    "D: −r, f, and derivatives −1 and 1 (np.ones_like). G: −f and −1. Clipping: np.clip with "
    "out=discriminator.parameters, or an assignment to discriminator.parameters[...].",
)


def observe_discriminator(its, draw, twist):
    r, f = draw.normal(draw.batch, 1), draw.normal(draw.batch, 1)
    terms = its.Wasserstein("reference").discriminator_terms(r, f)
    real, fake, d_real, d_fake = returned(terms, "real, fake, d_real, d_fake")
    return {"real": real, "fake": fake, "d_real": d_real, "d_fake": d_fake}


def observe_generator(its, draw, twist):
    terms = its.Wasserstein("reference").generator_terms(draw.normal(draw.batch, 1))
    fake, d_fake = returned(terms, "fake, d_fake")
    return {"fake": fake, "d_fake": d_fake}


def observe_clipping(its, draw, twist):
    D = bound([minigan.Dense(draw.inputs, 5)], draw, (draw.inputs,))
    kept = D.gradients[...] = draw.normal(D.gradients.size)
    its.WeightClipping(0.3).constrain(D)
    return {"weights": D.parameters.copy(), "gradients of D afterwards": D.gradients - kept}


of_d = exercise.part("Wasserstein.discriminator_terms", observe_discriminator)
of_g = exercise.part("Wasserstein.generator_terms", observe_generator)
clipping = exercise.part("WeightClipping.constrain", observe_clipping)


@of_d.mistake
def exchanged(self, r, f):
    """the wrong sign: losses are minimised, and D's heights are to be large for real samples."""
    return r, -f, np.ones_like(r), -np.ones_like(f)


@of_d.mistake
def with_a_sigmoid(self, r, f):
    """that is a GAN's σ: a critic has none, its output is a height."""
    real, fake = sigmoid(np, r), sigmoid(np, f)
    return -real, fake, -real * (1 - real), fake * (1 - fake)


@of_d.mistake
def averaged(self, r, f):
    """there is a 1/N here already: the mean is taken elsewhere."""
    n = len(r)
    return -r / n, f / n, -np.ones_like(r) / n, np.ones_like(f) / n


@of_d.mistake
def value_for_derivative(self, r, f):
    """the term stands where its derivative belongs: −r has the slope −1."""
    return -r, f, -r, f


@of_g.mistake
def generator_exchanged(self, f):
    """the wrong sign: G wants its fakes to stand high."""
    return f.copy(), np.ones_like(f)


@of_g.mistake
def generator_with_a_sigmoid(self, f):
    """that is a GAN's σ: a critic has none, its output is a height."""
    fake = sigmoid(np, f)
    return -fake, -fake * (1 - fake)


@of_g.mistake
def generator_averaged(self, f):
    """there is a 1/N here already: the mean is taken elsewhere."""
    return -f / len(f), -np.ones_like(f) / len(f)


@of_g.mistake
def generator_value_for_derivative(self, f):
    """the term stands where its derivative belongs: −f has the slope −1."""
    return -f, -f


@clipping.mistake
def not_in_place(self, discriminator):
    """a clipped copy was made, and the weights are as they were: write into them."""
    np.clip(discriminator.parameters, -self.limit, self.limit)


@clipping.mistake
def from_above_alone(self, discriminator):
    """clipped from above alone: from below, the limit is −limit."""
    w = discriminator.parameters
    w[...] = np.minimum(w, self.limit)


@clipping.mistake
def from_zero(self, discriminator):
    """clipped to [0, limit]: from below, the limit is −limit."""
    w = discriminator.parameters
    w[...] = np.clip(w, 0, self.limit)


@clipping.mistake
def scaled(self, discriminator):
    """all weights were scaled together: each is clipped by itself."""
    w = discriminator.parameters
    w *= self.limit / abs(w).max()


@clipping.mistake
def zeroed(self, discriminator):
    """weights outside of the limits were set to zero: they are moved to the nearer limit."""
    w = discriminator.parameters
    w[abs(w) > self.limit] = 0


@clipping.mistake
def saturated(self, discriminator):
    """every weight was moved to a limit: those within stay as they are."""
    w = discriminator.parameters
    w[...] = self.limit * np.sign(w)
