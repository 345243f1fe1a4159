"""What is trained, the same for every engine: shapes, optimizers, batches and initial weights."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BATCHES = 8  # different batches, used in turn


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes:
        name: As printed.
        x: The shape of a batch of inputs; of tokens if `vocabulary` is set.
        classes: How many classes the targets have.
        optimizer: "Adam", "AdamW" or "SGD" (with momentum 0.9).
        lr: The learning rate.
        floor, aim: The ratio to PyTorch that is asked for at least, and aimed at.
        vocabulary: The number of tokens, where inputs and targets are tokens.
    """

    name: str
    x: tuple[int, ...]
    classes: int
    optimizer: str = "Adam"
    lr: float = 1e-3
    floor: float = 1.0
    aim: float = 1.0
    vocabulary: int | None = None

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of an epoch."""
        generator = np.random.default_rng(7)
        for _ in range(BATCHES):
            if self.vocabulary:
                tokens = generator.integers(0, self.vocabulary, (self.x[0], self.x[1] + 1))
                yield tokens[:, :-1].copy(), tokens[:, 1:].copy()
            else:
                x = generator.standard_normal(self.x).astype(np.float32)
                yield x, generator.integers(0, self.classes, len(x))


WORKLOADS = {
    "tiny": Workload("MLP 4-10-3, batch 32", (32, 4), 3, floor=8, aim=12),
    "mlp": Workload("MLP 784-128-10, batch 128", (128, 784), 10, floor=1.3, aim=2.0),
    "deep": Workload("MLP 784-256-128-10, batch 128", (128, 784), 10, floor=1.1, aim=1.6),
    "wide": Workload("MLP 784-1024-1024-10, batch 256", (256, 784), 10, floor=0.95, aim=1.2),
    "lenet": Workload("LeNet-5, batch 64", (64, 1, 28, 28), 10, floor=1.1, aim=1.6),
    "resnet": Workload(
        "ResNet-8, 32x32x3, batch 32", (32, 3, 32, 32), 10, "SGD", 0.05, floor=0.6, aim=1.0
    ),
    "lstm": Workload("LSTM 64-128, 64 steps, batch 32", (32, 64, 64), 10, floor=0.8, aim=1.3),
    "gpt": Workload(
        "GPT, 4 layers, d 128, 64 tokens, batch 16",
        (16, 64),
        256,
        "AdamW",
        floor=1.1,
        aim=1.4,
        vocabulary=256,
    ),
}
MLPS = {"tiny": (4, 10, 3), "mlp": (784, 128, 10), "deep": (784, 256, 128, 10)}
MLPS["wide"] = (784, 1024, 1024, 10)


def initial(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The initial value of a parameter, a function of its name and shape only."""
    if len(shape) == 1:
        return np.full(shape, float(name.endswith("weight")), np.float32)
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    scale = np.sqrt(1.0 / np.prod(shape[1:]))
    return (generator.standard_normal(shape) * scale).astype(np.float32)
