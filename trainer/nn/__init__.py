"""Layers and losses, under the names that PyTorch users know."""

import trainer.ops  # noqa: F401  (every operator is registered before a layer uses it)
from trainer.nn.activation import GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from trainer.nn.container import Flatten, Sequential
from trainer.nn.convolution import Conv2d
from trainer.nn.dropout import Dropout
from trainer.nn.linear import Linear
from trainer.nn.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
)
from trainer.nn.module import Module, Parameter
from trainer.nn.normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from trainer.nn.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from trainer.nn.preprocessing import Rescale, Reshape, Standardize

__all__ = [
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GELU",
    "GlobalAvgPool2d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Rescale",
    "Reshape",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Standardize",
    "Tanh",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "l1_loss",
    "mse_loss",
]
