"""`Experiment`: a GAN on the plane that makes whole or half steps, and can be looked at.

Nothing here draws: `look` gives what there is to see as arrays. `stages` takes one step of training
apart into moments, each with a caption, in the order of algorithm 1 of Goodfellow et al. 2014
(arXiv:1406.2661).
"""

import copy
from dataclasses import dataclass, field, replace

import numpy as np

from lab.mesh import latent_mesh, mesh_cells
from lab.settings import Settings
from minigan.data import Batches
from minigan.gan import GAN
from minigan.layers import Dense, LeakyReLU, ReLU, Sequential
from minigan.layers.activations import sigmoid
from minigan.metrics.divergences import Grid, divergences
from support.verdict import plane_points, verdict

__all__ = ["Experiment", "Look"]

#: Samples shown of each kind; how many of them with an arrow; points per side of D's verdict.
SHOWN, ARROWS, GRID = 400, 50, 40

#: For the divergences: cells per side, generated samples, samples of data without a density.
CELLS, SAMPLES, MANY = 40, 4000, 200_000

#: What a stage shows beside the real and the generated samples.
ALL = frozenset({"real", "fake", "verdict", "push", "mesh"})


@dataclass(frozen=True)
class Look:
    """What there is to see at one moment, in the data's units.

    step: of training. real (n, 2), fake (m, 2): samples. push: (k, 2) with k ≤ m, minus the
    gradient of G's loss with respect to the first k fakes. verdict: (GRID, GRID), what D makes of
    the plane, from −1 (fake) to 1 (real), the first row at the bottom. mesh: (cells, 4, 2), the
    image under G of a regular mesh of equally probable cells of noise ((cells, 2, 2) for noise of
    one dimension, empty for more than two). title, text: what happens. shows: which parts to draw.
    """

    step: int
    real: np.ndarray
    fake: np.ndarray
    push: np.ndarray
    verdict: np.ndarray
    mesh: np.ndarray
    title: str = ""
    text: str = ""
    shows: frozenset = field(default=ALL)


class Experiment:
    """A game in progress. settings: a `Settings`; backend: a backend or its name.

    history: one row (step, D's loss, G's loss) for each update of G; divergences: one row (step,
    KL, JS) for each `measure`. Raises ValueError for settings that do not fit each other.
    """

    def __init__(self, settings=None, backend="numpy"):
        self.settings = settings = settings or Settings()
        seeds = np.random.default_rng(settings.seed).spawn(4)
        data_rng, noise_rng, weight_rng, self._view_rng = seeds
        self.data = settings.distribution()
        self.extent = self.data.extent
        self.real = self.data.sample(SHOWN, self._view_rng)
        spread = self.data.sample(2000, self._view_rng)
        self.centre, self.scale = (
            spread.mean(axis=0),
            spread.std(),
        )  # the networks see a spread of 1
        self._batches = Batches(self.data, settings.batch, data_rng)
        self.gan = self._build(noise_rng, weight_rng, backend)
        self.z = self.gan.latent.sample(SHOWN, self._view_rng)  # the same noise at every look
        self._mesh = latent_mesh(settings.noise, settings.noise_dimension)
        self._plane = self._to_networks(plane_points(self.extent, GRID))
        self._grid = Grid(self.extent, CELLS)
        self._blur = (self.extent[1] - self.extent[0]) / CELLS  # one cell, for both distributions
        self._masses = self._data_masses()
        self._batch, self._discriminator_loss = None, np.nan
        self.history, self.divergences = [], []

    def _build(self, noise_rng, weight_rng, backend):
        s = self.settings

        def network(inputs, outputs, activation):
            layers, width = [], inputs
            for _ in range(s.layers):
                layers += [Dense(width, s.width), activation()]
                width = s.width
            layers += [Dense(width, outputs)]
            return Sequential(layers, (inputs,), rng=weight_rng, backend=backend)

        generator = network(s.noise_dimension, 2, ReLU)
        discriminator = network(2, 1, LeakyReLU)
        return GAN(
            generator,
            discriminator,
            s.objective,
            generator_optimizer=s.make_optimizer(generator, s.generator_lr),
            discriminator_optimizer=s.make_optimizer(discriminator, s.discriminator_lr),
            discriminator_steps=s.discriminator_steps,
            regularizer=s.make_regularizer(),
            latent=s.make_latent(),
            rng=noise_rng,
        )

    @property
    def steps(self):
        return self.gan.steps

    def adjust(self, **changes):
        """Change learning rates or `discriminator_steps` in mid-game; ValueError for others."""
        live = {"generator_lr", "discriminator_lr", "discriminator_steps"}
        if not set(changes) <= live:
            raise ValueError(f"only {', '.join(sorted(live))} can change in mid-game")
        self.settings = replace(self.settings, **changes)
        self.gan.generator_optimizer.lr = self.settings.generator_lr
        self.gan.discriminator_optimizer.lr = self.settings.discriminator_lr
        self.gan.discriminator_steps = self.settings.discriminator_steps

    # Moving --------------------------------------------------------------------------------

    def step(self):
        """k updates of D and one of G."""
        for _ in range(self.gan.discriminator_steps):
            self.discriminator_step()
        self.generator_step()

    def discriminator_step(self):
        """One update of D only, on a fresh batch."""
        figures = self.gan.discriminator_step(self._next_batch())
        self._discriminator_loss = float(figures["discriminator_loss"])

    def generator_step(self):
        """One update of G only."""
        x = self._next_batch() if self._batch is None else self._batch  # only its size matters
        figures = self.gan.generator_step(x)
        self.gan.steps += 1
        losses = self._discriminator_loss, float(figures["generator_loss"])
        self.history.append((self.steps, *losses))

    def measure(self):
        """KL(data ‖ generated) and the Jensen-Shannon divergence now, in nats, on a grid.

        Both distributions are blurred by one cell, so that no cell is without mass; differences
        within a cell do not count.
        """
        fake = self._generate(self.gan.latent.sample(SAMPLES, self._view_rng))
        found = divergences(self._masses, self._sample_masses(fake))
        self.divergences.append((self.steps, found.kl, found.jensen_shannon))

    def _data_masses(self):
        if self.data.has_density:
            # Eight points per side of a cell are closer than any toy's sigma: the sum is exact.
            return self._grid.from_density(self.data, smoothing=self._blur, refine=8)
        return self._sample_masses(self.data.sample(MANY, self._view_rng))

    def _sample_masses(self, points):
        return self._grid.from_samples(points, smoothing=self._blur, pseudocount=1e-3)

    # Looking -------------------------------------------------------------------------------

    def look(self, title="", text="", shows=ALL, real=None, z=None):
        """What there is to see now, for the experiment's own samples or for a batch."""
        fake = self.gan.asarray(self.gan.generate(self.z if z is None else z))
        return Look(
            step=self.steps,
            real=self.real if real is None else self._to_data(real),
            fake=self._to_data(fake),
            push=self._push(fake[:ARROWS]),
            verdict=self._verdict(fake),
            mesh=mesh_cells(self._mesh, self._generate),
            title=title,
            text=text,
            shows=shows,
        )

    def _push(self, fake):
        """Minus d(G's loss) / d(fake), through D, as in the generator's step."""
        _, d_fake = self.gan.feedback(fake, self._to_networks(self.real))
        return -self.gan.generator.backend.to_numpy(d_fake)

    def _verdict(self, fake):
        D, real = self.gan.discriminator, self._to_networks(self.real)
        found = verdict(D, self._plane, real, fake, log_odds=not self.settings.is_critic)
        return found.reshape(GRID, GRID)

    # One step taken apart ------------------------------------------------------------------

    def stages(self):
        """Make one step, in the same bits as `step`, with a `Look` at each of its stages."""
        k = self.gan.discriminator_steps
        for i in range(k):
            whose = f"D's step {i + 1} of {k}" if k > 1 else "D's step"
            yield from self._discriminator_stages(whose)
        yield from self._generator_stages()

    def _discriminator_stages(self, whose):
        gan, x = self.gan, self._next_batch()
        z = self._next_noise()
        batch = {"real": x, "z": z}
        yield self.look(
            f"{whose}: a batch of real samples",
            f"{len(x)} points x from the data.",
            frozenset({"real"}), **batch,
        )  # fmt: skip
        yield self.look(
            f"{whose}: as many fakes",
            "G maps noise z to points; the mesh shows how it bends the plane of noise.",
            frozenset({"real", "fake", "mesh"}), **batch,
        )  # fmt: skip
        real, fake = self._mean_verdict(x), self._mean_verdict_of_fakes(z)
        yield self.look(
            f"{whose}: D judges both",
            f"Mean {self._verdict_name}: {real:.3f} for the real, {fake:.3f} for the fakes.",
            frozenset({"real", "fake", "verdict"}), **batch,
        )  # fmt: skip
        figures = gan.discriminator_step(x)
        self._discriminator_loss = loss = float(figures["discriminator_loss"])
        norm = float(figures["discriminator_gradient_norm"])
        real, fake = self._mean_verdict(x), self._mean_verdict_of_fakes(z)
        yield self.look(
            f"{whose}: D moves, G stands still",
            f"Loss {loss:.3f}, norm of its gradient {norm:.3f}; after the update the means are "
            f"{real:.3f} and {fake:.3f}. No gradient reaches G.",
            frozenset({"real", "fake", "verdict"}), **batch,
        )  # fmt: skip

    def _generator_stages(self):
        z = self._next_noise()
        before = self._mean_verdict_of_fakes(z)
        yield self.look(
            "G's step: new fakes, judged by D",
            f"Mean {self._verdict_name} of the fakes: {before:.3f}. Real samples are not used.",
            frozenset({"fake", "verdict", "mesh"}), z=z,
        )  # fmt: skip
        yield self.look(
            "G's step: the gradient flows back through D",
            "Each arrow is minus the gradient of G's loss at a fake: it points to where D "
            "finds the fake more real. The gradient passes through D and leaves D unchanged.",
            frozenset({"fake", "verdict", "push"}), z=z,
        )  # fmt: skip
        self.generator_step()
        after = self._mean_verdict_of_fakes(z)
        yield self.look(
            "G's step: G moves, D stands still",
            f"Loss {self.history[-1][2]:.3f}; the same noise now gives fakes of mean "
            f"{self._verdict_name} {after:.3f}, before {before:.3f}.",
            frozenset({"real", "fake", "verdict", "mesh"}), z=z,
        )  # fmt: skip

    @property
    def _verdict_name(self):
        return "height f" if self.settings.is_critic else "D = σ(logit)"

    def _mean_verdict_of_fakes(self, z):
        return self._mean_verdict(self.gan.asarray(self.gan.generate(z)))

    def _mean_verdict(self, points):
        logits = self.gan.discriminator(points)
        if not self.settings.is_critic:
            logits = sigmoid(self.gan.backend.xp, logits)
        return float(logits.mean())

    def _next_noise(self):
        """The noise that the next update will draw, without drawing it."""
        return self.gan.latent.sample(self.settings.batch, copy.deepcopy(self.gan.rng))

    # Between the data's units and the networks' --------------------------------------------

    def _next_batch(self):
        self._batch = self._to_networks(next(self._batches))
        return self._batch

    def _to_networks(self, points):
        return self.gan.asarray((points - self.centre) / self.scale)

    def _to_data(self, points):
        return self.gan.generator.backend.to_numpy(points) * self.scale + self.centre

    def _generate(self, z):
        return self._to_data(self.gan.asarray(self.gan.generate(z)))
