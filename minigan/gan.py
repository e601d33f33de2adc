"""The game: one discriminator step, one generator step, and the loop.

The discriminator D learns to tell real samples x from fakes G(z); the generator G learns to make
fakes that D takes for real. Read `GAN.discriminator_gradients` and `GAN.generator_gradients`
beside algorithm 1 of Goodfellow et al. 2014 (arXiv:1406.2661): they are that algorithm.
"""

import math
import time

from minigan.asked import warn_unless
from minigan.averaging import WeightAverage
from minigan.backend import get_backend
from minigan.checks import check_integer
from minigan.finite import walk_through
from minigan.game import CHUNK, Game
from minigan.game_checks import check_discriminator, check_kinds, check_networks, check_optimizers
from minigan.layers.network import check_array
from minigan.objectives import get_objective
from minigan.optimizers import constant
from minigan.tables import Figures

__all__ = ["GAN", "Record", "discriminator_gradients", "train"]


class GAN(Game):
    """Two networks, what each minimises, and how each is updated.

    generator: `Sequential`, latent (N, dimension) -> sample. discriminator: `Sequential`, sample
    -> logits (N, 1), without a sigmoid. objective: a name in `OBJECTIVES` or an `Objective`.
    generator_optimizer, discriminator_optimizer: each made for its network. latent: the noise.
    rng: draws all noise of training. discriminator_steps: steps of D for each step of G.
    regularizer: e.g. `WeightClipping`. average_decay: keep an exponential moving average of G's
    weights, used by `sample`. schedule: step -> factor on both learning rates.

    Raises ValueError if the parts do not fit each other, before anything is trained.
    """

    players = ("discriminator", "generator")
    settings = (*Game.settings, "discriminator_steps", "average_decay")

    def __init__(
        self,
        generator,
        discriminator,
        objective,
        *,
        generator_optimizer,
        discriminator_optimizer,
        latent,
        rng,
        discriminator_steps=1,
        regularizer=None,
        average_decay=None,
        schedule=constant,
    ):
        check_kinds(generator=generator, discriminator=discriminator)
        self.generator, self.discriminator = generator, discriminator
        self.objective = get_objective(objective, generator.backend)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.latent, self.regularizer = latent, regularizer
        self.discriminator_steps = check_integer("discriminator_steps", discriminator_steps, 1)
        self._check_parts(schedule)
        super().__init__(rng, schedule)
        self.average_decay = average_decay
        if average_decay is not None:
            self.average = WeightAverage(generator, average_decay)
            self.average.guard = self.watch and self.watch.flag

    def step(self, batches):
        """k = discriminator_steps updates of D, each on a fresh batch, then one of G."""
        for _ in range(self.discriminator_steps):
            x = self.real(next(batches))
            figures = self.discriminator_step(x)
        return figures | self.generator_step(x)

    # The discriminator's step --------------------------------------------------------------

    def discriminator_step(self, x):
        """One update of D on a real batch x (N, ...), as `real` gives it; the step's figures."""
        check_array(self.discriminator, x, "x", self.discriminator.input_shape)
        z = self.noise(len(x))
        figures = self.update(["discriminator"], self.discriminator_gradients, x, z)
        if self.regularizer is not None:
            self.regularizer.constrain(self.discriminator)
        return figures

    def discriminator_gradients(self, x, z):
        """Set D's gradients for real samples x (N, ...) and fakes G(z), z (N, dimension).

        G's cache is dropped: in this step the fakes are constants, and no gradient goes on into G.
        """
        fake, _ = self.generator.forward(z)
        return discriminator_gradients(self, self.discriminator, x, fake)

    # The generator's step ------------------------------------------------------------------

    def generator_step(self, x):
        """One update of G on as many fakes as x (N, ...) has samples; the step's figures."""
        check_array(self.discriminator, x, "x", self.discriminator.input_shape)
        z = self.noise(len(x))
        figures = self.update(["generator"], self.generator_gradients, x, z)
        if self.average is not None:
            self.average.update()
        return figures

    def generator_gradients(self, x, z):
        """Set G's gradients for the fakes G(z), z (N, dimension).

        The gradient flows back through D to its input, the fakes, and on into G.
        """
        G = self.generator
        fake, cache = G.forward(z)
        loss, d_fake = self.feedback(fake, x)
        G.set_gradients(d_fake, cache)
        return {"generator_loss": loss, "generator_gradient_norm": G.backend.norm(G.gradients)}

    def feedback(self, fake, x):
        """All that G learns about its fakes (N, ...): its loss, and d loss / d fake (N, ...).

        The gradient only passes through D, whose own gradients are neither changed nor computed.
        The real samples x are for losses that compare fakes with them.
        """
        D = self.discriminator
        logits, cache = D.forward(fake)
        real_logits = D.forward(x)[0] if self.objective.relativistic else None
        loss, d_logits = self.objective.generator(logits, real_logits)
        return loss, D.backward(d_logits, cache)

    # Looking -------------------------------------------------------------------------------

    def judge(self, x):
        """D's logits for samples on the host (n, ...), as D sees them: (n,), on the host again.

        (A D with `Pack` has one logit for each pack.) In evaluation mode: nothing is changed.
        """
        D = self.discriminator
        chunks = [D(self.asarray(x[k : k + CHUNK])) for k in range(0, len(x), CHUNK)]
        return D.backend.to_numpy(D.backend.xp.concatenate(chunks))[:, 0]

    # Checks --------------------------------------------------------------------------------

    def gradient_steps(self, x, *, rng):
        """For gradcheck: what sets gradients, and for each player that it is for, its loss."""
        x, z = self.asarray(x), self.asarray(self.latent.sample(len(x), rng))
        return [
            (lambda: self.discriminator_gradients(x, z), {"discriminator": "discriminator_loss"}),
            (lambda: self.generator_gradients(x, z), {"generator": "generator_loss"}),
        ]

    def _check_parts(self, schedule):
        G, D, extra = self.generator, self.discriminator, self._extra_inputs()
        check_kinds(schedule=schedule, latent=self.latent, regularizer=self.regularizer)
        check_optimizers(
            {
                "generator_optimizer": (self.generator_optimizer, G),
                "discriminator_optimizer": (self.discriminator_optimizer, D),
            }
        )
        check_networks({"generator": G, "discriminator": D}, self.objective)
        noise = self.latent.dimension + extra
        if G.input_shape != (noise,):
            raise ValueError(f"the generator takes {G.input_shape}, it will be given ({noise},)")
        shown = (*G.output_shape[:-1], G.output_shape[-1] + extra)
        if D.input_shape != shown:
            raise ValueError(f"the discriminator takes {D.input_shape}, it will be shown {shown}")
        check_discriminator("discriminator", D, self.objective, self.regularizer)

    def _extra_inputs(self):
        """What both players see beside noise and sample: a label, in a conditional game."""
        return 0

    def walk(self, x, z):
        """G(z), D(x) and D(G(z)), looking for the first number that is not finite."""
        fake = walk_through(self.generator, z, "the generator")
        walk_through(self.discriminator, x, "the discriminator")
        walk_through(self.discriminator, fake, "the discriminator")


def discriminator_gradients(game, D, x, fake):
    """Set the gradients of a discriminator D for real samples x and fakes, both (N, ...).

    Real and fake are two batches, since batch norm would mix their statistics, and D's gradients
    are the sum of both. Returns the figures of the step.
    """
    real_logits, real_cache = D.forward(x)
    fake_logits, fake_cache = D.forward(fake)
    loss, d_real, d_fake = game.objective.discriminator(real_logits, fake_logits)
    D.set_gradients(d_real, real_cache)
    D.add_gradients(d_fake, fake_cache)
    if game.regularizer is not None:
        loss = loss + game.regularizer.penalize(D, x, fake, game.rng, game.steps)
    return {
        "discriminator_loss": loss,
        "real_logit": D.backend.mean(real_logits),
        "fake_logit": D.backend.mean(fake_logits),
        "discriminator_gradient_norm": D.backend.norm(D.gradients),
    }


class Record(Figures):
    """The figures of one step of training, as attributes.

    step (from 1), seconds (of this step), and, for a `GAN`: discriminator_loss, generator_loss,
    real_logit and fake_logit (means, in the last of the step's discriminator updates),
    discriminator_gradient_norm, generator_gradient_norm. Figures are read from the device when
    they are asked for, and not before, so that a GPU need not wait for whoever does not look;
    `seconds` is then the time it took to queue the step. Raises TrainingDiverged where a figure
    that is asked for shows that training has diverged.
    """

    def __init__(self, step, seconds, figures, watch=None):
        self.step, self.seconds, self._figures, self._watch = step, seconds, figures, watch

    def __getattr__(self, name):
        figures = self.__dict__.get("_figures", {})  # a copy being made has none yet
        if name not in figures:
            raise AttributeError(f"{name!r}: this record holds step, seconds, {', '.join(figures)}")
        value = figures[name] = float(figures[name])  # read once
        if not math.isfinite(value) and self._watch is not None:
            self._watch.look()
        return value

    def figures(self):
        """The names of the figures beside step and seconds."""
        return list(self._figures)

    def as_dict(self):
        """The record as plain numbers: `Record(**record.as_dict())` is the same again."""
        figures = {name: getattr(self, name) for name in self._figures}
        return {"step": self.step, "seconds": self.seconds, "figures": figures}

    def __repr__(self):
        figures = (f"{name}={float(value):.4g}" for name, value in self._figures.items())
        return f"Record(step={self.step}, {', '.join(figures)})"


def train(game, batches, steps):
    """Train for `steps` more steps, yielding a `Record` after each.

    game: a `GAN`, or anything with `step(batches)`, `steps`, `watch` and `backend`. batches: an
    iterator of real batches, host arrays (N, ...), such as `data.Batches`. It trains only while it
    is asked for records, and warns if it never was. A step that Ctrl-C interrupts counts for
    nobody: game and optimizers have the numbers of the last whole step, and the game can go on.

    Raises TrainingDiverged when a loss, a gradient or a running statistic is not finite, before it
    enters anything; on a GPU up to `backend.patience` updates later, none of which changed
    anything but counters and the state of `rng`. Raises ValueError when the batches run out.
    """
    batches, steps, asked = iter(batches), check_integer("steps", steps, 0), []
    return warn_unless(asked, in_a_for_loop(game, batches, steps, asked))


def in_a_for_loop(game, batches, steps, asked):
    """The generator that `train` returns: the first record that is asked for goes into `asked`."""
    asked.append(True)
    errstate = get_backend("numpy").xp.errstate
    optimizers = [getattr(game, f"{player}_optimizer") for player in getattr(game, "players", ())]
    step = game.backend.stepper(game)
    for _ in range(steps):
        start, counts = time.perf_counter(), [optimizer.steps for optimizer in optimizers]
        try:
            with errstate(over="ignore", invalid="ignore"):  # what is not finite is found below
                figures = step(batches)
        except StopIteration:
            raise ValueError(f"batches ran out in step {game.steps + 1}") from None
        except KeyboardInterrupt:
            for optimizer, count in zip(optimizers, counts, strict=True):
                optimizer.steps = count
            raise
        game.steps += 1
        yield Record(game.steps, time.perf_counter() - start, figures, game.watch)
    if game.watch is not None:
        game.watch.look()
