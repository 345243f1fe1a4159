"""The workloads in tapeline: `step(name)` is one training step, compiled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.training.workloads import MLPS, WORKLOADS, initial
from trainer import nn, optim
from trainer.compiled import CompiledStep
from trainer.core.tensor import Tensor, apply


class Block(nn.Module):
    """Two convolutions and the way around them."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(filters)
        self.around = None if stride == 1 else nn.Conv2d(channels, filters, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first_norm(self.first(x)).relu()
        y = self.second_norm(self.second(y))
        return (y + (x if self.around is None else self.around(x))).relu()


class ResNet8(nn.Module):
    """A convolution, three blocks of 16, 32 and 64 filters, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.stem(x)).relu()
        for block in self.blocks:
            y = block(y)
        return self.head(y.mean(axis=[2, 3]))


class Layer(nn.Module):
    """Causal attention of 4 heads and a feed-forward part, each after a normalization."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_attention, self.before_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        qkv = self.qkv(self.before_attention(x)).reshape(rows, length, 3, 4, width // 4)
        q, k, v = (qkv[:, :, i].permute(0, 2, 1, 3) for i in range(3))
        hidden = np.triu(np.full((length, length), -1e9, x.dtype), 1)
        scores = (q @ k.transpose(2, 3)) * (width // 4) ** -0.5 + hidden
        mixed = (apply("Softmax", scores, axis=-1) @ v).permute(0, 2, 1, 3)
        x = x + self.out(mixed.reshape(rows, length, width))
        return x + self.down(apply("Gelu", self.up(self.before_forward(x))))


class GPT(nn.Module):
    """Tokens and places, layers, a normalization and a linear layer."""

    def __init__(self, vocabulary: int, length: int, width: int = 128, layers: int = 4) -> None:
        super().__init__()
        self.tokens = nn.Parameter(np.zeros((vocabulary, width), np.float32))
        self.places = nn.Parameter(np.zeros((length, width), np.float32))
        self.blocks = [Layer(width) for _ in range(layers)]
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        y = apply("Gather", self.tokens, x) + self.places
        for block in self.blocks:
            y = block(y)
        return self.head(self.norm(y)).permute(0, 2, 1)


class Sequences(nn.Module):
    """A recurrent layer, and a linear layer on its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        _, (h, _) = self.lstm(x)
        return self.head(h[-1])

    def load_as_in_pytorch(self) -> None:
        """PyTorch has a bias each for inputs and state, and the gates in another order."""

        def sorted_gates(part: str, shape: tuple[int, ...]) -> np.ndarray:
            i, f, g, o = np.split(initial(f"lstm.{part}_l0", shape), 4)
            return np.concatenate([i, o, f, g])

        layer = self.lstm.layers[0]
        biases = [sorted_gates(part, (512,)) for part in ("bias_ih", "bias_hh")]
        values = {
            "weight_ih": sorted_gates("weight_ih", layer.weight_ih.shape[1:])[np.newaxis],
            "weight_hh": sorted_gates("weight_hh", layer.weight_hh.shape[1:])[np.newaxis],
            "bias": np.concatenate(biases)[np.newaxis],
        }
        self.load({f"lstm.layers.0.{name}": array for name, array in values.items()}, strict=False)


def model(name: str) -> nn.Module:
    if name in MLPS:
        layers: list[nn.Module] = []
        for inputs, outputs in zip(MLPS[name], MLPS[name][1:], strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    if name == "lenet":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )
    if name == "lstm":
        return Sequences()
    return ResNet8() if name == "resnet" else GPT(256, 64)


def started(name: str) -> nn.Module:
    """The model with its initial weights."""
    made = model(name)
    neutral = {n: n.removeprefix("layers.") for n in made.parameters()}
    made.load({n: initial(neutral[n], t.shape) for n, t in made.parameters().items()}, strict=False)
    if isinstance(made, Sequences):
        made.load_as_in_pytorch()
    return made


def step(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    workload, made = WORKLOADS[name], started(name)
    momentum = {"momentum": 0.9} if workload.optimizer == "SGD" else {}
    optimizer = getattr(optim, workload.optimizer)(**momentum)
    compiled = CompiledStep(made, nn.cross_entropy, optimizer)
    return lambda x, y: compiled.train(x, y, workload.lr)
