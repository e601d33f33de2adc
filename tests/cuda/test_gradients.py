"""The gradients of every layer, objective and game on the GPU's backend, by finite differences."""

import numpy as np
import pytest
from games import GAMES, batches

from minigan import (
    OBJECTIVES,
    AvgPool2d,
    BatchNorm,
    Block,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    FourierFeatures,
    GlobalSumPool,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    MinibatchStd,
    Pack,
    ReLU,
    Reshape,
    Residual,
    SelfAttention,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
    Upsample,
    gradcheck,
    layers,
)

LAYERS = {
    "Dense": (lambda: Dense(3, 2), (3,)),
    "Conv2d": (lambda: Conv2d(2, 3, (3, 2), (2, 1), (1, 0)), (5, 4, 2)),
    "ConvTranspose2d": (lambda: ConvTranspose2d(2, 1, 3, 2, 1, 1), (2, 3, 2)),
    "BatchNorm": (lambda: BatchNorm(2), (2, 2, 2)),
    "LayerNorm": (lambda: LayerNorm(4, eps=0.1), (4,)),
    "InstanceNorm": (lambda: InstanceNorm(2, eps=0.1), (2, 3, 2)),
    "SelfAttention": (lambda: SelfAttention(9), (2, 2, 9)),
    "Upsample": (lambda: Upsample(2), (2, 1, 2)),
    "AvgPool2d": (lambda: AvgPool2d(2), (2, 4, 2)),
    "GlobalSumPool": (GlobalSumPool, (2, 3, 2)),
    "Block": (lambda: Block([Dense(3, 2), Tanh()]), (3,)),
    "Residual": (lambda: Residual([Conv2d(2, 3, 3, 1, 1), Tanh()], [Conv2d(2, 3, 1)]), (2, 2, 2)),
    "SpectralNorm": (lambda: SpectralNorm(Dense(3, 2)), (3,)),
    "ReLU": (ReLU, (5,)),
    "LeakyReLU": (lambda: LeakyReLU(0.3), (5,)),
    "Tanh": (Tanh, (5,)),
    "Sigmoid": (Sigmoid, (5,)),
    "Softplus": (Softplus, (5,)),
    "Dropout": (lambda: Dropout(0.4), (5,)),
    "Flatten": (Flatten, (2, 3)),
    "Reshape": (lambda: Reshape(3, 2), (2, 3)),
    "MinibatchStd": (lambda: MinibatchStd(eps=0.1), (2, 3)),
    "Pack": (lambda: Pack(2), (2, 3)),
    "FourierFeatures": (lambda: FourierFeatures(3, 4), (3,)),
}


NOT_AFFINE = {f"{norm.__name__}, not affine": norm for norm in (BatchNorm, InstanceNorm)}
for name, norm in NOT_AFFINE.items():
    LAYERS[name] = (lambda norm=norm: norm(2, affine=False, eps=0.1)), (2, 2, 2)


def test_every_layer_is_here():
    kinds = {name for name in layers.__all__ if issubclass(getattr(layers, name), layers.Layer)}
    assert set(LAYERS) - set(NOT_AFFINE) == kinds - {"Layer"}


MOVING = ("SpectralNorm", True)  # its power iteration moves σ from one pass to the next
CASES = [(name, train) for name in LAYERS for train in (True, False) if (name, train) != MOVING]


def random_network(name, backend):
    make, shape = LAYERS[name]
    network = Sequential([make()], shape, rng=1, dtype="float64", backend=backend)
    numbers = np.random.default_rng(2).normal(size=network.parameters.shape)
    network.parameters[...] = backend.asarray(numbers)
    return network


def check(name, backend, train):
    x = np.random.default_rng(0).normal(size=(4, *LAYERS[name][1]))
    report = gradcheck(random_network(name, backend), x, train=train, max_entries=4)
    assert report.passed and report.relative_error < 1e-6, str(report)


@pytest.mark.parametrize("name, train", CASES)
def test_backward_is_the_derivative_of_forward(name, train, device):
    check(name, device, train)


@pytest.mark.parametrize("name", ["Dense", "Conv2d", "ConvTranspose2d"])
def test_with_our_own_products_and_convolutions(name, own_kernels):
    check(name, own_kernels, True)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives(name, device):
    r, f = np.random.default_rng(0).normal(0, 2, (2, 5, 1))
    report = gradcheck(OBJECTIVES[name](device), r, f)
    assert report.passed and report.relative_error < 1e-6, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "DCGAN", "WGAN-GP"])
def test_a_complete_step_of_both_players(name, device):
    game = GAMES[name](device, "float64")
    for network in (game.generator, game.discriminator):
        numbers = np.random.default_rng(4).normal(0, 0.6, network.parameters.shape)
        network.parameters[...] = device.asarray(numbers)
    report = gradcheck(game, next(batches(name, game)), max_entries=2)
    assert report.passed and report.relative_error < 1e-6, str(report)
