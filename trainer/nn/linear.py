"""The fully connected layer."""

from __future__ import annotations

from trainer.core.tensor import Tensor, apply
from trainer.nn.initializer import fan_in_uniform
from trainer.nn.module import Module


class Linear(Module):
    """x W^T + b over the last axis.

    Example:
        >>> layer = Linear(3, 2)
        >>> layer(Tensor([[1.0, 2.0, 3.0]])).shape
        (1, 2)

    Args:
        in_features: The size of the last axis of the input.
        out_features: The size of the last axis of the output.
        bias: Whether b is added. Defaults to True.

    Attributes:
        weight: [out_features, in_features].
        bias: [out_features], or `None`.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = fan_in_uniform((out_features, in_features), in_features)
        self.bias = fan_in_uniform((out_features,), in_features) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in_features] to [..., out_features]."""
        if x.ndim == 2:
            return apply("Gemm", x, self.weight, self.bias, transB=1)
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """The sizes."""
        return f"{self.in_features}, {self.out_features}"
