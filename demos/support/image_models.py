"""The models of mnist.py: for each a recipe, and the batch and the noise that go with it.

- dcgan-r1 draws as well as it can in a quarter of an hour: small networks and many steps; no batch
  norm in D, but a penalty on its slope at real images (R1); a large learning rate; noise in twenty
  pieces, since no digit lies half-way from a 3 to a 7. What was tried, and with which figures:
  demos/RESULTS.md.
- dcgan is Radford et al. 2015 (arXiv:1511.06434): batch norm in both players, all weights from
  N(0, 0.02).
- wgan-gp: a penalty asks for a slope of 1 on the lines between generated and real digits (Gulrajani
  et al. 2017, arXiv:1704.00028). The paper trains D for five steps per step of G. In the same
  time, one is better, as G then makes more steps.
- gmmn is Li et al. 2015 (arXiv:1502.02761), with batch norm.
"""

from dataclasses import dataclass, replace

from minigan.latent import LATENTS
from minigan.objectives import OBJECTIVES
from minigan.optimizers import RMSProp
from minigan.regularizers import R1, WGANGP, WeightClipping
from support.recipes import Recipe

__all__ = ["KERNELS", "MODELS", "ImageModel", "noted_latent"]

#: Widths of gmmn's kernel, a sum of Gaussians. Li et al. 2015 write exp(−d² / 2 s) with s = 2, 5,
#: ... 80, so that s is a squared width; and pixels in [−1, 1], not [0, 1], double all distances d.
KERNELS = [2 * s**0.5 for s in (2, 5, 10, 20, 40, 80)]

#: For a critic in a model without a regularizer: Arjovsky et al. 2017, arXiv:1701.07875.
CLIPPED = {
    "bounded_by": "clipping",
    "regularizer": WeightClipping(0.01),
    "optimizer": RMSProp,
    "lr": 5e-5,
    "discriminator_steps": 5,
}


def noted_latent(G, notes):
    """The noise of a generator, by the notes in its file; older files have 20 equal pieces."""
    options = {}
    if notes["latent"] == "mixture":
        options = {"components": notes.get("pieces", 20), "weights": notes.get("weights")}
    return LATENTS[notes["latent"]](*G.input_shape, **options)


@dataclass(frozen=True)
class ImageModel:
    """What belongs to a model besides its layers.

    recipe: a `Recipe`. batch: images per step. latent: a name in `LATENTS`. dimension: that of the
    noise. channels: of the convolutions, at 14 x 14 and at 7 x 7. quick_steps: with --quick.
    """

    recipe: Recipe
    batch: int
    latent: str
    dimension: int
    channels: tuple = (32, 64)  # a quarter of those of Radford et al.
    quick_steps: int = 6

    def make_latent(self, name=None):
        """The noise of this name in `LATENTS`, or the model's own; ValueError if it has no room."""
        return LATENTS[name or self.latent](self.dimension)

    def recipe_for(self, objective=None):
        """The recipe, with another objective if one is named; ValueError in a model without D."""
        if objective is None:
            return self.recipe
        if self.recipe.objective == "moment-matching":
            raise ValueError(f"--objective {objective}: this model has no discriminator to train")
        recipe = replace(self.recipe, objective=objective)
        unbounded = OBJECTIVES[objective].needs_constraint and recipe.bounded_by == "none"
        return replace(recipe, **CLIPPED) if unbounded else recipe


BETAS = (0.5, 0.999)  # of Adam: Radford et al. 2015, arXiv:1511.06434
MODELS = {
    "mlp": ImageModel(
        Recipe("non-saturating", lr=2e-4, betas=BETAS, steps=12000),
        batch=64, latent="uniform", dimension=100, quick_steps=40,
    ),
    "dcgan": ImageModel(
        Recipe("non-saturating", lr=2e-4, betas=BETAS, steps=5000),
        batch=64, latent="uniform", dimension=100,
    ),
    "dcgan-r1": ImageModel(
        Recipe("non-saturating", "r1", R1(0.25, every=8), steps=36000),
        batch=32, latent="mixture", dimension=44, channels=(20, 40),
    ),
    "wgan-gp": ImageModel(
        Recipe("wasserstein", "wgan-gp", WGANGP(10, every=4), betas=(0.5, 0.9), steps=25000),
        batch=32, latent="mixture", dimension=44, channels=(20, 40),
    ),
    "gmmn": ImageModel(
        Recipe("moment-matching", lr=2e-3, betas=BETAS, steps=16000),
        batch=250, latent="uniform", dimension=10,
    ),
}  # fmt: skip
