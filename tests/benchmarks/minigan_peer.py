"""The workloads on minigan."""

import minigan as mg
from minigan.layers import Normal

RATES = {"lr": 2e-4, "betas": (0.5, 0.999)}


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


def build(workload, batches, dtype="float32"):
    """The game of a workload, its noise taken from `batches`."""
    noise = [z for _, *pair in batches for z in pair]
    generator = mg.Sequential(
        [layer(spec) for spec in workload.generator], (workload.latent,), rng=0, dtype=dtype
    )
    discriminator = mg.Sequential(
        [layer(spec) for spec in workload.discriminator], workload.sample, rng=1, dtype=dtype
    )
    return mg.GAN(
        generator,
        discriminator,
        "non-saturating",
        generator_optimizer=mg.Adam(generator, **RATES),
        discriminator_optimizer=mg.Adam(discriminator, **RATES),
        latent=FixedNoise(workload.latent, noise),
        rng=2,
    )


def stepper(workload, batches, flags=()):
    """step(i): one update of D and one of G, as `minigan.train` does them."""
    gan = build(workload, batches)

    def step(i):
        x = batches[i % len(batches)][0]
        gan.discriminator_step(x)
        gan.generator_step(x)

    return step
