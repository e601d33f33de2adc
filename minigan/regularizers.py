"""What keeps a discriminator in bounds: weight clipping after each of its steps."""

from minigan.checks import check_number

__all__ = ["Regularizer", "WeightClipping"]


class Regularizer:
    """Two hooks of a discriminator step, both doing nothing here."""

    def penalize(self, discriminator, real, fake, rng):
        """Add the gradients of a penalty to the discriminator's; return the penalty (0: none)."""
        return 0.0

    def constrain(self, discriminator):
        """Change the discriminator's parameters after its update."""


class WeightClipping(Regularizer):
    """Clip every parameter to [−limit, limit] after each step of the critic, limit > 0.

    Bounded weights bound the critic's slope, crudely: it is K-Lipschitz for some unknown K, and
    the critic's loss is K times the Wasserstein distance (Arjovsky et al. 2017,
    arXiv:1701.07875, algorithm 1, with limit 0.01).
    """

    def __init__(self, limit=0.01):
        self.limit = check_number("limit", limit, 0, float("inf"), low_open=True)

    def constrain(self, discriminator):
        w = discriminator.parameters
        discriminator.backend.xp.clip(w, -self.limit, self.limit, out=w)

    def __repr__(self):
        return f"WeightClipping({self.limit:g})"
