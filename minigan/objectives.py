"""What the two players minimise: losses on logits, each with its gradient.

Sign convention, everywhere: both players minimise, and the discriminator's logit is large for
real samples. `r` are the logits of real samples, `f` those of fakes, both (N, 1); D = σ(logit).
Every method returns the loss, a mean over the batch, and the gradient of that mean, so the 1/N
is in the gradient already.

Losses never form D itself: log D = −softplus(−logit) and log(1 − D) = −softplus(logit) stay
finite for every finite logit, where log(1 − σ(40)) is already −inf.
"""

from minigan.backend import get_backend

__all__ = ["OBJECTIVES", "Minimax", "NonSaturating", "Objective", "Wasserstein", "get_objective"]


class Objective:
    """A pair of losses. Subclasses give `discriminator_terms` and `generator_terms`.

    needs_constraint: whether the discriminator must be kept Lipschitz (clipping or a penalty).
    """

    needs_constraint = False

    def __init__(self, backend="numpy"):
        self.backend = get_backend(backend)

    def discriminator(self, real_logits, fake_logits):
        """loss, d loss / d real_logits, d loss / d fake_logits, for logits (N, 1)."""
        self._check(real_logits, "real_logits")
        self._check(fake_logits, "fake_logits")
        value_real, value_fake, d_real, d_fake = self.discriminator_terms(real_logits, fake_logits)
        loss = value_real.sum() / len(real_logits) + value_fake.sum() / len(fake_logits)
        return loss, d_real / len(real_logits), d_fake / len(fake_logits)

    def generator(self, fake_logits):
        """loss, d loss / d fake_logits, for logits (N, 1)."""
        self._check(fake_logits, "fake_logits")
        value, d_fake = self.generator_terms(fake_logits)
        return value.sum() / len(fake_logits), d_fake / len(fake_logits)

    def discriminator_terms(self, r, f):
        """Per sample: value of the real term, of the fake term, and their derivatives."""
        raise NotImplementedError

    def generator_terms(self, f):
        """Per sample: value and derivative."""
        raise NotImplementedError

    def _check(self, logits, what):
        self.backend.check(logits, what)
        if logits.ndim != 2 or logits.shape[1] != 1 or len(logits) == 0:
            raise ValueError(f"{what}: expected shape (N, 1) with N > 0, got {logits.shape}")
        if logits.dtype.kind != "f":
            raise TypeError(f"{what}: expected floating-point logits, got {logits.dtype}")

    def __repr__(self):
        return f"{type(self).__name__}()"


class Minimax(Objective):
    """The game of Goodfellow et al. 2014 (arXiv:1406.2661, equation 1).

    D minimises  −mean log D(x) − mean log(1 − D(G(z))) = mean softplus(−r) + mean softplus(f);
    G minimises  mean log(1 − D(G(z))) = −mean softplus(f), whose gradient −σ(f) vanishes when D
    is sure of its case (f ≪ 0): exactly when G needs it most.
    """

    def discriminator_terms(self, r, f):
        ops = self.backend
        return ops.softplus(-r), ops.softplus(f), -ops.sigmoid(-r), ops.sigmoid(f)

    def generator_terms(self, f):
        return -self.backend.softplus(f), -self.backend.sigmoid(f)


class NonSaturating(Minimax):
    """G trained with "real" labels (same paper, section 3): the heuristic that made GANs work.

    D as in minimax; G minimises −mean log D(G(z)) = mean softplus(−f), whose gradient −σ(−f) is
    largest when D rejects the sample. Same fixed point, another way there.
    """

    def generator_terms(self, f):
        return self.backend.softplus(-f), -self.backend.sigmoid(-f)


class Wasserstein(Objective):
    """The critic of Arjovsky et al. 2017 (arXiv:1701.07875, equation 3).

    D minimises  mean f − mean r,  G minimises  −mean f. There is no sigmoid: D is a critic, its
    output a height, and −loss estimates the Wasserstein-1 distance (times D's Lipschitz
    constant), so the loss is negative while the critic can tell the two apart. Without a
    Lipschitz constraint it has no minimum.
    """

    needs_constraint = True

    def discriminator_terms(self, r, f):
        return -r, f, -self.backend.xp.ones_like(r), self.backend.xp.ones_like(f)

    def generator_terms(self, f):
        return -f, -self.backend.xp.ones_like(f)


OBJECTIVES = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "wasserstein": Wasserstein,
}


def get_objective(objective, backend="numpy"):
    """The objective of that name, or the object itself; ValueError for an unknown name."""
    if isinstance(objective, Objective):
        return objective
    if objective not in OBJECTIVES:
        raise ValueError(f"unknown objective {objective!r}: expected one of {sorted(OBJECTIVES)}")
    return OBJECTIVES[objective](backend)
