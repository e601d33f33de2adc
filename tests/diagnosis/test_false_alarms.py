"""Right networks that the checker must not reject, at kinks and beside them.

Random networks of every kind, on inputs with exact zeros and of many scales: here some of them;
`python tests/diagnosis/test_false_alarms.py 0 500` takes the networks 0 to 499 and prints a table.
"""

import os
import sys

import numpy as np
import pytest

from minigan import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    gradcheck,
)
from minigan.data import load_mnist

PIECEWISE, SMOOTH = (ReLU, LeakyReLU), (Tanh, Sigmoid, Softplus)
NORMS = {"no": lambda n: [], "batch": lambda n: [BatchNorm(n)], "layer": lambda n: [LayerNorm(n)]}


def dense(rng, norm, activation):
    """Two hidden layers."""
    inputs, width, outputs = (int(n) for n in rng.integers(2, (9, 17, 5)))
    layers = [Dense(inputs, width), *norm(width), activation(), Dense(width, width)]
    return [*layers, *norm(width), activation(), Dense(width, outputs)], (inputs,)


def convolutions(rng, norm, activation):
    """A discriminator of images."""
    channels, size = int(rng.integers(1, 4)), int(rng.choice([6, 8]))
    layers = [Conv2d(channels, 4, 4, 2, 1), *norm(4), activation(), Conv2d(4, 6, 3, 1, 1)]
    layers += [*norm(6), activation(), Flatten(), Dense(6 * (size // 2) ** 2, 2)]
    return layers, (size, size, channels)


def transposed(rng, norm, activation):
    """A generator of images."""
    noise = int(rng.integers(2, 6))
    layers = [Dense(noise, 16), Reshape(2, 2, 4), *norm(4), activation()]
    layers += [ConvTranspose2d(4, 3, 4, 2, 1), *norm(3), activation()]
    return [*layers, ConvTranspose2d(3, 1, 4, 2, 1), *([Tanh()] * (noise == 2))], (noise,)


def blank(x, rng):
    """Two thirds exact zeros."""
    return x * (rng.random(x.shape) < 1 / 3)


def black(x, rng):
    """Nearly black images: a few bright pixels."""
    return abs(x) * (rng.random(x.shape) < 0.03)


def clipped(x, rng):
    """Numbers of [0, 1], most of them exactly at the ends."""
    return np.clip(2 * x - 1, 0, 1)


def dotted(x, rng):
    """Whole samples of zeros."""
    return x * (np.arange(len(x)) % 2).reshape(-1, *[1] * (x.ndim - 1))


INPUTS = {"normal": lambda x, rng: x} | {f.__name__: f for f in (blank, black, clipped, dotted)}


def case(seed):
    """A network, a batch, whether to train, and what it is, in words; a function of the seed."""
    rng = np.random.default_rng(seed)
    kind = (dense, convolutions, transposed)[seed % 3]
    activation = rng.choice(PIECEWISE) if rng.random() < 0.75 else rng.choice(SMOOTH)
    norm, given = rng.choice(list(NORMS)), rng.choice(list(INPUTS))
    layers, shape = kind(rng, NORMS[norm], activation)
    network = Sequential(layers, shape, rng=rng, dtype="float64")
    initial = rng.random() < 0.5  # with biases of exactly zero
    if not initial:
        network.parameters = rng.normal(0, 0.6, network.parameters.shape)
        network.buffers = rng.uniform(0.5, 2, network.buffers.shape)
    scale = 10 ** rng.uniform(-2, 2)
    x = rng.standard_normal((int(rng.integers(2, 9)), *shape))
    words = (kind.__name__, activation.__name__, f"{norm} norm", f"{given} input")
    weights = "initial weights" if initial else "random weights"
    return network, scale * INPUTS[given](x, rng), rng.random() < 0.67, (*words, weights)


def check(seed, **options):
    network, x, train, words = case(seed)
    return gradcheck(network, x, rng=seed, train=train, **options), words


@pytest.mark.parametrize("seed", range(0, 48, 4))
def test_random_networks(seed):
    """No error is found, and all weights are compared."""
    for number in range(seed, seed + 4):
        report, words = check(number, max_entries=12)
        assert report.verdict != "WRONG", f"{number}, {words}\n{report}"
        for name in report.unchecked:  # where a kink is met, and never a weight
            assert name.endswith(("x", "bias", "beta")), f"{number}, {words}\n{report}"


KINKS_THAT_CANCEL = {
    "leaky after leaky": ([Dense(1, 1), LeakyReLU(), Dense(1, 1), LeakyReLU()], [1, 0, -1, 0]),
    "its mirror image": ([Dense(1, 2), ReLU(), Dense(2, 1)], [1, -1, 0, 0, 1, -1, 0]),
}


@pytest.mark.parametrize("name", KINKS_THAT_CANCEL)
def test_kinks_that_cancel(name):
    """L is a straight line, and its slope is not what the slopes at the kinks multiply to."""
    layers, parameters = KINKS_THAT_CANCEL[name]
    network = Sequential([layer.unbound() for layer in layers], (1,), rng=0, dtype="float64")
    network.parameters = np.array(parameters, float)
    at = network(np.array([[-1.0], [0], [1]]))
    assert at[1] == 0 and at[0] == -at[2] != 0
    report = gradcheck(network, np.array([[0.0], [1.0]]))
    assert report.passed and report.rows[0].kinks == 1, str(report)
    assert gradcheck(network, np.array([[0.1], [1.0]])).rows[0].kinks == 0


@pytest.mark.skipif(not os.environ.get("MINIGAN_DATA"), reason="MINIGAN_DATA names no folder")
def test_mnist_from_0_to_1():
    """Black is exactly 0, and biases are, too: every unit over black stands at its kink."""
    images, _ = load_mnist("test")
    images = np.asarray(images[:64], float).reshape(-1, 28, 28, 1)
    images = (images - images.min()) / (images.max() - images.min())
    assert (images == 0).mean() > 0.7
    for seed in range(8):
        layers = [Conv2d(1, 8, 4, 2, 1), LeakyReLU(), Conv2d(8, 16, 4, 2, 1), LeakyReLU()]
        network = Sequential([*layers, Flatten(), Dense(784, 1)], (28, 28, 1), rng=seed)
        report = gradcheck(network, images[seed * 4 : seed * 4 + 4], rng=seed, max_entries=16)
        assert report.passed, f"{seed}\n{report}"
        entries = report.rows[0]
        assert entries.name == "x" and entries.kinks > 0 and entries.checked > 0


def main(first, last):
    """The networks of these numbers, counted by what they are made of."""
    rejected, unchecked, found = [], 0, {}
    for seed in range(first, last):
        report, words = check(seed, max_entries=24)
        unchecked += bool(report.unchecked)
        if report.verdict == "WRONG":
            rejected.append(seed)
        for word in words:
            all_, wrong = found.get(word, (0, 0))
            found[word] = all_ + 1, wrong + (report.verdict == "WRONG")
    for word, (all_, wrong) in sorted(found.items()):
        print(f"{word:20} {all_:5} networks, {wrong} rejected")
    print(f"{last - first} networks, rejected: {rejected or 'none'}; without a derivative for some "
          f"array: {unchecked}")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
