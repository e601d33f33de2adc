"""The benchmark's networks and batches, described once, so that every contender builds the same.

A player is a list of layers, written as tuples; `minigan_peer`, `torch_peer` and `naive_peer`
translate it. Weights are drawn here, with NumPy, in minigan's layout.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LATENT = 100


def mlp(sizes, activation, last=()):
    """Dense layers with an activation between them."""
    layers = []
    for a, b in pairwise(sizes):
        layers += [("dense", a, b, True), activation]
    return [*layers[:-1], *last]


RELU, LEAKY, TANH = ("relu",), ("leaky",), ("tanh",)

DCGAN_G = [
    ("dense", LATENT, 7 * 7 * 128, False), ("reshape", 7, 7, 128), ("bn", 128), RELU,
    ("convt", 128, 64, False), ("bn", 64), RELU, ("convt", 64, 1, True), TANH,
]  # fmt: skip
DCGAN_D = [
    ("conv", 1, 64, True), LEAKY, ("conv", 64, 128, False), ("bn", 128), LEAKY,
    ("flatten", 7 * 7 * 128), ("dense", 7 * 7 * 128, 1, True),
]  # fmt: skip
CRITIC = [
    ("conv", 1, 64, True), LEAKY, ("conv", 64, 128, True), LEAKY,
    ("flatten", 7 * 7 * 128), ("dense", 7 * 7 * 128, 1, True),
]  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """One line of the results: two players, a batch size, the shape of a sample.

    penalty: a WGAN-GP critic step in place of a step of both players.
    """

    name: str
    batch: int
    generator: list
    discriminator: list
    latent: int
    sample: tuple
    penalty: bool = False


def _workload(name, batch, sizes_g, sizes_d, last=(), **more):
    generator, discriminator = mlp(sizes_g, RELU, last), mlp(sizes_d, LEAKY)
    return Workload(name, batch, generator, discriminator, sizes_g[0], (sizes_d[0],), **more)


W1 = [2, 128, 128, 2], [2, 128, 128, 1]
WIDE = [2, 256, 256, 256, 2], [2, 256, 256, 256, 1]
W2 = [100, 256, 512, 1024, 784], [784, 512, 256, 1]

WORKLOADS = {
    workload.name: workload
    for workload in [
        _workload("W1", 256, *W1),
        _workload("W1-64", 64, *W1),
        _workload("W1-wide", 512, *WIDE),
        _workload("W2", 64, *W2, last=[TANH]),
        *(Workload(name, batch, DCGAN_G, DCGAN_D, LATENT, (28, 28, 1))
          for name, batch in [("W3", 64), ("W3-128", 128)]),
        _workload("W4-mlp", 256, *W1, penalty=True),
        Workload("W4-conv", 64, DCGAN_G, CRITIC, LATENT, (28, 28, 1), penalty=True),
    ]
}  # fmt: skip


def batches(workload, count=4, seed=1):
    """`count` tuples of float32 arrays: real samples, noise of D's step, noise of G's step.

    For a penalty workload: real samples, fakes, and one interpolation weight per sample.
    """
    rng = np.random.default_rng(seed)
    real, noise = (workload.batch, *workload.sample), (workload.batch, workload.latent)
    if workload.penalty:
        weights = workload.batch, *[1] * len(workload.sample)
        return [
            tuple(rng.uniform(0, 1, shape).astype(np.float32) for shape in (real, real, weights))
            for _ in range(count)
        ]
    draw = lambda shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    return [(np.tanh(draw(real)), draw(noise), draw(noise)) for _ in range(count)]
