"""minigan: generative adversarial networks from scratch, every backward pass written by hand.

Begin with `gan.py` (the game), then `layers/` (forward above backward), `objectives.py` (what
the players minimise) and `gradcheck.py` (how every gradient is checked).
"""

from minigan.averaging import WeightAverage
from minigan.backend import BackendUnavailable, get_backend
from minigan.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from minigan.conditional import ConditionalGAN
from minigan.divergence import TrainingDiverged
from minigan.feature_matching import FeatureMatchingGAN
from minigan.gan import GAN, Record, train
from minigan.gradcheck import GradientReport, compare_gradients, gradcheck
from minigan.health import TrainingWarning, watched
from minigan.latent import MixtureLatent, NormalLatent, PhiloxLatent, UniformLatent
from minigan.layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    FourierFeatures,
    Glorot,
    He,
    Layer,
    LayerNorm,
    LeakyReLU,
    MinibatchStd,
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
from minigan.moment_matching import MomentMatching, mmd_squared, witness
from minigan.objectives import (
    KL,
    OBJECTIVES,
    AbsoluteError,
    Hinge,
    LeastSquares,
    MaximumLikelihood,
    Minimax,
    NonSaturating,
    Pearson,
    ReverseKL,
    SquaredHellinger,
    Wasserstein,
)
from minigan.optimizers import SGD, Adam, RMSProp
from minigan.regularizers import DRAGAN, R1, R2, WGANGP, OneSidedPenalty, WeightClipping
from minigan.schedules import LinearDecay
from minigan.session import Session
from minigan.translation import CycleGAN
from minigan.xray import XRay, xray

__version__ = "0.1.0"

__all__ = [
    "DRAGAN",
    "GAN",
    "KL",
    "OBJECTIVES",
    "R1",
    "R2",
    "SGD",
    "WGANGP",
    "AbsoluteError",
    "Adam",
    "BackendUnavailable",
    "BatchNorm",
    "CheckpointError",
    "ConditionalGAN",
    "Conv2d",
    "ConvTranspose2d",
    "CycleGAN",
    "Dense",
    "Dropout",
    "FeatureMatchingGAN",
    "Flatten",
    "FourierFeatures",
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
    "MinibatchStd",
    "Minimax",
    "MixtureLatent",
    "MomentMatching",
    "NonSaturating",
    "Normal",
    "NormalLatent",
    "OneSidedPenalty",
    "Pack",
    "Pearson",
    "PhiloxLatent",
    "RMSProp",
    "ReLU",
    "Record",
    "Reshape",
    "ReverseKL",
    "Sequential",
    "Session",
    "Sigmoid",
    "Softplus",
    "SpectralNorm",
    "SquaredHellinger",
    "Tanh",
    "TrainingDiverged",
    "TrainingWarning",
    "UniformLatent",
    "Wasserstein",
    "WeightAverage",
    "WeightClipping",
    "XRay",
    "compare_gradients",
    "get_backend",
    "gradcheck",
    "load_checkpoint",
    "mmd_squared",
    "save_checkpoint",
    "train",
    "watched",
    "witness",
    "xray",
]
