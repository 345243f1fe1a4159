"""Layers that hold layers, and the one that joins images to vectors."""

from __future__ import annotations

from typing import Any

from trainer.core.tensor import Tensor, apply
from trainer.nn.module import Module


class Sequential(Module):
    """Layers one after the other.

    Example:
        >>> from trainer.nn import Linear, ReLU
        >>> model = Sequential(Linear(4, 8), ReLU(), Linear(8, 3))
        >>> list(model.parameters())
        ['layers.0.weight', 'layers.0.bias', 'layers.2.weight', 'layers.2.bias']

    Args:
        *layers: Modules, in order.
    """

    def __init__(self, *layers: Module) -> None:
        super().__init__()
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Give each layer what the one before returned."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]


class Flatten(Module):
    """[batch, ...] to [batch, features]."""

    def forward(self, x: Tensor) -> Tensor:
        """Join all axes but the first."""
        return apply("Flatten", x, axis=1)
