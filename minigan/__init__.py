"""minigan: generative adversarial networks from scratch, every backward pass written by hand.

Begin with `gan.py` (the game), then `layers/` (forward above backward), `objectives.py` (what
the players minimise) and `gradcheck.py` (how every gradient is checked).
"""

from minigan.averaging import WeightAverage
from minigan.backend import BackendUnavailable, get_backend
from minigan.divergence import TrainingDiverged
from minigan.gan import GAN, Record, train
from minigan.gradcheck import GradientReport, compare_gradients, gradcheck
from minigan.latent import NormalLatent, UniformLatent
from minigan.layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    Glorot,
    He,
    Layer,
    LayerNorm,
    LeakyReLU,
    Normal,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
)
from minigan.objectives import OBJECTIVES, Minimax, NonSaturating, Wasserstein
from minigan.optimizers import SGD, Adam, RMSProp
from minigan.regularizers import DRAGAN, R1, R2, WGANGP, OneSidedPenalty, WeightClipping
from minigan.schedules import LinearDecay

__version__ = "0.1.0"

__all__ = [
    "DRAGAN",
    "GAN",
    "OBJECTIVES",
    "R1",
    "R2",
    "SGD",
    "WGANGP",
    "Adam",
    "BackendUnavailable",
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Flatten",
    "Glorot",
    "GradientReport",
    "He",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LinearDecay",
    "Minimax",
    "NonSaturating",
    "Normal",
    "NormalLatent",
    "OneSidedPenalty",
    "RMSProp",
    "ReLU",
    "Record",
    "Reshape",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "TrainingDiverged",
    "UniformLatent",
    "Wasserstein",
    "WeightAverage",
    "WeightClipping",
    "compare_gradients",
    "get_backend",
    "gradcheck",
    "train",
]
