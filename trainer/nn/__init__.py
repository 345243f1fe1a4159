"""Layers and losses, under the names that PyTorch users know."""

import trainer.ops  # noqa: F401  (every operator is registered before a layer uses it)
from trainer.nn.activation import (
    ELU,
    GELU,
    SELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from trainer.nn.attention import MultiHeadAttention, TransformerEncoderLayer
from trainer.nn.container import Flatten, Sequential
from trainer.nn.convolution import Conv1d, Conv2d, ConvTranspose2d
from trainer.nn.dropout import Dropout
from trainer.nn.embedding import Embedding
from trainer.nn.linear import Linear
from trainer.nn.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
)
from trainer.nn.module import Module, Parameter
from trainer.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    LayerNorm,
    RMSNorm,
)
from trainer.nn.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from trainer.nn.preprocessing import Rescale, Reshape, Standardize
from trainer.nn.recurrent import GRU, LSTM, RNN, LastState
from trainer.nn.rematerialization import recompute

__all__ = [
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "GELU",
    "GRU",
    "GlobalAvgPool2d",
    "GroupNorm",
    "Hardsigmoid",
    "Hardswish",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LSTM",
    "LastState",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "Mish",
    "Module",
    "MultiHeadAttention",
    "PReLU",
    "Parameter",
    "RMSNorm",
    "RNN",
    "ReLU",
    "Rescale",
    "Reshape",
    "SELU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Standardize",
    "Tanh",
    "TransformerEncoderLayer",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "l1_loss",
    "mse_loss",
    "recompute",
]
