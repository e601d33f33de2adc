"""Layers: each a forward pass with its backward pass directly below, written by hand.

Begin with `base.py` (what a layer is, and the chain rule), then `affine.py` and `dense.py`,
`activations.py`, `normalization.py`, and `convolution.py`.
"""

from minigan.layers.activations import LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from minigan.layers.base import Layer, NoDoubleBackward, Sequential
from minigan.layers.convolution import Conv2d, ConvTranspose2d
from minigan.layers.dense import Dense
from minigan.layers.fourier import FourierFeatures
from minigan.layers.initializers import Glorot, He, Normal
from minigan.layers.layer_norm import LayerNorm
from minigan.layers.minibatch_std import MinibatchStd
from minigan.layers.normalization import BatchNorm
from minigan.layers.shape import Dropout, Flatten, Pack, Reshape
from minigan.layers.spectral_norm import SpectralNorm

__all__ = [
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Flatten",
    "FourierFeatures",
    "Glorot",
    "He",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "MinibatchStd",
    "NoDoubleBackward",
    "Normal",
    "Pack",
    "ReLU",
    "Reshape",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "SpectralNorm",
    "Tanh",
]
