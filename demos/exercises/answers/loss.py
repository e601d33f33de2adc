"""Exercise 4, losses on logits: hints, and the classic mistakes."""

import numpy as np

import minigan
from checker.exercise import Exercise
from checker.observation import returned
from minigan.layers import activations
from minigan.objectives import Objective


def softplus(v):
    return activations.softplus(np, v)


def sigmoid(v):
    return activations.sigmoid(np, v)


objective = minigan.NonSaturating("reference")
exercise = Exercise(
    softplus=softplus,
    sigmoid=sigmoid,
    discriminator=objective.discriminator,
    generator=objective.generator,
)
exercise.hints = (
    "Put v = 800 and v = −800 into log(1 + eᵛ) by hand: what is it, nearly? Which part of it is "
    "large, and which part is small, for either sign of v?",
    "log σ(v) = −log(1 + e⁻ᵛ), and 1 − σ(v) = σ(−v). Take the larger of v and 0 out of the "
    "logarithm: what is left in it is e to the power of −|v|, which is never above 1. And the "
    "derivative of softplus is an old friend.",
    "softplus(v) = max(v, 0) + log1p(e^−|v|), and its derivative is σ(v). D's loss is the mean of "
    "softplus(−r) plus that of softplus(f): differentiate it, with the inner −1, and divide by N.",
)
FAR = np.array([[-800.0], [800.0], [-3.0]])


def observe(name):
    def values(its, draw, twist):
        function, given = getattr(its, name), 3 * draw.normal(draw.batch, 1)
        seen = {"value": function(given), "v afterwards": given}
        return seen | {"value, at ±800": function(FAR.copy())}

    return values


def observe_discriminator(its, draw, twist):
    r, f = 3 * draw.normal(draw.batch, 1) + 1, 3 * draw.normal(draw.batch, 1)
    return at_both(["loss", "d_real", "d_fake"], its.discriminator, (r, f), (FAR, -FAR))


def observe_generator(its, draw, twist):
    return at_both(["loss", "d_fake"], its.generator, (3 * draw.normal(draw.batch, 1),), (FAR,))


def at_both(names, function, near, far):
    """What a loss gives for ordinary logits, and far out."""
    near, far = (returned(function(*map(np.copy, at)), ", ".join(names)) for at in (near, far))
    seen = dict(zip(names, near, strict=True))
    return seen | {f"{name}, at ±800": value for name, value in zip(names, far, strict=True)}


soft = exercise.part("softplus", observe("softplus"), shown=(activations.softplus,))
sig = exercise.part("sigmoid", observe("sigmoid"), shown=(activations.sigmoid,))
of_d = exercise.part(
    "discriminator",
    observe_discriminator,
    needs=("softplus", "sigmoid"),
    shown=(Objective.discriminator, minigan.Minimax.discriminator_terms),
)
of_g = exercise.part(
    "generator",
    observe_generator,
    needs=("softplus", "sigmoid"),
    shown=(Objective.generator, minigan.NonSaturating.generator_terms),
)


@soft.mistake
def overflows(v):
    """it overflows at 800: eᵛ is ∞ there. Use e^−|v|, which cannot be."""
    return np.log(1 + np.exp(v))


@soft.mistake
def relu_alone(v):
    """max(v, 0) alone: what is left of the logarithm is missing."""
    return np.maximum(v, 0)


@soft.mistake
def mirrored(v):
    """that is softplus(−v)."""
    return softplus(-v)


@sig.mistake
def infinite_over_infinite(v):
    """it overflows at 800: eᵛ / (1 + eᵛ) is ∞ / ∞ there."""
    return np.exp(v) / (1 + np.exp(v))


@sig.mistake
def mirrored_sigmoid(v):
    """that is σ(−v)."""
    return sigmoid(-v)


@sig.mistake
def its_derivative(v):
    """that is σ(1 − σ), the derivative of the sigmoid."""
    return sigmoid(v) * (1 - sigmoid(v))


@of_d.mistake
def log_of_a_sigmoid(r, f):
    """it overflows at ±800: the sigmoid is 0 there, and its logarithm −∞. Use softplus."""
    loss = -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean()
    return loss, *objective.discriminator(r, f)[1:]


@of_d.mistake
def labels_exchanged(r, f):
    """real samples and fakes are exchanged: this belongs to the term of the others."""
    loss, d_real, d_fake = objective.discriminator(-r, -f)
    return loss, -d_real, -d_fake


@of_d.mistake
def mirrored_slope(r, f):
    """σ of the wrong sign: where D is sure and right, there is nothing left to learn."""
    loss, _, _ = objective.discriminator(r, f)
    return loss, -sigmoid(r) / len(r), sigmoid(-f) / len(f)


@of_d.mistake
def not_through_the_sigmoid(r, f):
    """the gradient with respect to the probability σ: its derivative is forgotten."""
    loss, _, _ = objective.discriminator(r, f)
    return loss, -1 / sigmoid(r) / len(r), 1 / sigmoid(-f) / len(f)


@of_g.mistake
def generator_log_of_a_sigmoid(f):
    """it overflows at ±800: the sigmoid is 0 there, and its logarithm −∞. Use softplus."""
    return -np.log(sigmoid(f)).mean(), objective.generator(f)[1]


@of_g.mistake
def minimax(f):
    """this belongs to log(1 − σ(f)), the minimax loss, which is flat where D is sure."""
    return minigan.Minimax("reference").generator(f)


@of_g.mistake
def as_discriminator(f):
    """that is D's loss for fakes: G wants its fakes to be taken for real."""
    return softplus(f).mean(), sigmoid(f) / len(f)


@of_g.mistake
def generator_not_through_the_sigmoid(f):
    """the gradient with respect to the probability σ: its derivative is forgotten."""
    return objective.generator(f)[0], -1 / sigmoid(f) / len(f)
