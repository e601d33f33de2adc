"""Settings that train the toys of the plane: one row for each objective and each regularizer.

    find_recipe("hinge")                       # the first row of that objective
    find_recipe(regularizer="wgan-gp")         # the first row of that regularizer
    find_recipe("wasserstein", "one-sided")    # the row of both

The rows are the result of trying. What they have in common: a learning rate that falls to zero, so
that the players settle; and what differs is how long a step D can take before it runs away.
"""

from dataclasses import dataclass

from minigan.optimizers import Adam, RMSProp
from minigan.regularizers import DRAGAN, R1, R2, WGANGP, OneSidedPenalty, WeightClipping

__all__ = ["RECIPES", "REGULARIZERS", "Recipe", "find_recipe"]

#: What `Recipe.strength` is handed to; spectral normalization is not a regularizer but a layer.
REGULARIZERS = {
    "none": None,
    "clipping": WeightClipping,
    "wgan-gp": WGANGP,
    "one-sided": OneSidedPenalty,
    "dragan": DRAGAN,
    "r1": R1,
    "r2": R2,
    "spectral-norm": None,
}


@dataclass(frozen=True)
class Recipe:
    """A pair of losses, what keeps D in bounds, and how both players are trained.

    objective: a name in `OBJECTIVES`, or "feature-matching" (`FeatureMatchingGAN`) or
    "moment-matching" (`MomentMatching`). regularizer: a name in `REGULARIZERS`. strength: the
    limit of clipping, the weight of a penalty. optimizer, lr: of both players.
    discriminator_steps: of D for each of G. steps: of G.
    """

    objective: str
    regularizer: str = "none"
    strength: float | None = None
    optimizer: type = Adam
    lr: float = 1e-3
    discriminator_steps: int = 1
    steps: int = 6000

    def make_regularizer(self):
        """A new regularizer, or None."""
        kind = REGULARIZERS[self.regularizer]
        return kind and kind(self.strength)


RECIPES = (
    Recipe("non-saturating", lr=2e-3),
    Recipe("non-saturating", "r1", 0.001, lr=2e-3),
    Recipe("non-saturating", "r2", 0.001, lr=2e-3),
    Recipe("non-saturating", "dragan", 0.001, lr=2e-3),
    Recipe("minimax", lr=2e-3),
    Recipe("maximum-likelihood", "r1", 0.1),
    Recipe("absolute-error", "r1", 0.1),
    Recipe("least-squares", "r1", 0.03),
    Recipe("hinge", "r1", 0.03),
    Recipe("hinge", "spectral-norm"),
    Recipe("wasserstein", "clipping", 0.3, RMSProp, 1e-3, discriminator_steps=5, steps=3000),
    Recipe("wasserstein", "wgan-gp", 0.1, discriminator_steps=5, steps=2000),
    Recipe("wasserstein", "one-sided", 0.1, discriminator_steps=5, steps=2000),
    Recipe("feature-matching", "r1", 0.03),
    Recipe("moment-matching", steps=4000),
)


def find_recipe(objective=None, regularizer=None):
    """The first row of that objective and that regularizer; either may be None: any.

    Raises ValueError if there is none, and says what there is.
    """
    for recipe in RECIPES:
        if objective in (None, recipe.objective) and regularizer in (None, recipe.regularizer):
            return recipe
    there = ", ".join(f"{r.objective} with {r.regularizer}" for r in RECIPES)
    raise ValueError(f"no recipe for {objective} with {regularizer}; there is {there}")
