"""`Settings`: what an experiment can be set to, checked, and as the text of a link.

The command line, the page's controls and its links are all made of the fields of `Settings`. What
comes from a page is not trusted: `Settings.parse` refuses what is unknown, of the wrong kind or
beyond `LIMITS`, with a sentence, before anything is built.
"""

import re
from dataclasses import dataclass, fields
from urllib.parse import urlencode

import numpy as np

from minigan.checks import check_integer, check_number
from minigan.data import TOYS, GaussianMixture, toy
from minigan.latent import NormalLatent, UniformLatent
from minigan.objectives import OBJECTIVES
from minigan.optimizers import OPTIMIZERS
from minigan.regularizers import WeightClipping
from support.recipes import REGULARIZERS

__all__ = ["CHOICES", "DRAWN", "LIMITS", "LIVE", "NOISES", "Settings"]

#: Points drawn with the brush become the centres of narrow Gaussians, so they have a density.
DRAWN, DRAWN_SIGMA, MOST_POINTS = "drawn", 0.03, 400

#: The most products of samples and weights in one step.
MOST_WORK = 3e8

NOISES = {"normal": NormalLatent, "uniform": UniformLatent}

#: Regularizers of the lab: those of the recipes, and a clipping that is never reached, to see what
#: happens to a critic that nothing keeps in bounds.
LEASHES = {**REGULARIZERS, "no-leash": WeightClipping(1e6)}

CHOICES = {
    "data": (*(name for name in TOYS if toy(name).dimension == 2), DRAWN),
    "noise": tuple(NOISES),
    "objective": tuple(OBJECTIVES),
    "regularizer": tuple(LEASHES),
    "generator_optimizer": tuple(OPTIMIZERS),
    "discriminator_optimizer": tuple(OPTIMIZERS),
}

#: Lowest and highest value of each number: what a page can ask for fits into memory and time.
LIMITS = {
    "noise_dimension": (1, 16),
    "generator_layers": (1, 6),
    "generator_width": (1, 256),
    "discriminator_layers": (1, 6),
    "discriminator_width": (1, 256),
    "generator_lr": (1e-6, 10),
    "discriminator_lr": (1e-6, 10),
    "generator_steps": (1, 10),
    "discriminator_steps": (1, 10),
    "batch": (2, 1024),
    "head_start": (0, 5000),
    "seed": (0, 2**32 - 1),
}

#: What can change in the middle of a game; all else begins a new one.
LIVE = ("generator_lr", "discriminator_lr", "generator_steps", "discriminator_steps")


@dataclass(frozen=True)
class Settings:
    """All that an experiment needs to know; ValueError for a value that makes no sense.

    The fields with names are in `CHOICES`, those with numbers in `LIMITS`. points: for data
    "drawn", ((x, y), ...) in [0, 1]². layers: hidden layers. generator_steps: updates of G in each
    step, after discriminator_steps updates of D. head_start: steps trained before the game is
    shown.
    """

    data: str = "ring"
    points: tuple = ()
    noise: str = "normal"
    noise_dimension: int = 2
    objective: str = "non-saturating"
    regularizer: str = "none"
    generator_layers: int = 2
    generator_width: int = 64
    generator_optimizer: str = "adam"
    generator_lr: float = 1e-3
    generator_steps: int = 1
    discriminator_layers: int = 2
    discriminator_width: int = 64
    discriminator_optimizer: str = "adam"
    discriminator_lr: float = 1e-3
    discriminator_steps: int = 1
    batch: int = 128
    head_start: int = 0
    seed: int = 0

    def __post_init__(self):
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                found = shortened(getattr(self, name))
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {found}")
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if name.endswith("_lr"):
                check_number(name, value, low, high)
            elif check_integer(name, value, low) > high:
                raise ValueError(f"{name}: expected at most {high}, got {shortened(value)}")
        self._check_points()
        self._check_work()
        if OBJECTIVES[self.objective].needs_constraint and self.regularizer == "none":
            raise ValueError(
                f"objective: {self.objective} needs a regularizer, a limit on D's slope "
                "(Lipschitz): choose clipping or wgan-gp, say; or no-leash, to see why"
            )

    def _check_work(self):
        """A step should take no longer than about a tenth of a second."""
        weights = sum(
            getattr(self, f"{player}_width") ** 2 * getattr(self, f"{player}_layers")
            for player in ("generator", "discriminator")
        )
        work = self.batch * (self.generator_steps + self.discriminator_steps) * weights
        if work > MOST_WORK:
            raise ValueError(
                f"settings: one step would be {work / MOST_WORK:.1f} times the work that the lab "
                "does between two pictures: choose fewer units, layers, samples or updates"
            )

    def _check_points(self):
        if self.data == DRAWN and not self.points:
            raise ValueError("points: expected at least one, but no point has been drawn yet")
        if len(self.points) > MOST_POINTS:
            raise ValueError(
                f"points: expected at most {MOST_POINTS}, got {len(self.points)}: draw fewer"
            )
        if not all(len(point) == 2 and 0 <= min(point) <= max(point) <= 1 for point in self.points):
            raise ValueError("points: expected pairs of numbers from 0 to 1")

    @classmethod
    def parse(cls, raw):
        """The settings that a page asks for: a dict, name -> text or number, with defaults.

        ValueError, with a sentence, for whatever is not right.
        """
        kinds = {field.name: type(field.default) for field in fields(cls)}
        if not isinstance(raw, dict) or not set(raw) <= set(kinds):
            unknown = sorted(set(raw) - set(kinds)) if isinstance(raw, dict) else raw
            raise ValueError(f"settings: expected {', '.join(kinds)}, got {shortened(unknown)}")
        return cls(**{name: parsed(name, kinds[name], value) for name, value in raw.items()})

    def raw(self):
        """The settings as `parse` takes them."""
        pairs = (f"{round(99 * x):02}{round(99 * y):02}" for x, y in self.points)
        return {**vars(self), "points": ".".join(pairs)}

    def link(self):
        """What differs from the defaults, as the part of an address after "#"."""
        default = Settings().raw()
        return urlencode({name: v for name, v in self.raw().items() if v != default[name]})

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
        return LEASHES[self.regularizer]

    def make_optimizer(self, network, player):
        """Of "generator" or "discriminator". β₁ = 0.5 for Adam, the GAN default; all other
        constants are the optimizer's defaults."""
        name, lr = getattr(self, f"{player}_optimizer"), getattr(self, f"{player}_lr")
        options = {"betas": (0.5, 0.999)} if name == "adam" else {}
        return OPTIMIZERS[name](network, lr, **options)


def parsed(name, kind, value):
    """A value from a page: text becomes what the field holds. Other kinds are checked later."""
    if kind is tuple:
        if not isinstance(value, str) or not re.fullmatch(r"(\d{4}(\.\d{4})*)?", value, re.ASCII):
            raise ValueError(f"points: expected xxyy.xxyy, in digits, got {shortened(value)}")
        return tuple((int(p[:2]) / 99, int(p[2:]) / 99) for p in value.split(".") if p)
    if not isinstance(value, str) or kind is str:
        return value
    try:
        return kind(value)
    except ValueError:
        number = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name}: expected {number}, got {shortened(value)}") from None


def shortened(value):
    """Its repr, of at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
