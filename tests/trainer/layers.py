"""Every layer there is, with what it is made with and a row that it takes, for tests by reflection."""

import numpy as np

from trainer import nn


class Tokens(nn.Module):
    """A layer of tokens, fed by numbers."""

    def __init__(self, *arguments) -> None:
        super().__init__()
        self.embedding = nn.Embedding(*arguments)

    def forward(self, x):
        return self.embedding((x * x).cast(np.int64) % 4)


class Last(nn.Module):
    """A recurrent layer, and its last state after it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.last = layer, nn.LastState(layer.directions == 2)

    def forward(self, x):
        return self.last(self.layer(x))


# Layers that take or return something else than one Tensor of real numbers.
AROUND = {
    "Embedding": Tokens,
    "GRU": lambda *sizes: Last(nn.GRU(*sizes, batch_first=True, bidirectional=True)),
    "LSTM": lambda *sizes: Last(nn.LSTM(*sizes, batch_first=True, num_layers=2)),
    "LastState": lambda *sizes: Last(nn.LSTM(*sizes, batch_first=True, bidirectional=True)),
    "RNN": lambda *sizes: Last(nn.RNN(*sizes, batch_first=True)),
}

EPS = 2.0**-16  # an attribute is a float32: this one holds in float64, too

# Per layer what it is made with, and the shape of a row that it takes.
LAYERS = {
    "AvgPool2d": ((2,), (2, 6, 6)),
    "BatchNorm1d": ((5,), (5,)),
    "BatchNorm2d": ((2,), (2, 4, 4)),
    "Conv1d": ((2, 3, 3, 2, 1), (2, 7)),
    "Conv2d": ((2, 3, 3, 2, 1), (2, 7, 7)),
    "ConvTranspose2d": ((2, 3, 3, 2, 1), (2, 4, 4)),
    "Dropout": ((0.3,), (5,)),
    "ELU": ((), (5,)),
    "Embedding": ((4, 3, 1), (5,)),
    "Flatten": ((), (2, 3)),
    "GELU": ((), (5,)),
    "GRU": ((3, 4), (5, 3)),
    "GlobalAvgPool2d": ((), (3, 4, 4)),
    "GroupNorm": ((2, 4, EPS), (4, 3, 3)),
    "Hardsigmoid": ((), (5,)),
    "Hardswish": ((), (5,)),
    "InstanceNorm1d": ((2, EPS), (2, 5)),
    "InstanceNorm2d": ((2, EPS, True), (2, 4, 4)),
    "LSTM": ((3, 4), (5, 3)),
    "LastState": ((3, 4), (5, 3)),
    "LayerNorm": ((5, EPS), (5,)),
    "LeakyReLU": ((0.25,), (5,)),
    "Linear": ((5, 4), (5,)),
    "LogSoftmax": ((), (5,)),
    "MaxPool2d": ((2,), (2, 6, 6)),
    "Mish": ((), (5,)),
    "MultiHeadAttention": ((6, 2), (4, 6)),
    "PReLU": ((2,), (2, 3)),
    "RMSNorm": ((5,), (5,)),
    "RNN": ((3, 4), (5, 3)),
    "ReLU": ((), (5,)),
    "Rescale": ((2.0, -1.0), (5,)),
    "Reshape": ((3, 2), (6,)),
    "SELU": ((), (5,)),
    "Sequential": ((), (5,)),
    "SiLU": ((), (5,)),
    "Sigmoid": ((), (5,)),
    "Softmax": ((), (5,)),
    "Softplus": ((), (5,)),
    "Softsign": ((), (5,)),
    "Standardize": ((5,), (5,)),
    "Tanh": ((), (5,)),
    "TransformerEncoderLayer": ((6, 2, 8), (4, 6)),
}


def made(name: str) -> nn.Module:
    """A layer from [batch, *row] of real numbers to one Tensor."""
    arguments, _ = LAYERS[name]
    layer: nn.Module = AROUND.get(name, getattr(nn, name))(*arguments)
    return layer
