"""Layers: each a forward pass with its backward pass directly below, written by hand.

Begin with `layer.py` (what a layer is) and `network.py` (the chain rule), then `dense.py`,
`activations.py`, `normalization.py` and `convolution.py`.
"""

from minigan.layers.activations import LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from minigan.layers.attention import SelfAttention
from minigan.layers.block import Block, Residual
from minigan.layers.convolution import Conv2d, ConvTranspose2d
from minigan.layers.dense import Dense
from minigan.layers.dropout import Dropout
from minigan.layers.fourier import FourierFeatures
from minigan.layers.initializers import Glorot, He, Normal
from minigan.layers.layer import Layer, NoDoubleBackward
from minigan.layers.minibatch_std import MinibatchStd
from minigan.layers.network import Chain
from minigan.layers.normalization import BatchNorm, InstanceNorm, LayerNorm
from minigan.layers.pooling import AvgPool2d, GlobalSumPool, Upsample
from minigan.layers.sequential import Sequential
from minigan.layers.shape import Flatten, Pack, Reshape
from minigan.layers.spectral_norm import SpectralNorm

__all__ = [
    "AvgPool2d",
    "BatchNorm",
    "Block",
    "Chain",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Flatten",
    "FourierFeatures",
    "GlobalSumPool",
    "Glorot",
    "He",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "MinibatchStd",
    "NoDoubleBackward",
    "Normal",
    "Pack",
    "ReLU",
    "Reshape",
    "Residual",
    "SelfAttention",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "SpectralNorm",
    "Tanh",
    "Upsample",
]
