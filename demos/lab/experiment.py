"""`Experiment`: a GAN on the plane that makes whole or half steps, and is measured.

Nothing here draws, and nothing knows of a page: `look.py` says what there is to see, `stages.py`
takes a step apart, `inspection.py` opens a layer.
"""

from collections import deque
from dataclasses import replace
from functools import lru_cache

import numpy as np

from lab.settings import DRAWN, LIVE, Settings
from minigan.data import Batches, GaussianMixture
from minigan.gan import GAN
from minigan.layers import Dense, LeakyReLU, ReLU, Sequential
from minigan.metrics import mode_coverage
from minigan.metrics.divergences import Grid, divergences

__all__ = ["Experiment"]

#: Samples shown of each kind.
SHOWN = 400

#: For the divergences: cells per side, generated samples, samples of data without a density.
CELLS, SAMPLES, MANY = 40, 4000, 200_000

#: The newest rows that each table keeps.
ROWS = 100_000

#: For the modes: the number of samples in the protocol of `mode_coverage`.
COVERED = 2500


class Experiment:
    """A game in progress. settings: a `Settings`; backend: a backend or its name.

    history: one row (step, D's loss, G's loss) for each update of G; divergences: one row (step,
    KL, JS) for each `measure`, and coverage one row (step, modes, share of high quality) where the
    data have modes. masses, fake_masses: of the cells of a grid, (CELLS, CELLS), of the data and of
    the latest samples (None before `measure`). Raises ValueError for settings that do not fit each
    other.
    """

    def __init__(self, settings=None, backend="numpy"):
        self.settings = settings = settings or Settings()
        seeds = np.random.default_rng(settings.seed).spawn(4)
        data_rng, noise_rng, weight_rng, self._view_rng = seeds
        self.data = settings.distribution()
        self.extent = self.data.extent
        self.real = self.data.sample(SHOWN, self._view_rng)
        spread = self.data.sample(2000, self._view_rng)
        # The networks see a mean of 0 and a spread of 1.
        self.centre, self.scale = spread.mean(axis=0), spread.std()
        self._batches = Batches(self.data, settings.batch, data_rng)
        self.gan = self._build(noise_rng, weight_rng, backend)
        self.z = self.gan.latent.sample(SHOWN, self._view_rng)  # the same noise at every look
        self._grid = Grid(self.extent, CELLS)
        self._blur = (self.extent[1] - self.extent[0]) / CELLS  # one cell, for both distributions
        self.masses, self.fake_masses = data_masses(settings.data, settings.points), None
        self._batch, self.discriminator_loss = None, np.nan
        self.history, self.divergences, self.coverage = (deque(maxlen=ROWS) for _ in range(3))

    def _build(self, noise_rng, weight_rng, backend):
        s = self.settings

        def network(player, inputs, outputs, activation):
            width, layers = inputs, []
            for _ in range(getattr(s, f"{player}_layers")):
                layers += [Dense(width, getattr(s, f"{player}_width")), activation()]
                width = getattr(s, f"{player}_width")
            layers += [Dense(width, outputs)]
            return Sequential(layers, (inputs,), rng=weight_rng, backend=backend)

        generator = network("generator", s.noise_dimension, 2, ReLU)
        discriminator = network("discriminator", 2, 1, LeakyReLU)
        return GAN(
            generator,
            discriminator,
            s.objective,
            generator_optimizer=s.make_optimizer(generator, "generator"),
            discriminator_optimizer=s.make_optimizer(discriminator, "discriminator"),
            discriminator_steps=s.discriminator_steps,
            regularizer=s.make_regularizer(),
            latent=s.make_latent(),
            rng=noise_rng,
        )

    @property
    def steps(self):
        return self.gan.steps

    @property
    def has_modes(self):
        """Whether the data have modes of one width, which can be counted."""
        mixture = isinstance(self.data, GaussianMixture) and np.ndim(self.data.sigma) == 0
        return mixture and self.settings.data != DRAWN

    def adjust(self, **changes):
        """Change what may change in the middle of a game (`LIVE`); ValueError for others."""
        if not set(changes) <= set(LIVE):
            raise ValueError(f"only {', '.join(LIVE)} can change in mid-game")
        self.settings = replace(self.settings, **changes)
        self.gan.generator_optimizer.lr = self.settings.generator_lr
        self.gan.discriminator_optimizer.lr = self.settings.discriminator_lr
        self.gan.discriminator_steps = self.settings.discriminator_steps

    # Moving --------------------------------------------------------------------------------

    def step(self):
        """`discriminator_steps` updates of D, then `generator_steps` of G."""
        for _ in range(self.settings.discriminator_steps):
            self.discriminator_step()
        for _ in range(self.settings.generator_steps):
            self.generator_step()

    def discriminator_step(self, x=None):
        """One update of D only, on a fresh batch (or on x); the step's figures."""
        figures = self.gan.discriminator_step(self.next_batch() if x is None else x)
        self.discriminator_loss = float(figures["discriminator_loss"])
        return figures

    def generator_step(self):
        """One update of G only; the step's figures."""
        figures = self.gan.generator_step(self.batch)
        self.gan.steps += 1
        losses = self.discriminator_loss, float(figures["generator_loss"])
        self.history.append((self.steps, *losses))
        return figures

    @property
    def batch(self):
        """The batch of the latest step: in a step of G only its size matters."""
        return self.next_batch() if self._batch is None else self._batch

    def next_batch(self):
        """The next batch of real samples, as the networks see them."""
        self._batch = self.to_networks(next(self._batches))
        return self._batch

    # Measuring -----------------------------------------------------------------------------

    def measure(self):
        """KL(data ‖ generated) and the Jensen-Shannon divergence now, in nats, on a grid.

        Both distributions are blurred by one cell, so that no cell is without mass; differences
        within a cell do not count. Where the data have modes, these are counted as well.
        """
        fake = self.generate(self.gan.latent.sample(SAMPLES, self._view_rng))
        if not np.isfinite(fake).all():  # nothing can be said of such samples
            self.divergences.append((self.steps, np.nan, np.nan))
            return
        self.fake_masses = sample_masses(self._grid, fake, self._blur)
        found = divergences(self.masses, self.fake_masses)
        self.divergences.append((self.steps, found.kl, found.jensen_shannon))
        if self.has_modes:
            found = mode_coverage(fake[:COVERED], self.data.means, self.data.sigma)
            self.coverage.append((self.steps, found.modes, found.high_quality))

    # Between the data's units and the networks' --------------------------------------------

    def to_networks(self, points):
        return self.gan.asarray((points - self.centre) / self.scale)

    def to_data(self, points):
        return self.gan.generator.backend.to_numpy(points) * self.scale + self.centre

    def generate(self, z):
        """The fakes for noise z (n, noise_dimension), in the data's units, (n, 2)."""
        return self.to_data(self.gan.asarray(self.gan.generate(z)))


@lru_cache(maxsize=32)
def data_masses(name, points):
    """The data's share of each cell of the grid: exact where there is a density."""
    data = Settings(data=name, points=points).distribution()
    grid, blur = Grid(data.extent, CELLS), (data.extent[1] - data.extent[0]) / CELLS
    if not data.has_density:
        return sample_masses(grid, data.sample(MANY, np.random.default_rng(0)), blur)
    # Several points per side of a cell are closer than any toy's sigma, which makes the sum exact:
    # a toy's is 0.3 cells and more, one of the brush 1.2.
    return grid.from_density(data, smoothing=blur, refine=2 if name == DRAWN else 8)


def sample_masses(grid, points, blur):
    """The samples' share of each cell; no cell is empty."""
    return grid.from_samples(points, smoothing=blur, pseudocount=1e-3)
