"""minigan: generative adversarial networks from scratch, every backward pass written by hand.

Begin with `gan.py` (the game), then `layers/` (forward above backward), `objectives.py` (what
the players minimise) and `gradcheck.py` (how every gradient is checked).
"""

from minigan.averaging import WeightAverage
from minigan.backend import BackendUnavailable, get_backend
from minigan.conditional import ConditionalGAN
from minigan.divergence import TrainingDiverged
from minigan.feature_matching import FeatureMatchingGAN
from minigan.gan import GAN, Record, train
from minigan.gradcheck import GradientReport, compare_gradients, gradcheck
from minigan.latent import MixtureLatent, NormalLatent, UniformLatent
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
    Pack,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    SpectralNorm,
    Tanh,
)
from minigan.moment_matching import MomentMatching, mmd_squared
from minigan.objectives import (
    OBJECTIVES,
    AbsoluteError,
    Hinge,
    LeastSquares,
    MaximumLikelihood,
    Minimax,
    NonSaturating,
    Wasserstein,
)
from minigan.optimizers import SGD, Adam, RMSProp
from minigan.regularizers import DRAGAN, R1, R2, WGANGP, OneSidedPenalty, WeightClipping
from minigan.schedules import LinearDecay
from minigan.translation import CycleGAN

__version__ = "0.1.0"

__all__ = [
    "DRAGAN",
    "GAN",
    "OBJECTIVES",
    "R1",
    "R2",
    "SGD",
    "WGANGP",
    "AbsoluteError",
    "Adam",
    "BackendUnavailable",
    "BatchNorm",
    "ConditionalGAN",
    "Conv2d",
    "ConvTranspose2d",
    "CycleGAN",
    "Dense",
    "Dropout",
    "FeatureMatchingGAN",
    "Flatten",
    "Glorot",
    "GradientReport",
    "He",
    "Hinge",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LeastSquares",
    "LinearDecay",
    "MaximumLikelihood",
    "Minimax",
    "MixtureLatent",
    "MomentMatching",
    "NonSaturating",
    "Normal",
    "NormalLatent",
    "OneSidedPenalty",
    "Pack",
    "RMSProp",
    "ReLU",
    "Record",
    "Reshape",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "SpectralNorm",
    "Tanh",
    "TrainingDiverged",
    "UniformLatent",
    "Wasserstein",
    "WeightAverage",
    "WeightClipping",
    "compare_gradients",
    "get_backend",
    "gradcheck",
    "mmd_squared",
    "train",
]
