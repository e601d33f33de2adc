"""Settings that train the toys of the plane: one row for each objective and each regularizer.

    find_recipe("hinge")                       # the first row of that objective
    find_recipe(bounded_by="wgan-gp")          # the first row of that regularizer
    find_recipe("wasserstein", "one-sided")    # the row of both

The rows are the result of trying, on the ring. What they have in common is a learning rate that
falls, so that the players settle; what differs is how fast D may learn before it runs away.
"""

from dataclasses import dataclass

from minigan.optimizers import Adam, RMSProp
from minigan.regularizers import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    OneSidedPenalty,
    Regularizer,
    WeightClipping,
)

__all__ = ["RECIPES", "Recipe", "find_recipe"]


@dataclass(frozen=True)
class Recipe:
    """A pair of losses, what keeps D in bounds, and how both players are trained.

    objective: a name in `OBJECTIVES`, or "feature-matching" (`FeatureMatchingGAN`), or
    "moment-matching" (`MomentMatching`). bounded_by: a name for what `regularizer` does; for
    "spectral-norm" D's layers do it, and there is none. optimizer, lr: of both players.
    discriminator_steps: of D for each of G. steps: of G; the learning rate is constant for half of
    them and then falls, to `end` of what it was (where it falls to zero, samples crowd in the
    middle of the modes). layers: hidden layers of G. A deep one can bend sharply, and leave the
    gaps between modes empty; but where losses are exponential, only a shallow one stays calm.
    """

    objective: str
    bounded_by: str = "none"
    regularizer: Regularizer | None = None
    optimizer: type = Adam
    lr: float = 1e-3
    discriminator_steps: int = 1
    steps: int = 4000
    end: float = 0.0
    layers: int = 4

    def make_optimizer(self, network):
        """β₂ = 0.99 for Adam: a game changes faster than 0.999, its default, forgets."""
        options = {"betas": (0.5, 0.99)} if self.optimizer is Adam else {}
        return self.optimizer(network, self.lr, **options)


RECIPES = (
    Recipe("non-saturating", "r1", R1(0.015, every=4), lr=2e-3, steps=6250, end=0.07),
    Recipe("non-saturating", lr=2e-3),
    Recipe("non-saturating", "r2", R2(0.03)),
    Recipe("non-saturating", "dragan", DRAGAN(0.01)),
    Recipe("minimax", "r1", R1(0.01, every=4), lr=2e-3),
    Recipe("maximum-likelihood", "r1", R1(0.1)),
    Recipe("absolute-error", "r1", R1(0.01)),
    Recipe("least-squares", "r1", R1(0.1)),
    Recipe("hinge", "r1", R1(0.03)),
    Recipe("hinge", "spectral-norm", optimizer=RMSProp, discriminator_steps=5, steps=1500),
    Recipe(
        "wasserstein", "clipping", WeightClipping(0.3), RMSProp, discriminator_steps=5, steps=1500
    ),
    Recipe("wasserstein", "wgan-gp", WGANGP(0.1), discriminator_steps=5, steps=1500),
    Recipe("wasserstein", "one-sided", OneSidedPenalty(1), discriminator_steps=5, steps=1500),
    Recipe("kl", "r1", R1(1), steps=6000, layers=2),
    Recipe("reverse-kl", "r1", R1(0.1)),
    Recipe("pearson", "r1", R1(0.1)),
    Recipe("squared-hellinger", "r1", R1(0.1), steps=6000, layers=2),
    Recipe("feature-matching", "r1", R1(0.03)),
    Recipe("moment-matching", steps=1500),
)


def find_recipe(objective=None, bounded_by=None):
    """The first row of that objective and that bound; either may be None: any.

    Raises ValueError if there is none, and says what there is.
    """
    for recipe in RECIPES:
        if objective in (None, recipe.objective) and bounded_by in (None, recipe.bounded_by):
            return recipe
    there = ", ".join(f"{r.objective} with {r.bounded_by}" for r in RECIPES)
    raise ValueError(f"no recipe for {objective} with {bounded_by}; there is {there}")
