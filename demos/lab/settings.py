"""`Settings`: what an experiment can be set to, by the names that window and command line show."""

from dataclasses import dataclass

import numpy as np

from minigan.checks import check_integer, check_number
from minigan.data import TOYS, GaussianMixture, toy
from minigan.latent import NormalLatent, UniformLatent
from minigan.objectives import OBJECTIVES
from minigan.optimizers import OPTIMIZERS
from support.recipes import REGULARIZERS

__all__ = ["DATA", "DRAWN", "NOISES", "Settings"]

#: Points drawn with the mouse become the centres of narrow Gaussians, so they have a density.
DRAWN, DRAWN_SIGMA = "drawn", 0.03

DATA = (*(name for name in TOYS if toy(name).dimension == 2), DRAWN)

NOISES = {"normal": NormalLatent, "uniform": UniformLatent}


@dataclass(frozen=True)
class Settings:
    """All that an experiment needs to know; ValueError for a value that makes no sense.

    data: a name in `DATA`. points: for data "drawn", ((x, y), ...) in [0, 1]². noise: a name in
    `NOISES`. layers, width: hidden layers of both players. regularizer: a name in `REGULARIZERS`.
    """

    data: str = "ring"
    points: tuple = ()
    noise: str = "normal"
    noise_dimension: int = 2
    layers: int = 2
    width: int = 64
    objective: str = "non-saturating"
    regularizer: str = "none"
    optimizer: str = "adam"
    generator_lr: float = 1e-3
    discriminator_lr: float = 1e-3
    discriminator_steps: int = 1
    batch: int = 128
    seed: int = 0

    def __post_init__(self):
        choices = {
            "data": DATA, "noise": NOISES, "objective": OBJECTIVES,
            "regularizer": REGULARIZERS, "optimizer": OPTIMIZERS,
        }  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                found = getattr(self, name)
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {found!r}")
        for name in ("noise_dimension", "layers", "width", "discriminator_steps", "batch"):
            check_integer(name, getattr(self, name), 1)
        check_integer("seed", self.seed, 0)
        for name in ("generator_lr", "discriminator_lr"):
            check_number(name, getattr(self, name), 0, float("inf"), low_open=True)
        if self.data == DRAWN and len(self.points) < 1:
            raise ValueError("data: expected at least one point, but no point has been drawn yet")

    @property
    def is_critic(self):
        """Whether D's logit is a height, not the log odds of real against generated."""
        return not OBJECTIVES[self.objective].log_odds

    def distribution(self):
        """The data."""
        if self.data != DRAWN:
            return toy(self.data)
        points = np.asarray(self.points, np.float64)
        return GaussianMixture(points, DRAWN_SIGMA, name=DRAWN, extent=(0, 1, 0, 1))

    def make_latent(self):
        return NOISES[self.noise](self.noise_dimension)

    def make_regularizer(self):
        return REGULARIZERS[self.regularizer]

    def make_optimizer(self, network, lr):
        """β₁ = 0.5 for Adam, the GAN default; all other constants are the optimizer's defaults."""
        options = {"betas": (0.5, 0.999)} if self.optimizer == "adam" else {}
        return OPTIMIZERS[self.optimizer](network, lr, **options)
