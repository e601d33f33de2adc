"""Same seed, same bits; float32 near float64; and no number from memory that nobody wrote to."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigan import MixtureLatent, NormalLatent, UniformLatent, train
from minigan.backend import NumpyBackend

KINDS = pytest.mark.parametrize("kind", ["dense", "conv"])


@pytest.fixture(scope="session")
def trained(dense_gan, conv_gan):
    """trained(kind, seed, **options): a game after five steps, and samples of it."""

    def run(kind, seed=0, steps=5, **options):
        build = {"dense": dense_gan, "conv": conv_gan}[kind]
        gan = build(seed=seed, rng=seed + 1, average_decay=0.9, discriminator_steps=2, **options)
        shape = gan.discriminator.input_shape
        batches = iter(np.random.default_rng(seed + 2).normal(size=(2 * steps, 8, *shape)))
        records = [record.discriminator_loss for record in train(gan, batches, steps)]
        return gan, [
            gan.generator.parameters,
            gan.discriminator.parameters,
            gan.generator.buffers,
            gan.discriminator.buffers,
            gan.average.network.parameters,
            gan.sample(10, 3),
            np.array(records),
        ]

    return run


def bits(numbers):
    return [array.tobytes() for array in numbers]


@KINDS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_seed_same_bits(kind, dtype, trained):
    first, second = trained(kind, dtype=dtype)[1], trained(kind, dtype=dtype)[1]
    assert bits(first) == bits(second)


@KINDS
def test_other_seed_other_bits(kind, trained):
    for a, b in zip(trained(kind)[1], trained(kind, seed=10)[1], strict=True):
        assert not np.array_equal(a, b)


SCRIPT = """
import numpy as np
from minigan import *

D = Sequential([Conv2d(1, 2, 3, 2, 1), BatchNorm(2), LeakyReLU(), Dropout(), Flatten(),
                Dense(8, 1)], (4, 4, 1), rng=0)
G = Sequential([Dense(3, 8), Reshape(2, 2, 2), ConvTranspose2d(2, 1, 4, 2, 1)], (3,), rng=1)
gan = GAN(G, D, "non-saturating", generator_optimizer=Adam(G), discriminator_optimizer=Adam(D),
          latent=NormalLatent(3), rng=2)
batches = iter(np.random.default_rng(3).normal(size=(5, 8, 4, 4, 1)))
print([repr(record.generator_loss) for record in train(gan, batches, 5)], gan.sample(3, 4).tolist())
"""


def test_two_processes_agree():
    outputs = set()
    for seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1 and len(outputs.pop()) > 100


@KINDS
def test_float64_twin_stays_close(kind, trained):
    """Both precisions draw the same weights and noise, so training takes the same course."""
    for single, double in zip(trained(kind, dtype="float32")[1], trained(kind)[1], strict=True):
        np.testing.assert_allclose(single, double, rtol=2e-2, atol=2e-3)


def poison(shape, dtype=float, **options):
    """In the place of `np.empty`: memory filled with NaN."""
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 0, dtype, **options)


@KINDS
def test_no_number_comes_from_memory_that_nobody_wrote_to(kind, trained, monkeypatch):
    """Whoever read an empty array before writing to it would now read NaN."""
    expected = bits(trained(kind)[1])
    empty = []
    monkeypatch.setattr(np, "empty", lambda *a, **o: empty.append(poison(*a, **o)) or empty[-1])
    monkeypatch.setattr(np, "empty_like", lambda a: np.empty(a.shape, a.dtype))
    assert bits(trained(kind)[1]) == expected
    assert empty


def test_threads_do_not_disturb_each_other(trained):
    """Games on one backend in several threads, each as if it were alone."""
    backend, results, interval = NumpyBackend(), {}, sys.getswitchinterval()
    expected = {seed: bits(trained("conv", seed, backend=backend)[1]) for seed in range(3)}

    def work(seed):
        results[seed] = bits(trained("conv", seed, backend=backend)[1])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in expected]
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert results == expected


@KINDS
def test_sampling_in_between_changes_nothing(kind, trained, dense_gan, conv_gan):
    build = {"dense": dense_gan, "conv": conv_gan}[kind]
    data = np.random.default_rng(0).normal(size=(6, 8, *build().discriminator.input_shape))
    games = build(), build()
    list(train(games[0], iter(data), 6))
    for record in train(games[1], iter(data), 6):
        games[1].sample(5, record.step)
    for player in ("generator", "discriminator"):
        first, second = (getattr(game, player) for game in games)
        assert bits([first.parameters, first.buffers]) == bits([second.parameters, second.buffers])


@pytest.mark.parametrize("latent", [NormalLatent(2), UniformLatent(2), MixtureLatent(5, 3)])
def test_latent_follows_its_generator(latent):
    first, second, third = (latent.sample(5, np.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)
