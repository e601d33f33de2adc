"""`stages`: one step of training taken apart, in the order of algorithm 1 of Goodfellow et al. 2014
(arXiv:1406.2661), with the numbers of each stage and the lines of the library that compute them.

The numbers are the step's own: each player's gradients are computed beforehand, on a copy of the
game with a copy of its random generator, which draws the same noise.
"""

import ast
import inspect
import textwrap
from dataclasses import dataclass

import numpy as np

from lab.look import Look, look
from minigan.data import Batches
from minigan.gan import GAN, discriminator_gradients
from minigan.layers.activations import sigmoid

__all__ = ["Stage", "excerpt", "stages"]


@dataclass(frozen=True)
class Stage:
    """One moment of a step.

    title, text: what happens. look: what there is to see. shows: which parts of it. flow: which
    parts of the model are at work: "fake" or "real" (forward), "D" or "G" (backward). numbers:
    name -> value. formula: in the words of the objective or optimizer. code: `excerpt`s.
    """

    title: str
    text: str
    look: Look
    shows: tuple
    flow: tuple
    numbers: dict
    formula: str
    code: tuple


def excerpt(function, *marked):
    """The source of a function without its docstring, and the lines (from 0) with a marked text.

    ValueError for a text that is not in the source: nothing points at a line that has moved away.
    """
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    first = ast.parse("\n".join(lines)).body[0].body[0]
    if function.__doc__ is not None:
        del lines[first.lineno - 1 : first.end_lineno]
    for text in marked:
        if not any(text in line for line in lines):
            raise ValueError(f"{function.__qualname__}: expected a line with {text!r}")
    return {
        "name": function.__qualname__,
        "file": inspect.getmodule(function).__name__.replace(".", "/") + ".py",
        "lines": lines,
        "marked": [i for i, line in enumerate(lines) if any(text in line for text in marked)],
    }


def stages(experiment):
    """Make one step, in the same bits as `Experiment.step`, with a `Stage` at each moment."""
    settings = experiment.settings
    for i in range(settings.discriminator_steps):
        yield from discriminator_stages(experiment, numbered("D", i, settings.discriminator_steps))
    for i in range(settings.generator_steps):
        yield from generator_stages(experiment, numbered("G", i, settings.generator_steps))


def numbered(player, i, k):
    return f"{player}'s step {i + 1} of {k}" if k > 1 else f"{player}'s step"


def discriminator_stages(experiment, whose):
    x = experiment.next_batch()
    gan, twin = experiment.gan, experiment.gan.clone()
    z = twin.noise(len(x))
    figures = twin.discriminator_gradients(x, z)
    before = judged(experiment, x, z)
    see = Scribe(experiment, whose, real=x, z=gan.backend.to_numpy(z))

    yield see(
        "a batch of real samples", f"{len(x)} points x, drawn from the data.",
        shows=("real",), flow=(), numbers={"samples": len(x)}, formula="x ~ data",
        code=[excerpt(Batches.__next__, "self._distribution.draw")],
    )  # fmt: skip
    yield see(
        "as many fakes",
        "G maps noise z to points. In this step they are constants: G's cache is dropped.",
        shows=("real", "fake", "mesh"), flow=("fake",), numbers={"fakes": len(z)},
        formula="fake = G(z),  z ~ noise",
        code=[excerpt(GAN.discriminator_gradients, "self.generator.forward(z)")],
    )  # fmt: skip
    yield see(
        "D judges both", "The logit r of a real sample should be large, that of a fake, f, small.",
        shows=("real", "fake", "verdict"), flow=("fake", "real"),
        numbers={**before, "mean r": figures["real_logit"], "mean f": figures["fake_logit"]},
        formula="r = D(x),  f = D(G(z));  the probability of real is σ(logit)"
        if not experiment.settings.is_critic
        else "r = D(x),  f = D(G(z));  heights, not probabilities",
        code=[excerpt(discriminator_gradients, "D.forward(x)", "D.forward(fake)")],
    )  # fmt: skip
    yield see(
        "the loss of D", "How far from right D is, and in which direction each logit should move.",
        shows=("real", "fake", "verdict"), flow=("fake", "real"),
        numbers={"loss of D": figures["discriminator_loss"]}, formula=docs(gan.objective),
        code=[
            excerpt(discriminator_gradients, "game.objective.discriminator("),
            excerpt(type(gan.objective).discriminator_terms),
        ],
    )  # fmt: skip
    penalty = [] if gan.regularizer is None else ["game.regularizer.penalize"]
    yield see(
        "the gradient flows back through D",
        "From the loss to every weight of D, for the real and the fake batch; the two add up.",
        shows=("real", "fake", "verdict"), flow=("D",),
        numbers={**layer_norms(twin.discriminator), "norm": figures["discriminator_gradient_norm"]},
        formula=docs(gan.regularizer) if penalty else "dW = Σ xᵀ dy,  layer by layer",
        code=[excerpt(discriminator_gradients, "D.set_gradients", "D.add_gradients", *penalty)],
    )  # fmt: skip
    experiment.discriminator_step(x)
    after = {f"{name}, after": value for name, value in judged(experiment, x, z).items()}
    yield see(
        "D moves, G stands still",
        "Each weight of D moves against its gradient. The means, before and after:",
        shows=("real", "fake", "verdict"), flow=(), numbers={**before, **after},
        formula=docs(gan.discriminator_optimizer), code=update_code(gan, "discriminator"),
    )  # fmt: skip


def generator_stages(experiment, whose):
    x = experiment.batch
    gan, twin = experiment.gan, experiment.gan.clone()
    z = twin.noise(len(x))
    figures = twin.generator_gradients(x, z)
    before = judged(experiment, None, z)
    see = Scribe(experiment, whose, real=x, z=gan.backend.to_numpy(z))

    yield see(
        "new fakes, judged by D", "Fresh noise, through G and through D. No real sample is used.",
        shows=("fake", "verdict", "mesh"), flow=("fake",), numbers=before,
        formula="f = D(G(z)),  z ~ noise",
        code=[
            excerpt(GAN.generator_gradients, "G.forward(z)"),
            excerpt(GAN.feedback, "D.forward(fake)"),
        ],
    )  # fmt: skip
    yield see(
        "the loss of G", "How far D is from taking the fakes for real.",
        shows=("fake", "verdict"), flow=("fake",), numbers={"loss of G": figures["generator_loss"]},
        formula=docs(gan.objective),
        code=[
            excerpt(GAN.feedback, "self.objective.generator(logits"),
            excerpt(type(gan.objective).generator_terms),
        ],
    )  # fmt: skip
    _, d_fake = twin.feedback(gan.asarray(gan.generate(z)), x)
    lengths = np.linalg.norm(gan.backend.to_numpy(d_fake), axis=1) * len(x)
    yield see(
        "the gradient flows back through D",
        "Each arrow is minus the gradient of the loss at a fake: it points to where D finds the "
        "fake more real. The gradient passes through D and leaves D unchanged.",
        shows=("fake", "verdict", "push"), flow=("through D",),
        numbers={
            "mean slope at a fake": lengths.mean(), "largest": lengths.max(),
            "smallest": lengths.min(),
        },
        formula="d loss / d fake = D.backward(d loss / d logit)",
        code=[excerpt(GAN.feedback, "D.backward(d_logits, cache)")],
    )  # fmt: skip
    yield see(
        "and on into G", "From the fakes to every weight of G: the chain rule goes on.",
        shows=("fake", "verdict", "push"), flow=("G",),
        numbers={**layer_norms(twin.generator), "norm": figures["generator_gradient_norm"]},
        formula="dW = Σ xᵀ dy,  layer by layer",
        code=[excerpt(GAN.generator_gradients, "G.set_gradients(d_fake, cache)")],
    )  # fmt: skip
    experiment.generator_step()
    after = {f"{name}, after": value for name, value in judged(experiment, None, z).items()}
    yield see(
        "G moves, D stands still", "The same noise gives other fakes. Before and after:",
        shows=("real", "fake", "verdict", "mesh"), flow=(), numbers={**before, **after},
        formula=docs(gan.generator_optimizer), code=update_code(gan, "generator"),
    )  # fmt: skip


class Scribe:
    """Writes the stages of one player's step, on one batch and one batch of noise."""

    def __init__(self, experiment, whose, **batch):
        self.experiment, self.whose, self.batch = experiment, whose, batch

    def __call__(self, title, text, *, numbers, code, **rest):
        return Stage(
            title=f"{self.whose}: {title}",
            text=text,
            look=look(self.experiment, **self.batch),
            numbers={name: float(value) for name, value in numbers.items()},
            code=tuple(code),
            **rest,
        )


def judged(experiment, x, z):
    """The mean of D's verdict on a real batch (None: none) and on the fakes of z."""
    gan = experiment.gan
    batches = {"fakes": gan.asarray(gan.generate(z))}
    if x is not None:
        batches = {"real": x, **batches}
    probable, found = not experiment.settings.is_critic, {}
    for whose, batch in batches.items():
        logits = gan.discriminator(batch)
        if probable:
            logits = sigmoid(gan.backend.xp, logits)
        found[f"mean {'D' if probable else 'height'} of {whose}"] = logits.mean()
    return found


def layer_norms(network):
    """The norm of the gradient of each layer's weights."""
    gradients = network.named_gradients().items()
    return {f"‖d {name}‖": (g * g).sum() ** 0.5 for name, g in gradients if "weight" in name}


def update_code(gan, player):
    """The update of a player's optimizer, and for D, what keeps its weights in bounds."""
    code = [excerpt(type(getattr(gan, f"{player}_optimizer")).update)]
    clips = gan.regularizer is not None and "constrain" in vars(type(gan.regularizer))
    if player == "discriminator" and clips:
        code.append(excerpt(type(gan.regularizer).constrain))
    return code


def docs(part):
    """The formulas of an objective, optimizer or regularizer: the docstrings of its classes."""
    own = [kind for kind in type(part).__mro__ if len(kind.__mro__) > 2]
    return "\n\n".join(inspect.getdoc(kind) for kind in own)
