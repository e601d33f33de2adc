"""What keeps a discriminator in bounds: weight clipping, and penalties on its gradient.

A gradient penalty takes the gradient of D's output with respect to its input,

    g_i = ∂D(x_i) / ∂x_i,      P = weight · mean_i ρ(‖g_i‖),

so that D's training differentiates P with respect to D's weights: through a gradient. By hand,
in three passes over D: forward; backward with seed 1, whose result is g and whose trace is kept;
and the backward pass of that backward pass, `Sequential.double_backward`, started from

    u_i = ∂P / ∂g_i = weight / N · ρ'(‖g_i‖) · g_i / ‖g_i‖.

Each penalty below is a choice of the points x_i and of ρ. A sample's norm runs over all its axes.
"""

from minigan.backend import draw_part
from minigan.checks import check_integer, check_number
from minigan.optimizers import constant

__all__ = [
    "DRAGAN",
    "R1",
    "R2",
    "WGANGP",
    "GradientPenalty",
    "OneSidedPenalty",
    "Regularizer",
    "WeightClipping",
]


class Regularizer:
    """Hooks of a discriminator's step, all doing nothing here.

    steady: whether its numbers are the same at every step.
    """

    steady = True

    def check(self, discriminator):
        """Raise ValueError if the discriminator cannot be trained with this."""

    def penalize(self, discriminator, real, fake, rng, step=0):
        """Add the gradients of a penalty to the discriminator's; return the penalty (0: none)."""
        return 0.0

    def constrain(self, discriminator):
        """Change the discriminator's parameters after its update."""

    def __repr__(self):
        return f"{type(self).__name__}()"


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


class GradientPenalty(Regularizer):
    """P = weight · schedule(step) · mean ρ(‖g_i‖). Subclasses give the points and ρ.

    every: apply the penalty in one of so many training steps only, with `every` times the weight
    (lazy regularization, Karras et al. 2020, arXiv:1912.04958, section 3.1). schedule: step ->
    factor on the weight, such as an `ExponentialDecay`: a D that may become steeper as the players
    settle sees first where the modes are, then how wide.
    """

    def __init__(self, weight=10.0, *, every=1, schedule=constant):
        self.weight = check_number("weight", weight, 0, float("inf"))
        self.every, self.schedule = check_integer("every", every, 1), schedule
        if not callable(schedule):
            raise TypeError(f"schedule: expected a function of the step, got {schedule!r}")
        self.steady = schedule is constant

    def check(self, discriminator):
        discriminator.check_double_backward()

    def penalize(self, discriminator, real, fake, rng, step=0):
        if real.shape != fake.shape:
            raise ValueError(f"expected as many fakes as real ones, got {fake.shape}, {real.shape}")
        if step % self.every:
            return 0.0
        factor = self.every * check_number("schedule(step)", self.schedule(step), 0, float("inf"))
        points = self.points(discriminator, real, fake, rng)
        return self.add_penalty(discriminator, points, factor)

    def add_penalty(self, D, x, factor=1.0):
        """factor · weight · mean ρ for the points x (N, ...), its gradients added to those of D."""
        logits, caches = D.forward(x)
        g, trace = D.backward_trace(D.backend.xp.ones_like(logits), caches)
        rows = g.reshape(len(logits), -1)  # one norm per logit: of a whole pack, behind `Pack`
        value, slope_over_norm = self.rho((rows * rows).sum(axis=1, keepdims=True) ** 0.5)
        scale = factor * self.weight / len(rows)
        u = rows * (scale * slope_over_norm)
        D.double_backward(u.reshape(g.shape), trace, caches)
        return value.sum() * scale

    def points(self, D, real, fake, rng):
        """Where the gradient is taken, (N, ...)."""
        raise NotImplementedError(f"{type(self).__name__} has no points(D, real, fake, rng)")

    def rho(self, norms):
        """ρ(n) and ρ'(n) / n for n (N, 1) ≥ 0; finite at n = 0."""
        raise NotImplementedError(f"{type(self).__name__} has no rho(norms)")

    def __repr__(self):
        lazy = "" if self.every == 1 else f", every={self.every}"
        falling = "" if self.schedule is constant else f", schedule={self.schedule}"
        return f"{type(self).__name__}({self.weight:g}{lazy}{falling})"


class WGANGP(GradientPenalty):
    """ρ(n) = (n − 1)², on straight lines between real and fake samples.

    x_i = α_i x + (1 − α_i) G(z), one α_i ~ U(0, 1) for each sample: an optimal critic has slope 1
    along the lines that transport fakes to real samples (Gulrajani et al. 2017,
    arXiv:1704.00028, equation 3, weight 10).
    """

    def points(self, D, real, fake, rng):
        return on_the_way(D, real, fake, rng)

    def rho(self, norms):
        return square_of(norms - 1, norms)


class OneSidedPenalty(GradientPenalty):
    """ρ(n) = max(n − 1, 0)²: only slopes above 1 are punished (the same paper, section 4).

    A critic may be flat where there is nothing to transport (Petzka et al. 2018,
    arXiv:1709.08894, equation 10). Points as in `WGANGP`.
    """

    def points(self, D, real, fake, rng):
        return on_the_way(D, real, fake, rng)

    def rho(self, norms):
        return square_of((norms - 1).clip(0, None), norms)


class DRAGAN(GradientPenalty):
    """ρ(n) = (n − 1)², around the real samples alone (Kodali et al. 2017, arXiv:1705.07215).

    x_i = x + α_i δ_i, δ_i ~ ½ std(x) · U(0, 1) in every component, one α_i ~ U(0, 1) per sample;
    std(x) is one number, the deviation of all numbers of the batch from their mean.
    Works with the minimax objectives, which the penalty keeps from sharp gradients near data.
    """

    def points(self, D, real, fake, rng):
        alpha = one_per_sample(D, real, rng)
        total = D.backend.batch_total
        count = total(real.size)
        centred = real - total(real.sum()) / count
        deviation = (total((centred * centred).sum()) / count) ** 0.5
        return real + alpha * uniform(D, real.shape, rng) * (deviation / 2)

    def rho(self, norms):
        return square_of(norms - 1, norms)


class R1(GradientPenalty):
    """P = γ/2 · mean ‖g_i‖² on the real samples (Mescheder et al. 2018, arXiv:1801.04406, eq. 9).

    ρ(n) = n²/2, ρ'(n)/n = 1: no square root, no special case. At the equilibrium D is constant
    on the data; the penalty takes away the force that would push the players around it.
    """

    def __init__(self, gamma=10.0, *, every=1, schedule=constant):
        super().__init__(gamma, every=every, schedule=schedule)

    def points(self, D, real, fake, rng):
        return real

    def rho(self, norms):
        return norms * norms / 2, 1 + 0 * norms


class R2(GradientPenalty):
    """P = γ/2 · mean ‖g_i‖² on the fake samples (the same paper, equation 10)."""

    def __init__(self, gamma=10.0, *, every=1, schedule=constant):
        super().__init__(gamma, every=every, schedule=schedule)

    def points(self, D, real, fake, rng):
        return fake

    def rho(self, norms):
        return norms * norms / 2, 1 + 0 * norms


def square_of(excess, norms):
    """ρ(n) = e² for an excess e(n) of slope 1, and ρ'(n)/n = 2 e / n.

    Taken as 0 at n = 0, where ρ has a kink and any direction would do.
    """
    return excess * excess, 2 * excess * (norms > 0) / (norms + (norms == 0))


def on_the_way(D, real, fake, rng):
    """α x + (1 − α) G(z), one α ~ U(0, 1) per sample."""
    return fake + one_per_sample(D, real, rng) * (real - fake)


def one_per_sample(D, x, rng):
    """U(0, 1), one number per sample of x (N, ...): (N, 1, ...)."""
    return uniform(D, (len(x), *[1] * (x.ndim - 1)), rng)


def uniform(D, shape, rng):
    """U(0, 1), drawn on the host, as an array of D's backend and dtype."""
    return D.backend.asarray(draw_part(D.backend, rng.random, shape), D.dtype)
