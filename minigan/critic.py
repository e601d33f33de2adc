"""Half of the game: a discriminator that learns alone, between two fixed distributions.

What theory says of an optimal discriminator, D* = p / (p + q) or the height whose slope gives the
Wasserstein distance, it says of a fixed q. `CriticGame` is that experiment: `GAN`'s own
discriminator step, with a generator that hands on the fakes it is given and never learns.
"""

import math

from minigan.gan import GAN
from minigan.layers import Reshape, Sequential
from minigan.optimizers import SGD

__all__ = ["CriticGame", "critic_difference"]


class CriticGame(GAN):
    """The discriminator's steps alone, real batches from `train`, fake ones from `fakes`.

        game = CriticGame(D, "minimax", Adam(D, 1e-3), Batches(q, 256, rng), rng=rng)
        for record in train(game, Batches(p, 256, rng), 1000): ...

    discriminator, objective: as in `GAN`. optimizer: the discriminator's. fakes: an iterator of
    host arrays (N, ...), each as long as the real batch of its step. rng: for the regularizer.
    options: `regularizer` and `schedule`, as in `GAN`. The records lack a generator's figures.
    """

    def __init__(self, discriminator, objective, optimizer, fakes, *, rng, **options):
        shape, size = discriminator.input_shape, math.prod(discriminator.input_shape)
        same = {"dtype": discriminator.dtype, "backend": discriminator.backend}
        passage = Sequential([Reshape(*shape)], (size,), rng=0, **same)  # nothing to draw
        super().__init__(
            passage,
            discriminator,
            objective,
            generator_optimizer=SGD(passage),
            discriminator_optimizer=optimizer,
            latent=_Given(fakes, size),
            rng=rng,
            **options,
        )

    def step(self, batches):
        """One update of D, on the next real batch and the next fakes; the step's figures."""
        return self.discriminator_step(self.real(next(batches)))

    def parts(self):
        """As `GAN.parts`, and the fakes: to go on from a checkpoint they must be `Batches`."""
        return super().parts() | {"fakes": self.latent.batches}


class _Given:
    """Fakes in the place of noise: `sample` gives the next batch, its samples as rows."""

    def __init__(self, batches, dimension):
        self.batches, self.dimension = iter(batches), dimension

    def sample(self, n, rng):
        fake = next(self.batches)
        if len(fake) != n:
            raise ValueError(
                f"fakes: expected batches as long as the real ones, {n}, got {len(fake)}"
            )
        return fake.reshape(n, -1)


def critic_difference(discriminator, real, fake):
    """mean D(real) − mean D(fake), for host arrays (N, ...) and (M, ...), as a float.

    For a 1-Lipschitz D a lower bound of the Wasserstein-1 distance between the two samples, and
    for the best such D the distance itself (Kantorovich and Rubinstein; Arjovsky et al. 2017,
    arXiv:1701.07875, equation 2).
    """
    means = []
    for x in (real, fake):
        logits = discriminator(discriminator.backend.asarray(x, discriminator.dtype))
        means.append(discriminator.backend.to_numpy(logits).mean(dtype="float64"))
    return float(means[0] - means[1])
