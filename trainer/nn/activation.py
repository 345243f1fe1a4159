"""Activation functions as layers."""

from __future__ import annotations

from trainer.core.tensor import Tensor, apply
from trainer.nn.module import Module


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x.relu()


class LeakyReLU(Module):
    """x where positive, else slope x.

    Args:
        negative_slope: The slope below 0. Defaults to 0.01.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("LeakyRelu", x, alpha=self.negative_slope)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x.sigmoid()


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x.tanh()


class GELU(Module):
    """x times the normal distribution function of x (Hendrycks and Gimpel 2016).

    Args:
        approximate: "none" for the exact form, "tanh" for the approximation. Defaults to "none".
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("Gelu", x, approximate=self.approximate)


class Softmax(Module):
    """exp(x) over its sum along an axis.

    Args:
        axis: The axis that sums to 1. Defaults to -1.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("Softmax", x, axis=self.axis)
