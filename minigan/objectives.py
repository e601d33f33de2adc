"""What the two players minimise: losses on logits, each with its gradient.

Sign convention, everywhere: both players minimise, and the discriminator's logit is large for
real samples. `r` are the logits of real samples, `f` those of fakes, both (N, 1); D = σ(logit).
Every method returns the loss, a mean over the batch, and the gradient of that mean, so the 1/N
is in the gradient already.

Losses never form D itself: log D = −softplus(−logit) and log(1 − D) = −softplus(logit) stay
finite for every finite logit, where log(1 − σ(40)) is already −inf.
"""

from minigan.backend import fastest, get_backend
from minigan.checks import check_number
from minigan.layers.activations import sigmoid, softplus
from minigan.trial import got, try_objective

__all__ = [
    "KL", "OBJECTIVES", "AbsoluteError", "FDivergence", "Hinge", "LeastSquares",
    "MaximumLikelihood", "Minimax", "NonSaturating", "Objective", "Pearson", "Relativistic",
    "RelativisticAverage", "ReverseKL", "SquaredHellinger", "Wasserstein", "get_objective",
]  # fmt: skip


class Objective:
    """A pair of losses. Subclasses give `discriminator_terms` and `generator_terms`.

    needs_constraint: whether the discriminator must be kept Lipschitz (clipping or a penalty).
    log_odds: whether the best discriminator's logit is log p/q, of the densities of real and fake
    samples: then 0 says that it cannot tell, σ(logit) is a probability, and losses are in nats.
    relativistic: whether the generator's loss sees real samples, too, as generator_terms(f, r).
    """

    needs_constraint = False
    log_odds = False
    relativistic = False

    def __init__(self, backend="numpy"):
        self.backend = get_backend(backend)
        self.discriminator = fastest(self.backend, self, "discriminator")
        self.generator = fastest(self.backend, self, "generator")

    def discriminator(self, real_logits, fake_logits):
        """loss, d loss / d real_logits, d loss / d fake_logits, for logits (N, 1)."""
        self.check(real_logits, "real_logits")
        self.check(fake_logits, "fake_logits")
        value_real, value_fake, d_real, d_fake = self.discriminator_terms(real_logits, fake_logits)
        loss = value_real.sum() / len(real_logits) + value_fake.sum() / len(fake_logits)
        return loss, d_real / len(real_logits), d_fake / len(fake_logits)

    def generator(self, fake_logits, real_logits=None):
        """loss, d loss / d fake_logits, for logits (N, 1); if `relativistic`, real ones, too."""
        self.check(fake_logits, "fake_logits")
        if self.relativistic:
            self.check(real_logits, "real_logits")
        seen = [fake_logits, real_logits][: 1 + self.relativistic]
        value, d_fake = self.generator_terms(*seen)
        return value.sum() / len(fake_logits), d_fake / len(fake_logits)

    def undecided_losses(self):
        """D's loss and G's, where all logits are 0: of a D that cannot tell, if `log_odds`."""
        zero = self.backend.xp.zeros((1, 1))
        return float(self.discriminator(zero, zero)[0]), float(self.generator(zero, zero)[0])

    def discriminator_terms(self, r, f):
        """Per sample: value of the real term, of the fake term, and their derivatives."""
        raise NotImplementedError

    def generator_terms(self, f):
        """Per sample: value and derivative."""
        raise NotImplementedError

    def check(self, logits, what):
        """Raise ValueError or TypeError unless these are logits (N, 1) of this backend."""
        if not isinstance(logits, self.backend.xp.ndarray):
            self.backend.check(logits, what)
        if logits.ndim != 2 or logits.shape[1] != 1 or len(logits) == 0:
            raise ValueError(f"{what}: expected shape (N, 1) with N > 0, got {logits.shape}")
        if logits.dtype.kind != "f":
            raise TypeError(f"{what}: expected floating-point logits, got {logits.dtype}")

    def __repr__(self):
        return f"{type(self).__name__}()"


class Minimax(Objective):
    """The game of Goodfellow et al. 2014 (arXiv:1406.2661, equation 1).

    D minimises  −mean log D(x) − mean log(1 − D(G(z))) = mean softplus(−r) + mean softplus(f).
    With one-sided label smoothing (Salimans et al. 2016, arXiv:1606.03498, section 3.4) its real
    term is −[s log D + (1 − s) log(1 − D)] = s softplus(−r) + (1 − s) softplus(r), for a target
    s = real_label below 1: D is told not to be too sure of real samples.
    G minimises  mean log(1 − D(G(z))) = −mean softplus(f), whose gradient −σ(f) vanishes when D
    is sure of its case (f ≪ 0): exactly when G needs it most.
    """

    log_odds = True

    def __init__(self, backend="numpy", *, real_label=1.0):
        super().__init__(backend)
        self.real_label = check_number("real_label", real_label, 0.5, 1)

    def __repr__(self):
        smoothed = f"real_label={self.real_label:g}" if self.real_label < 1 else ""
        return f"{type(self).__name__}({smoothed})"

    def discriminator_terms(self, r, f):
        xp, s = self.backend.xp, self.real_label
        real, d_real = softplus(xp, -r), -sigmoid(xp, -r)
        if s < 1:  # softplus(r) = softplus(−r) + r
            real, d_real = real + (1 - s) * r, d_real + (1 - s)
        return real, softplus(xp, f), d_real, sigmoid(xp, f)

    def generator_terms(self, f):
        xp = self.backend.xp
        return -softplus(xp, f), -sigmoid(xp, f)


class NonSaturating(Minimax):
    """G trained with "real" labels (same paper, section 3): the heuristic that made GANs work.

    D as in minimax; G minimises −mean log D(G(z)) = mean softplus(−f), whose gradient −σ(−f) is
    largest when D rejects the sample. Same fixed point, another way there.
    """

    def generator_terms(self, f):
        xp = self.backend.xp
        return softplus(xp, -f), -sigmoid(xp, -f)


class MaximumLikelihood(Minimax):
    """D as in minimax; G minimises −mean exp(f) (Goodfellow 2014, arXiv:1412.6515, equation 3).

    With an optimal D, exp(f) = p/q, and in expectation G's gradient is that of KL(p ‖ q): maximum
    likelihood without a likelihood. A few samples with large f carry all of the gradient, so it
    is noisy, and it overflows for f > 88 in float32.
    """

    def generator_terms(self, f):
        value = self.backend.xp.exp(f)
        return -value, -value


class AbsoluteError(Objective):
    """D minimises ½ (mean(1 − D(x)) + mean D(G(z))), D = σ(logit); G minimises −½ mean D(G(z)).

    The share of mistakes of a classifier that answers at random with D's probability. The
    optimal D is 0 or 1 wherever p ≠ q, and the value is then (1 − TV(p, q)) / 2, with the total
    variation distance: a bounded loss, whose gradient σ(1 − σ) vanishes wherever D is sure.
    """

    def discriminator_terms(self, r, f):
        real, fake = sigmoid(self.backend.xp, r), sigmoid(self.backend.xp, f)
        return (1 - real) / 2, fake / 2, -real * (1 - real) / 2, fake * (1 - fake) / 2

    def generator_terms(self, f):
        fake = sigmoid(self.backend.xp, f)
        return -fake / 2, -fake * (1 - fake) / 2


class LeastSquares(Objective):
    """D minimises ½ mean (r − 1)² + ½ mean f²; G minimises ½ mean (f − 1)².

    Mao et al. 2017 (arXiv:1611.04076, equation 9). D's output is pulled to 1 and 0, not beyond,
    so that no sample is so well classified that its gradient vanishes.
    """

    def discriminator_terms(self, r, f):
        return (r - 1) * (r - 1) / 2, f * f / 2, r - 1, f

    def generator_terms(self, f):
        return (f - 1) * (f - 1) / 2, f - 1


class Hinge(Objective):
    """D minimises mean max(0, 1 − r) + mean max(0, 1 + f); G minimises −mean f.

    Lim & Ye 2017 (arXiv:1705.02894); Miyato et al. 2018 (arXiv:1802.05957, equations 16, 17).
    Like Wasserstein, but D loses interest in samples beyond the margin.
    """

    def discriminator_terms(self, r, f):
        real, fake = (1 - r).clip(0, None), (1 + f).clip(0, None)
        return real, fake, -(real > 0).astype(r.dtype), (fake > 0).astype(f.dtype)

    def generator_terms(self, f):
        return -f, -self.backend.xp.ones_like(f)


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


class RelativisticAverage(Minimax):
    """RaSGAN: minimax of each logit less the mean of the others, r − f̄ and f − r̄.

    G plays D's game with real and fake exchanged (Jolicoeur-Martineau 2018, arXiv:1807.00734).
    A logit is in a mean, too: N · ∂loss / ∂r_i = −σ(f̄ − r_i) − mean σ(f − r̄), and so for f_j.
    """

    log_odds, relativistic = False, True

    def discriminator_terms(self, r, f):
        other = self.other
        real, fake, d_real, d_fake = super().discriminator_terms(r - other(f), f - other(r))
        return real, fake, d_real - other(d_fake), d_fake - other(d_real)

    def generator_terms(self, f, r):
        value_fake, value_real, d_fake, _ = self.discriminator_terms(f, r)
        return value_fake + value_real.sum() / len(r), d_fake

    def other(self, values):
        """Their mean over the batch, also where it is cut into parts (`ranks.py`)."""
        total = self.backend.batch_total
        return total(values.sum()) / total(len(values))


class Relativistic(RelativisticAverage):
    """RSGAN: of the pairs r_i − f_i. (The same paper halves both losses: their terms are equal.)"""

    def other(self, values):
        return values


class FDivergence(Objective):
    """f-GAN (Nowozin et al. 2016, arXiv:1606.00709, equations 2 and 6): any divergence of the form

        D_f(p ‖ q) = ∫ q f(p / q) = max_T  E_p T − E_q f*(T)

    with f convex, f(1) = 0, and its conjugate f*(t) = max_u (u t − f(u)). Here T = g(v): the
    logit v may be any number, and the increasing output activation g maps it to where f* is
    finite (tables 2 and 6, with the sign that makes v large for real samples).

    D minimises  −mean g(r) + mean f*(g(f)),  G minimises  −mean f*(g(f)). The best D has
    g(v) = f'(p / q); its loss is −D_f(p ‖ q), and G's gradient that of D_f(p ‖ q).
    Two rows of the tables stand above under their older names: Jensen-Shannon is `Minimax`
    (D's loss less log 4), total variation is `AbsoluteError` (half of the logit).
    """

    def discriminator_terms(self, r, f):
        (real, d_real), (fake, d_fake) = self.output(r), self.conjugate(f)
        return -real, fake, -d_real, d_fake

    def generator_terms(self, f):
        fake, d_fake = self.conjugate(f)
        return -fake, -d_fake

    def output(self, v):
        """g(v) and its derivative."""
        raise NotImplementedError

    def conjugate(self, v):
        """f*(g(v)) and its derivative."""
        raise NotImplementedError


class KL(FDivergence):
    """KL(p ‖ q): f(u) = u log u, f*(t) = exp(t − 1), g(v) = v; the best v is 1 + log p/q.

    Covers all of p, and overflows for logits of fakes above 89 in float32.
    """

    def output(self, v):
        return v, self.backend.xp.ones_like(v)

    def conjugate(self, v):
        value = self.backend.xp.exp(v - 1)
        return value, value


class ReverseKL(FDivergence):
    """KL(q ‖ p): f(u) = −log u, f*(t) = −1 − log(−t), g(v) = −exp(−v); the best v is log p/q.

    Avoids where p has nothing, and overflows for logits of real samples below −88 in float32.
    """

    log_odds = True

    def output(self, v):
        slope = self.backend.xp.exp(-v)
        return -slope, slope

    def conjugate(self, v):
        return v - 1, self.backend.xp.ones_like(v)


class Pearson(FDivergence):
    """χ² = ∫ (p − q)² / q: f(u) = (u − 1)², g(v) = v; the best v is 2 (p/q − 1).

    f*(t) = u² − 1 with u = max(t/2 + 1, 0): the paper's t²/4 + t, but for t < −2, where it would
    turn round and pull fakes down, though no ratio u >= 0 has a slope f'(u) = t.
    """

    def output(self, v):
        return v, self.backend.xp.ones_like(v)

    def conjugate(self, v):
        u = (v / 2 + 1).clip(0, None)
        return u * u - 1, u


class SquaredHellinger(FDivergence):
    """∫ (√p − √q)²: f(u) = (√u − 1)², f*(t) = t / (1 − t), g(v) = 1 − exp(−v); best v ½ log p/q.

    Symmetric, and between 0 and 2. Overflows where `KL` and `ReverseKL` do.
    """

    def output(self, v):
        slope = self.backend.xp.exp(-v)
        return 1 - slope, slope

    def conjugate(self, v):
        slope = self.backend.xp.exp(v)
        return slope - 1, slope


OBJECTIVES = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "wasserstein": Wasserstein,
    "maximum-likelihood": MaximumLikelihood,
    "absolute-error": AbsoluteError,
    "least-squares": LeastSquares,
    "hinge": Hinge,
    "relativistic": Relativistic,
    "relativistic-average": RelativisticAverage,
    "kl": KL,
    "reverse-kl": ReverseKL,
    "pearson": Pearson,
    "squared-hellinger": SquaredHellinger,
}


def get_objective(objective, backend="numpy"):
    """The objective of that name, or the object itself; ValueError for an unknown name."""
    if isinstance(objective, Objective):
        return try_objective(objective)
    if objective not in OBJECTIVES:
        raise ValueError(f"unknown objective {got(objective)}: expected one of {[*OBJECTIVES]}")
    return OBJECTIVES[objective](backend)
