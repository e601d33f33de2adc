"""Moment matching: a generator without an adversary, trained on a distance between samples.

The maximum mean discrepancy compares all moments of two samples at once, through a kernel:

    MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y)      (Gretton et al. 2012, JMLR 13, lemma 6)

It is zero only if both come from one distribution, and differentiable in y, so that it can serve
as a generator's loss (GMMN: Li, Swersky & Zemel 2015, arXiv:1502.02761). The kernel is a sum of
Gaussians, k(a, b) = Σ_s exp(−‖a − b‖² / 2 s²): narrow ones see detail, wide ones see far.
"""

from minigan.checks import check_number
from minigan.distances import squared_distances, weighted_differences
from minigan.finite import walk_through
from minigan.game import Game
from minigan.game_checks import check_kinds, check_optimizers
from minigan.optimizers import constant

__all__ = ["MomentMatching", "mmd_squared", "witness"]

#: Rows of a kernel matrix that are computed at once: memory grows linearly with the batch.
ROWS = 256


def mmd_squared(x, y, bandwidths, *, backend, unbiased=False):
    """MMD² between samples x (N, D) and y (M, D), and its gradient with respect to y.

    The biased estimator takes means over all pairs and is never negative; the unbiased one
    leaves out the pairs of a sample with itself (their k is constant, so only the weights
    change) and is zero on average for equal distributions. With k' = Σ_s exp(·) / s²,

        ∂k(a, b)/∂a = −(a − b) k'(a, b).

    bandwidths: the widths s > 0. With more than `distances.FEW` features, a kernel much narrower
    than the extent of the samples sees rounding between them. Raises ValueError if the samples'
    features are not as many, or if there are too few of them.
    """
    bandwidths = _check_bandwidths(bandwidths)
    for name, sample in (("x", x), ("y", y)):
        backend.check(sample, name)
        if sample.ndim != 2 or len(sample) == 0:
            raise ValueError(f"{name}: expected shape (N, D) with N > 0, got {sample.shape}")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x has {x.shape[1]} features and y {y.shape[1]}: expected as many")
    all_x, all_y, rank = x, y, 0
    if backend.ranks is not None:  # pairs of this one's samples with everybody's
        all_x, all_y = backend.batch_gather(x), backend.batch_gather(y)
        rank = backend.ranks.rank
    n, m = len(x), len(y)
    off = 1 if unbiased else 0
    if min(len(all_x), len(all_y)) <= off:
        raise ValueError(f"the unbiased MMD² needs at least two samples of each, got {n} and {m}")
    value_xx, _ = _kernel_sums(x, all_x, bandwidths, backend, own=rank * n)
    value_yy, toward_y = _kernel_sums(y, all_y, bandwidths, backend, own=rank * m)
    value_yx, toward_x = _kernel_sums(y, all_x, bandwidths, backend)
    if not unbiased:
        value_xx, value_yy = value_xx + n * len(bandwidths), value_yy + m * len(bandwidths)
    pairs_x, pairs_y = n * (len(all_x) - off), m * (len(all_y) - off)
    pairs_yx = m * len(all_x)
    value = value_xx / pairs_x + value_yy / pairs_y - 2 * value_yx / pairs_yx
    return value, (2 / pairs_y) * toward_y - (2 / pairs_yx) * toward_x


def _kernel_sums(a, b, bandwidths, backend, own=None):
    """Σ_ij k(a_i, b_j), and for each i Σ_j ∂k(a_i, b_j)/∂a_i, (len(a), D).

    own: a are the points of b from this one on, and the pairs of a point with itself are left out.
    Their k is 1 for each width, whatever rounding makes of it, and beside it a narrow kernel's
    other pairs are tiny.
    """
    xp = backend.xp
    total, gradient = 0.0, xp.empty_like(a)
    for start in range(0, len(a), ROWS):
        part = a[start : start + ROWS]
        squares = squared_distances(part, b)
        if own is not None:  # from entry (0, own + start) down the diagonal: k = exp(−∞) = 0
            squares.reshape(-1)[own + start :: len(b) + 1][: len(part)] = float("inf")
        weights = xp.zeros_like(squares)
        for k, s in _kernels(squares, bandwidths, xp):
            total = total + k.sum()
            k /= s**2
            weights += k
        gradient[start : start + ROWS] = weighted_differences(weights, part, b, xp)
    return total, gradient


def _kernels(squares, bandwidths, xp):
    """For each width s: exp(−squares / 2 s²), and s; one matrix for all."""
    k = xp.empty_like(squares)
    for s in bandwidths:
        xp.multiply(squares, -0.5 / s**2, out=k)
        yield xp.exp(k, out=k), s


def _check_bandwidths(bandwidths):
    infinity = float("inf")
    found = [check_number("bandwidths", s, 0, infinity, low_open=True) for s in bandwidths]
    if not found:
        raise ValueError("bandwidths: expected at least one")
    return found


def witness(points, x, y, bandwidths, *, backend):
    """Where x (N, D) is denser than y (M, D), at the scales of the kernel: (P, 1) for P points.

        f(t) = mean_i k(t, x_i) − mean_j k(t, y_j)        (Gretton et al. 2012, section 2.3)

    Of all functions of its size this one tells x from y best, and MMD² is the difference of its
    means over x and over y: it takes the place of a discriminator, but nobody has to train it.
    """
    xp = backend.xp
    values = xp.empty((len(points), 1), points.dtype)
    for start in range(0, len(points), ROWS):
        part = points[start : start + ROWS]
        near_x, near_y = (
            sum(k.mean(axis=1) for k, _ in _kernels(squared_distances(part, a), bandwidths, xp))
            for a in (x, y)
        )
        values[start : start + ROWS, 0] = near_x - near_y
    return values


class MomentMatching(Game):
    """The game without a second player: G minimises MMD² to each batch of real samples.

    generator, optimizer, latent, rng, schedule: as in `GAN`. bandwidths: the kernel's widths s.
    For `train` and `sample` it is used like a `GAN`.
    """

    players = ("generator",)
    settings = (*Game.settings, "bandwidths", "unbiased")

    def __init__(
        self, generator, optimizer, *, bandwidths, latent, rng, unbiased=False, schedule=constant
    ):
        self.generator, self.generator_optimizer = generator, optimizer
        self.bandwidths = _check_bandwidths(bandwidths)
        check_kinds(generator=generator, schedule=schedule, latent=latent)
        check_optimizers({"optimizer": (optimizer, generator)})
        if generator.input_shape != (latent.dimension,):
            raise ValueError(
                f"the generator takes {generator.input_shape}, the noise is ({latent.dimension},)"
            )
        self.latent, self.unbiased = latent, unbiased
        super().__init__(rng, schedule)

    def step(self, batches):
        """One update of G on the next batch."""
        x = self.real(next(batches))
        return self.update(["generator"], self.generator_gradients, x, self.noise(len(x)))

    def generator_gradients(self, x, z):
        """Set G's gradients for real samples x (N, ...) and fakes G(z), z (M, dimension)."""
        G = self.generator
        fake, cache = G.forward(z)
        loss, d_fake = self.feedback(fake, x)
        G.set_gradients(d_fake, cache)
        return {"generator_loss": loss, "generator_gradient_norm": G.backend.norm(G.gradients)}

    def gradient_steps(self, x, *, rng):
        x, z = self.asarray(x), self.asarray(self.latent.sample(len(x), rng))
        return [(lambda: self.generator_gradients(x, z), {"generator": "generator_loss"})]

    def feedback(self, fake, x):
        """MMD² of fakes (M, ...) and real samples x (N, ...), and d MMD² / d fake (M, ...)."""
        loss, d_fake = mmd_squared(
            x.reshape(len(x), -1),
            fake.reshape(len(fake), -1),
            self.bandwidths,
            backend=self.generator.backend,
            unbiased=self.unbiased,
        )
        return loss, d_fake.reshape(fake.shape)

    def walk(self, x, z):
        walk_through(self.generator, z, "the generator")
