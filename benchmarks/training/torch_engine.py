"""The workloads in PyTorch with fused optimizers: eager, or through torch.compile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.training.workloads import MLPS, WORKLOADS, initial


class Block(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(filters)
        self.around = None if stride == 1 else nn.Conv2d(channels, filters, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first_norm(self.first(x)).relu()
        y = self.second_norm(self.second(y))
        return (y + (x if self.around is None else self.around(x))).relu()


class ResNet8(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.blocks = nn.ModuleList([Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)])
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.stem(x)).relu()
        for block in self.blocks:
            y = block(y)
        return self.head(y.mean(dim=(2, 3)))


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_attention, self.before_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, width = x.shape
        qkv = self.qkv(self.before_attention(x)).reshape(rows, length, 3, 4, width // 4)
        q, k, v = (qkv[:, :, i].permute(0, 2, 1, 3) for i in range(3))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.permute(0, 2, 1, 3).reshape(rows, length, width))
        return x + self.down(functional.gelu(self.up(self.before_forward(x))))


class GPT(nn.Module):
    def __init__(self, vocabulary: int, length: int, width: int = 128, layers: int = 4) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.zeros(vocabulary, width))
        self.places = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.ModuleList([Layer(width) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.embedding(x, self.tokens) + self.places
        for block in self.blocks:
            y = block(y)
        return self.head(self.norm(y)).permute(0, 2, 1)


class Sequences(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, (h, _) = self.lstm(x)
        return self.head(h[-1])


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


def step(name: str, compiled: bool = False) -> Callable[[np.ndarray, np.ndarray], float]:
    torch.set_num_threads(2)
    workload, made = WORKLOADS[name], model(name)
    with torch.no_grad():
        for key, parameter in made.named_parameters():
            parameter.copy_(torch.from_numpy(initial(key, tuple(parameter.shape))))
    momentum = {"momentum": 0.9} if workload.optimizer == "SGD" else {}
    kind = getattr(torch.optim, workload.optimizer)
    optimizer = kind(made.parameters(), lr=workload.lr, fused=True, **momentum)

    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(made(x), y)

    forward = torch.compile(loss) if compiled else loss

    def train(x: np.ndarray, y: np.ndarray) -> float:
        optimizer.zero_grad(set_to_none=True)
        value = forward(torch.from_numpy(x), torch.from_numpy(y))
        value.backward()
        optimizer.step()
        return value.item()

    return train
