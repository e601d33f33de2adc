"""What the variants of toy.py need: spectral norms in D, and the games that match means."""

from minigan import Dense, FeatureMatchingGAN, MomentMatching, SpectralNorm

__all__ = ["VARIANTS", "dense_layers"]

FEATURES = 5  # layers of D that make the features, in feature matching
KERNELS = (0.02, 0.05, 0.15, 0.5, 1.5)  # their widths, in moment matching


def dense_layers(inputs, width, count, outputs, activation, bounded_by="none"):
    """`count` hidden layers, then one to the outputs. bounded_by: for D, that of the `Recipe`."""
    wrap = SpectralNorm if bounded_by == "spectral-norm" else lambda dense: dense
    layers = []
    for _ in range(count):
        layers += [wrap(Dense(inputs, width)), activation()]
        inputs = width
    return [*layers, wrap(Dense(inputs, outputs))]


def feature_matching(recipe, G, D, steps, **options):
    players = recipe.players(G, D, steps)
    return FeatureMatchingGAN(G, D, "non-saturating", layer=FEATURES, **players, **options)


def moment_matching(recipe, G, D, steps, **options):
    """A game without D."""
    optimizer = recipe.make_optimizer(G, "generator")
    return MomentMatching(G, optimizer, bandwidths=KERNELS, **options)


#: Objective of a `Recipe` -> its game, for networks, a number of steps and options of a `GAN`.
VARIANTS = {"feature-matching": feature_matching, "moment-matching": moment_matching}
