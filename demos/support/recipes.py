"""Settings that train the toys of the plane: a row for each objective and each regularizer.

    find_recipe("hinge")                       # the first row of that objective
    find_recipe(bounded_by="wgan-gp")          # the first row of that regularizer
    find_recipe("wasserstein", "one-sided")    # the row of both
    find_recipe(preset="sharp")                # what takes longer, and comes closer

The rows were found by trying them on the ring. In all of them the learning rate falls, so that
the players settle; they differ in how fast D may learn before it runs away.
"""

from dataclasses import dataclass

from minigan.latent import MixtureLatent, UniformLatent
from minigan.optimizers import Adam, ExponentialDecay, LinearDecay, RMSProp
from minigan.regularizers import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    OneSidedPenalty,
    Regularizer,
    WeightClipping,
)

__all__ = ["PRESETS", "RECIPES", "REGULARIZERS", "Recipe", "find_recipe"]

#: Name -> what keeps D in bounds, of a strength to begin with.
REGULARIZERS = {
    "none": None,
    "clipping": WeightClipping(0.3),
    "wgan-gp": WGANGP(1),
    "one-sided": OneSidedPenalty(1),
    "dragan": DRAGAN(0.01),
    "r1": R1(0.1),
    "r2": R2(0.03),
}


@dataclass(frozen=True)
class Recipe:
    """A pair of losses, what keeps D in bounds, and how both players are trained.

    objective: a name in `OBJECTIVES`, or "feature-matching" (`FeatureMatchingGAN`), or
    "moment-matching" (`MomentMatching`). bounded_by: a name in `REGULARIZERS`, or "spectral-norm",
    where the layers of D bound it, without a regularizer. regularizer: instead of the one in the
    table, where another strength is better. optimizer, lr, betas (of Adam): of both players.
    generator_lr: of G, where it is slower than D, which then sees each cloud of samples long enough
    to pull it to its width (two time scales, Heusel et al. 2017, arXiv:1706.08500).
    discriminator_steps: steps of D per step of G. steps: of G. The learning rate is constant for
    the share `hold` of them and then falls, as `decay` says, to `end` times what it was. (Where it
    falls to zero, samples crowd in the middle of the modes.) penalty_end: the penalty's weight
    falls with it, to so much of what it was; where much of it is left, D cannot be as steep as it
    would have to be to see how wide a mode is. layers: hidden layers of G on the plane. A deep G
    can bend sharply and leave the gaps between modes empty; but with an exponential loss only a
    shallow one stays calm. pieces: of the noise, so that the gaps need not be crossed; 0: in one.
    preset: how `toy.py --preset` calls the row.
    """

    objective: str
    bounded_by: str = "none"
    regularizer: Regularizer | None = None
    optimizer: type = Adam
    lr: float = 1e-3
    generator_lr: float | None = None
    betas: tuple = (0.5, 0.99)  # a game changes faster than Adam's default, 0.999, forgets
    discriminator_steps: int = 1
    steps: int = 4000
    decay: type = LinearDecay
    hold: float = 0.5
    end: float = 0.0
    penalty_end: float = 1.0
    layers: int = 4
    pieces: int = 0
    preset: str = "fast"

    def make_latent(self):
        """The noise on the plane: a square, or normal in pieces."""
        return MixtureLatent(2 + self.pieces, self.pieces) if self.pieces else UniformLatent(2)

    def make_regularizer(self, steps):
        """The row's own, or else that of the table; None for "none" and "spectral-norm"."""
        found = self.regularizer or REGULARIZERS.get(self.bounded_by)
        if self.penalty_end == 1:
            return found
        falling = self.decay(steps, self.hold, self.penalty_end)
        return type(found)(found.weight, every=found.every, schedule=falling)

    def make_optimizer(self, network, player):
        """Of "generator" or "discriminator"."""
        slower = player == "generator" and self.generator_lr is not None
        options = {"betas": self.betas} if self.optimizer is Adam else {}
        return self.optimizer(network, self.generator_lr if slower else self.lr, **options)

    def schedule(self, steps):
        """The factor on the learning rate in a run of so many steps: 1, then falling."""
        return self.decay(steps, self.hold, self.end)

    def players(self, G, D, steps):
        """The options of a `GAN` of these networks that the recipe decides, for so many steps."""
        return {
            "generator_optimizer": self.make_optimizer(G, "generator"),
            "discriminator_optimizer": self.make_optimizer(D, "discriminator"),
            "discriminator_steps": self.discriminator_steps,
            "regularizer": self.make_regularizer(steps),
        }


RECIPES = (
    Recipe(
        "non-saturating", "r1", R1(0.015, every=4), lr=2e-3, steps=6250, layers=5,
        decay=ExponentialDecay, end=0.01,
    ),
    Recipe(
        "non-saturating", "r1", R1(0.03, every=4), lr=3e-3, generator_lr=5e-4, betas=(0.5, 0.95),
        steps=15000, preset="sharp", pieces=60, decay=ExponentialDecay, hold=0.3, end=0.007,
        penalty_end=2e-6,
    ),
    Recipe("non-saturating", lr=2e-3),
    Recipe("non-saturating", "r2"),
    Recipe("non-saturating", "dragan"),
    Recipe("minimax", "r1", R1(0.01, every=4), lr=2e-3),
    Recipe("maximum-likelihood", "r1"),
    Recipe("absolute-error", "r1", R1(0.015, every=4), lr=2e-3),
    Recipe("least-squares", "r1", R1(0.5, every=4), lr=4e-3),
    Recipe("hinge", "r1", R1(0.03)),
    Recipe("relativistic", "r1", R1(0.03)),
    Recipe("relativistic-average", "r1", R1(0.03)),
    Recipe("hinge", "spectral-norm", optimizer=RMSProp, discriminator_steps=5, steps=1500),
    Recipe("wasserstein", "clipping", optimizer=RMSProp, discriminator_steps=5, steps=1500),
    Recipe("wasserstein", "wgan-gp", WGANGP(0.1), discriminator_steps=5, steps=1500),
    Recipe("wasserstein", "one-sided", discriminator_steps=5, steps=1500),
    Recipe("kl", "r1", R1(1), steps=6000, layers=2),
    Recipe("reverse-kl", "r1", R1(0.03, every=4), lr=2e-3),
    Recipe("pearson", "r1"),
    Recipe("squared-hellinger", "r1", R1(0.3), steps=6000, layers=2),
    Recipe("feature-matching", "r1", R1(0.015, every=4), lr=2e-3, steps=6000),
    Recipe("moment-matching", steps=1500),
)  # fmt: skip

PRESETS = tuple(dict.fromkeys(recipe.preset for recipe in RECIPES))


def find_recipe(objective=None, bounded_by=None, preset=PRESETS[0]):
    """The first row of that objective, that bound and that preset; None stands for any.

    Raises ValueError if there is none, and says which there are, as options of toy.py.
    """
    wanted = objective, bounded_by, preset
    for recipe in RECIPES:
        named = recipe.objective, recipe.bounded_by, recipe.preset
        if all(want in (None, name) for want, name in zip(wanted, named, strict=True)):
            return recipe
    rows = [r for r in RECIPES if r.preset == preset]
    bounds = ", ".join(r.bounded_by for r in rows if r.objective == objective)
    objectives = ", ".join(r.objective for r in rows if r.bounded_by == bounded_by)
    raise ValueError(
        f"no settings are known for --objective {objective} with --regularizer {bounded_by} and "
        f"--preset {preset}: there, {objective} goes with {bounds or 'none'}, {bounded_by} with "
        f"{objectives or 'none'}"
    )
