"""The game: one discriminator step, one generator step, and the loop.

The discriminator D learns to tell real samples x from fakes G(z); the generator G learns to make
fakes that D takes for real. Read `GAN.discriminator_gradients` and `GAN.generator_gradients`
beside algorithm 1 of Goodfellow et al. 2014 (arXiv:1406.2661): they are that algorithm.
"""

import copy
import math
import time

from minigan.averaging import WeightAverage
from minigan.checks import as_generator, check_integer
from minigan.divergence import TrainingDiverged, first_bad_gradient, first_bad_output
from minigan.objectives import get_objective
from minigan.parts import check_discriminator, check_kinds, check_networks, check_optimizers
from minigan.regularizers import Regularizer
from minigan.schedules import constant
from minigan.watch import Watch, finite_on_host

__all__ = ["GAN", "Record", "train"]

#: Samples that are generated at once: bounds the memory of `GAN.sample`.
CHUNK = 1024


class GAN:
    """Two networks, what each minimises, and how each is updated.

    generator: `Sequential`, latent (N, dimension) -> sample. discriminator: `Sequential`, sample
    -> logits (N, 1), without a sigmoid. objective: a name in `OBJECTIVES` or an `Objective`.
    generator_optimizer, discriminator_optimizer: each made for its network. latent: the noise.
    rng: draws all noise of training. discriminator_steps: steps of D for each step of G.
    regularizer: e.g. `WeightClipping`. average_decay: keep an exponential moving average of G's
    weights, used by `sample`. schedule: step -> factor on both learning rates.

    Raises ValueError if the parts do not fit each other, before anything is trained.
    """

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
        self.latent = latent
        self.rng = as_generator(rng)
        self.discriminator_steps = check_integer("discriminator_steps", discriminator_steps, 1)
        self.regularizer = regularizer or Regularizer()
        self.schedule = schedule
        self.steps = 0
        self._check_parts(regularizer)
        self.average = None if average_decay is None else WeightAverage(generator, average_decay)
        self.watch = Watch(generator.backend)

    def step(self, batches):
        """k = discriminator_steps updates of D, each on a fresh batch, then one of G."""
        for _ in range(self.discriminator_steps):
            x = self.real(next(batches))
            figures = self.discriminator_step(x)
        return figures | self.generator_step(x)

    # The discriminator's step --------------------------------------------------------------

    def discriminator_step(self, x):
        """One update of D on a real batch x (N, ...), as `real` gives it; the step's figures."""
        self._check_real(x)
        z = self.noise(len(x))
        figures = self.discriminator_gradients(x, z)
        guard = self._guard("discriminator", figures, x, z)
        self.discriminator_optimizer.step(self.schedule(self.steps), guard)
        self.regularizer.constrain(self.discriminator)
        return figures

    def discriminator_gradients(self, x, z):
        """Fill D's gradients for real samples x (N, ...) and fakes G(z), z (N, dimension).

        G's cache is dropped: in this step the fakes are constants, and no gradient goes on into
        G. Real and fake are two batches, since batch norm would mix their statistics, and D's
        gradients are the sum of both.
        """
        G, D = self.generator, self.discriminator
        fake, _ = G.forward(z)
        (real_logits, fake_logits), caches = D.forward_each([x, fake])
        loss, d_real, d_fake = self.objective.discriminator(real_logits, fake_logits)
        D.backward_each([d_real, d_fake], caches)
        penalty = self.regularizer.penalize(D, x, fake, self.rng, self.steps)
        return {
            "discriminator_loss": loss + penalty,
            "real_logit": real_logits.sum() / len(real_logits),
            "fake_logit": fake_logits.sum() / len(fake_logits),
            "discriminator_gradient_norm": D.backend.norm(D.gradients),
        }

    # The generator's step ------------------------------------------------------------------

    def generator_step(self, x):
        """One update of G on as many fakes as x (N, ...) has samples; the step's figures."""
        self._check_real(x)
        z = self.noise(len(x))
        figures = self.generator_gradients(x, z)
        guard = self._guard("generator", figures, x, z)
        self.generator_optimizer.step(self.schedule(self.steps), guard)
        if self.average is not None:
            self.average.update(guard)
        return figures

    def generator_gradients(self, x, z):
        """Fill G's gradients for the fakes G(z), z (N, dimension).

        The gradient flows back through D to its input, the fakes, and on into G.
        """
        G = self.generator
        fake, cache = G.forward(z)
        loss, d_fake = self.feedback(fake, x)
        G.backward(d_fake, cache, input_gradient=False, accumulate=False)
        return {"generator_loss": loss, "generator_gradient_norm": G.backend.norm(G.gradients)}

    def feedback(self, fake, x):
        """All that G learns about its fakes (N, ...): its loss, and d loss / d fake (N, ...).

        D is only a road here: its own gradients are neither touched nor computed, and it stays
        as it is. The real samples x play no part, but do where G is to match them.
        """
        D = self.discriminator
        logits, cache = D.forward(fake)
        loss, d_logits = self.objective.generator(logits)
        return loss, D.backward(d_logits, cache, parameter_gradients=False)

    # Batches, noise and samples ------------------------------------------------------------

    def real(self, batch):
        """A host batch of real samples on the networks' backend; refused if it is not finite."""
        place = "discriminator", "the batch of real samples"
        return self.asarray(finite_on_host(batch, self.generator.dtype, self.steps + 1, *place))

    def noise(self, n):
        """n latent vectors from the training's generator, on the networks' backend."""
        return self.asarray(self.latent.sample(n, self.rng))

    def asarray(self, x):
        """A host array on the networks' backend, in their dtype."""
        return self.generator.backend.asarray(x, self.generator.dtype)

    def sample(self, n, rng):
        """n samples as a host array (n, ...), from the averaged weights if there are any.

        Evaluation mode; the noise comes from `rng`, so training is not disturbed.
        """
        return self.generate(self.latent.sample(n, as_generator(rng)))

    def generate(self, z):
        """The samples for given latent vectors (n, dimension), like `sample`."""
        network = self.generator if self.average is None else self.average.network
        backend = network.backend
        out = backend.xp.empty((len(z), *network.output_shape), network.dtype)
        for start in range(0, len(z), CHUNK):
            out[start : start + CHUNK] = network(self.asarray(z[start : start + CHUNK]))
        return backend.to_numpy(out)

    def clone(self, dtype):
        """The same game on copies of both networks in another dtype, to compute gradients with.

        The copy has no optimizers and no averaged weights, so it cannot train.
        """
        generator = self.generator.clone(dtype=dtype)
        discriminator = self.discriminator.clone(dtype=dtype)
        twin = copy.copy(self)
        twin.generator, twin.discriminator, twin.average = generator, discriminator, None
        twin.generator_optimizer = twin.discriminator_optimizer = None
        twin.rng = copy.deepcopy(self.rng)
        return twin

    def parts(self):
        """name -> whatever training changes: what `save_checkpoint` writes."""
        parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "average": self.average,
            "rng": self.rng,
        }
        for name in ("latent", "regularizer", "schedule"):  # which usually remember nothing
            if hasattr(getattr(self, name), "restore"):
                parts[name] = getattr(self, name)
        return parts

    # Checks --------------------------------------------------------------------------------

    def _check_parts(self, regularizer):
        G, D, extra = self.generator, self.discriminator, self._extra_inputs()
        check_kinds(schedule=self.schedule, latent=self.latent, regularizer=regularizer)
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
        check_discriminator("discriminator", D, self.objective, regularizer)

    def _extra_inputs(self):
        """What both players see beside noise and sample: a label, in a conditional game."""
        return 0

    def _check_real(self, x):
        self.discriminator.check_batch(x, self.discriminator.input_shape, "x")

    def _guard(self, player, figures, x, z):
        """What keeps the parameters at their last good values: see `watch.py`.

        Raises TrainingDiverged, in the name of the first update that was not finite.
        """
        step = self.steps + 1

        def diverged():
            return TrainingDiverged(step, player, self._first_bad(player, x, z))

        loss, norm = figures[f"{player}_loss"], figures[f"{player}_gradient_norm"]
        return self.watch.guard(loss, norm, diverged)

    def _first_bad(self, player, x, z):
        G, D = self.generator, self.discriminator
        if not D.backend.is_finite(x):
            return "the batch of real samples"
        place, fake = first_bad_output(G, z, "the generator")
        if place is None:
            place, _ = first_bad_output(D, x, "the discriminator")
        if place is None:
            place, _ = first_bad_output(D, fake, "the discriminator")
        if place is None:
            getattr(self, f"{player}_gradients")(x, z)  # those in memory may be a later step's
            place = first_bad_gradient(D if player == "discriminator" else G, f"the {player}")
        return place or "the loss or the norm of the gradient"


class Record:
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

    game: a `GAN`, or anything with `step(batches)`, `steps` and `watch`. batches: an iterator of
    real batches, host arrays (N, ...), such as `data.Batches`. Being a generator, it trains only
    while it is asked for records.

    Raises TrainingDiverged when a loss or gradient is not finite, before it enters any weight; on
    a GPU up to `backend.patience` updates later, which changed nothing but counters, running
    statistics and the state of `rng`. Raises ValueError when the batches run out.
    """
    batches = iter(batches)
    for _ in range(check_integer("steps", steps, 0)):
        start = time.perf_counter()
        try:
            figures = game.step(batches)
        except StopIteration:
            raise ValueError(f"batches ran out in step {game.steps + 1}") from None
        game.steps += 1
        yield Record(game.steps, time.perf_counter() - start, figures, game.watch)
    game.watch.look()
