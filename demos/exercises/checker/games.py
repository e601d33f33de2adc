"""A small game in float64, to look at one step of one player."""

import minigan

__all__ = ["small_game"]


def small_game(GAN, draw):
    """A game of random networks with random gradients, a batch x and its noise z."""
    n = draw.inputs

    def network(layers):
        built = minigan.Sequential(layers, (n,), rng=0, dtype="float64", backend="reference")
        built.parameters[...] = draw.normal(built.parameters.size)
        built.gradients[...] = draw.normal(built.gradients.size)
        return built

    G = network([minigan.Dense(n, 5), minigan.Tanh(), minigan.Dense(5, n)])
    D = network([minigan.Dense(n, 5), minigan.Tanh(), minigan.Dense(5, 1)])
    game = GAN(
        G,
        D,
        "non-saturating",
        latent=minigan.NormalLatent(n),
        rng=0,
        generator_optimizer=minigan.Adam(G),
        discriminator_optimizer=minigan.Adam(D),
    )
    return game, draw.normal(draw.batch, n), draw.normal(draw.batch, n)
