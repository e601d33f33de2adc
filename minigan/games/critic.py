"""Half of the game: a discriminator that learns alone, between two fixed distributions.

What theory says of an optimal discriminator, D* = p / (p + q) or the height whose slope gives the
Wasserstein distance, it says of a fixed q. `CriticGame` is that experiment: D's step of a `GAN`,
with given samples in the place of a generator's.
"""

from minigan.finite import walk_through
from minigan.game import Game
from minigan.game_checks import check_discriminator, check_kinds, check_networks, check_optimizers
from minigan.gan import discriminator_gradients
from minigan.objectives import get_objective
from minigan.optimizers import constant

__all__ = ["CriticGame", "critic_difference"]


class CriticGame(Game):
    """The discriminator's steps alone, real batches from `train`, fake ones from `fakes`.

        game = CriticGame(D, "minimax", Adam(D, 1e-3), Batches(q, 256, rng), rng=rng)
        for record in train(game, Batches(p, 256, rng), 1000): ...

    discriminator, objective: as in `GAN`. optimizer: the discriminator's. fakes: an iterator of
    host arrays (N, ...), each as long as the real batch of its step; to go on from a checkpoint
    they must be `Batches`. rng: for the regularizer. regularizer, schedule: as in `GAN`. The
    records lack a generator's figures.
    """

    players = ("discriminator",)

    def __init__(
        self, discriminator, objective, optimizer, fakes, *, rng, regularizer=None,
        schedule=constant,
    ):  # fmt: skip
        check_kinds(discriminator=discriminator, schedule=schedule, regularizer=regularizer)
        check_optimizers({"optimizer": (optimizer, discriminator)})
        self.discriminator, self.discriminator_optimizer = discriminator, optimizer
        self.objective = get_objective(objective, discriminator.backend)
        self.regularizer, self.fakes = regularizer, iter(fakes)
        check_networks({"discriminator": discriminator}, self.objective)
        check_discriminator("discriminator", discriminator, self.objective, regularizer)
        super().__init__(rng, schedule)

    def step(self, batches):
        """One update of D, on the next real batch and the next fakes; the step's figures."""
        x, fake = self.real(next(batches)), self.real(next(self.fakes), "fakes")
        if len(fake) != len(x):
            raise ValueError(
                f"fakes: expected batches as long as the real ones, {len(x)}, got {len(fake)}"
            )
        return self.discriminator_step(x, fake)

    def discriminator_step(self, x, fake):
        """One update of D on real samples x and fakes, both (N, ...); the step's figures."""
        figures = self.update(["discriminator"], self.discriminator_gradients, x, fake)
        if self.regularizer is not None:
            self.regularizer.constrain(self.discriminator)
        return figures

    def discriminator_gradients(self, x, fake):
        """Set D's gradients, as in `GAN`."""
        return discriminator_gradients(self, self.discriminator, x, fake)

    def walk(self, x, fake):
        walk_through(self.discriminator, x, "the discriminator")
        walk_through(self.discriminator, fake, "the discriminator")

    def gradient_steps(self, x, fake, *, rng):
        x, fake = self.asarray(x), self.asarray(fake)
        losses = {"discriminator": "discriminator_loss"}
        return [(lambda: self.discriminator_gradients(x, fake), losses)]

    def real(self, batch, what="real samples"):
        return super().real(batch, self.discriminator.input_shape, "discriminator", what)

    def parts(self):
        return super().parts() | {"fakes": self.fakes}


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
