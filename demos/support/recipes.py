"""Settings that train the toys of the plane: a row for each objective and each regularizer.

    find_recipe("hinge")                       # the first row of that objective
    find_recipe(bounded_by="wgan-gp")          # the first row of that regularizer
    find_recipe("wasserstein", "one-sided")    # the row of both

The rows were found by trying them on the ring. In all of them the learning rate falls, so that
the players settle; they differ in how fast D may learn before it runs away.
"""

from dataclasses import dataclass

from minigan.optimizers import Adam, LinearDecay, RMSProp
from minigan.regularizers import (
    DRAGAN,
    R1,
    R2,
    WGANGP,
    OneSidedPenalty,
    Regularizer,
    WeightClipping,
)

__all__ = ["RECIPES", "REGULARIZERS", "Recipe", "find_recipe"]

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
    discriminator_steps: steps of D per step of G. steps: of G. The learning rate is constant for
    half of them and then falls to `end` times what it was. (Where it falls to zero, samples crowd
    in the middle of the modes.) layers: hidden layers of G on the plane. A deep G can bend sharply
    and leave the gaps between modes empty; but with an exponential loss only a shallow one stays
    calm.
    """

    objective: str
    bounded_by: str = "none"
    regularizer: Regularizer | None = None
    optimizer: type = Adam
    lr: float = 1e-3
    betas: tuple = (0.5, 0.99)  # a game changes faster than Adam's default, 0.999, forgets
    discriminator_steps: int = 1
    steps: int = 4000
    end: float = 0.0
    layers: int = 4

    def make_regularizer(self):
        """The row's own, or else that of the table; None for "none" and "spectral-norm"."""
        return self.regularizer or REGULARIZERS.get(self.bounded_by)

    def make_optimizer(self, network):
        options = {"betas": self.betas} if self.optimizer is Adam else {}
        return self.optimizer(network, self.lr, **options)

    def schedule(self, steps):
        """The factor on the learning rate in a run of so many steps: 1, then falling."""
        return LinearDecay(steps, end=self.end)

    def players(self, G, D):
        """The options of a `GAN` of these networks that the recipe decides."""
        return {
            "generator_optimizer": self.make_optimizer(G),
            "discriminator_optimizer": self.make_optimizer(D),
            "discriminator_steps": self.discriminator_steps,
            "regularizer": self.make_regularizer(),
        }


RECIPES = (
    Recipe("non-saturating", "r1", R1(0.015, every=4), lr=2e-3, steps=6250, end=0.07),
    Recipe("non-saturating", lr=2e-3),
    Recipe("non-saturating", "r2"),
    Recipe("non-saturating", "dragan"),
    Recipe("minimax", "r1", R1(0.01, every=4), lr=2e-3),
    Recipe("maximum-likelihood", "r1"),
    Recipe("absolute-error", "r1", R1(0.01)),
    Recipe("least-squares", "r1"),
    Recipe("hinge", "r1", R1(0.03)),
    Recipe("relativistic", "r1", R1(0.03)),
    Recipe("relativistic-average", "r1", R1(0.03)),
    Recipe("hinge", "spectral-norm", optimizer=RMSProp, discriminator_steps=5, steps=1500),
    Recipe("wasserstein", "clipping", optimizer=RMSProp, discriminator_steps=5, steps=1500),
    Recipe("wasserstein", "wgan-gp", WGANGP(0.1), discriminator_steps=5, steps=1500),
    Recipe("wasserstein", "one-sided", discriminator_steps=5, steps=1500),
    Recipe("kl", "r1", R1(1), steps=6000, layers=2),
    Recipe("reverse-kl", "r1"),
    Recipe("pearson", "r1"),
    Recipe("squared-hellinger", "r1", steps=6000, layers=2),
    Recipe("feature-matching", "r1", R1(0.03)),
    Recipe("moment-matching", steps=1500),
)


def find_recipe(objective=None, bounded_by=None):
    """The first row of that objective and that bound; None stands for any.

    Raises ValueError if there is none, and says which there are, as options of toy.py.
    """
    for recipe in RECIPES:
        if objective in (None, recipe.objective) and bounded_by in (None, recipe.bounded_by):
            return recipe
    bounds = ", ".join(r.bounded_by for r in RECIPES if r.objective == objective)
    objectives = ", ".join(r.objective for r in RECIPES if r.bounded_by == bounded_by)
    raise ValueError(
        f"no settings are known for --objective {objective} with --regularizer {bounded_by}: "
        f"{objective} goes with {bounds or 'none'}, {bounded_by} with {objectives or 'none'}"
    )
