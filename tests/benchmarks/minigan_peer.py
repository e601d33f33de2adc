"""The workloads on minigan."""

from types import SimpleNamespace

from threadpoolctl import threadpool_limits

import minigan as mg
from minigan.layers import Normal
from minigan.regularizers import Regularizer

RATES = {"lr": 2e-4, "betas": (0.5, 0.999)}
PENALTY = mg.WGANGP(10.0)


class FixedNoise:
    """A latent distribution that deals out given batches in turn, as the other peers get them."""

    def __init__(self, dimension, noise):
        self.dimension, self.noise, self.turn = dimension, noise, 0

    def sample(self, n, rng):
        self.turn += 1
        return self.noise[(self.turn - 1) % len(self.noise)]


def layer(spec):
    kind, *sizes = spec
    small = Normal(0.02)
    builders = {
        "dense": lambda a, b, bias: mg.Dense(a, b, bias=bias, init=small if a * b > 1e6 else None),
        "conv": lambda a, b, bias: mg.Conv2d(a, b, 4, 2, 1, bias=bias, init=small),
        "convt": lambda a, b, bias: mg.ConvTranspose2d(a, b, 4, 2, 1, bias=bias, init=small),
        "bn": mg.BatchNorm,
        "reshape": mg.Reshape,
        "flatten": lambda _: mg.Flatten(),
        "relu": mg.ReLU,
        "leaky": lambda: mg.LeakyReLU(0.2),
        "tanh": mg.Tanh,
    }
    return builders[kind](*sizes)


def build(workload, batches, dtype="float32", game=mg.GAN, backend="numpy"):
    """The game of a workload, its noise taken from `batches`."""
    noise, options = [z for _, *pair in batches for z in pair], {"dtype": dtype, "backend": backend}
    layers = [layer(spec) for spec in workload.generator]
    generator = mg.Sequential(layers, (workload.latent,), rng=0, **options)
    layers = [layer(spec) for spec in workload.discriminator]
    discriminator = mg.Sequential(layers, workload.sample, rng=1, **options)
    return game(
        generator,
        discriminator,
        "non-saturating",
        generator_optimizer=mg.Adam(generator, **RATES),
        discriminator_optimizer=mg.Adam(discriminator, **RATES),
        latent=FixedNoise(workload.latent, noise),
        rng=2,
    )


class FixedWeights:
    """Deals out the interpolation weights of the penalty, in the place of a generator."""

    def __init__(self, batches):
        self.weights, self.turn = [weights for *_, weights in batches], 0

    def random(self, shape):
        self.turn += 1
        return self.weights[(self.turn - 1) % len(self.weights)].reshape(shape)


def critic_gradients(D, x, fake, rng, regularizer=PENALTY):
    """Fill a critic's gradients, as `GAN.discriminator_gradients` does under a regularizer."""
    real_logits, real_cache = D.forward(x)
    fake_logits, fake_cache = D.forward(fake)
    _, d_real, d_fake = mg.Wasserstein(D.backend).discriminator(real_logits, fake_logits)
    D.set_gradients(d_real, real_cache)
    D.add_gradients(d_fake, fake_cache)
    regularizer.penalize(D, x, fake, rng)


def critic(workload, dtype="float32", backend="numpy"):
    layers = [layer(spec) for spec in workload.discriminator]
    return mg.Sequential(layers, workload.sample, rng=1, dtype=dtype, backend=backend)


def critic_parts(workload, batches, flags=(), backend="numpy"):
    """`parts` of a critic: a step is one update under WGAN-GP; flag plain: no penalty."""
    D = critic(workload, backend=backend)
    ranks, game = D.backend.ranks, SimpleNamespace(critic=D, backend=D.backend, dtype=D.dtype)
    rng = FixedWeights(batches)  # of whole batches
    if ranks is not None:
        batches = [tuple(ranks.part(array) for array in batch) for batch in batches]
    regularizer = Regularizer() if "plain" in flags else PENALTY
    optimizer = mg.Adam(D, **RATES)

    def step(i):
        x, fake, _ = batches[i % len(batches)]
        critic_gradients(D, x, fake, rng, regularizer)
        if ranks is not None:
            ranks.average(game, ["critic"], {"critic_gradient_norm": 0.0})
        optimizer.step()

    return [D], [optimizer], step


def stepper(workload, batches, flags=(), backend="numpy"):
    """step(i) of `parts`."""
    return parts(workload, batches, flags, backend)[-1]


def parts(workload, batches, flags=(), backend="numpy"):
    """The networks, their optimizers, and step(i): D's update and G's, as `train` does them.

    batches: arrays of the backend. Flags: one (OpenBLAS on one thread), plain (no penalty). On a
    backend with ranks, each takes its part of a batch.
    """
    if "one" in flags:
        threadpool_limits(1)
    if workload.penalty:
        return critic_parts(workload, batches, flags, backend)
    gan = build(workload, batches, backend=backend)

    def step(i):
        x = batches[i % len(batches)][0]
        if gan.backend.ranks is not None:
            x = gan.real(x)
        gan.discriminator_step(x)
        gan.generator_step(x)

    return gan.networks, [gan.discriminator_optimizer, gan.generator_optimizer], step
