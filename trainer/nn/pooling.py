"""Pooling over windows of images."""

from __future__ import annotations

from typing import Any

from trainer.core.tensor import Tensor, apply
from trainer.nn.convolution import Pair, pair
from trainer.nn.module import Module


class _Pool2d(Module):
    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        super().__init__()
        self.kernel_size = pair(kernel_size)
        self.stride = pair(kernel_size if stride is None else stride)
        self.padding = pair(padding)

    def _settings(self) -> dict[str, Any]:
        return {
            "kernel_shape": self.kernel_size,
            "strides": self.stride,
            "pads": self.padding * 2,
        }

    def extra_repr(self) -> str:
        """The window."""
        return f"{tuple(self.kernel_size)}, stride={tuple(self.stride)}"


class MaxPool2d(_Pool2d):
    """The largest value of each window.

    Args:
        kernel_size: Height and width of the window, in pixels.
        stride: Steps between windows, in pixels. Defaults to the window's size.
        padding: Border around the input that never wins, in pixels. Defaults to 0.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, channels, h, w] to [batch, channels, h', w']."""
        return apply("MaxPool", x, **self._settings())


class AvgPool2d(_Pool2d):
    """The mean of each window; the padding counts, as in PyTorch.

    Args:
        kernel_size: Height and width of the window, in pixels.
        stride: Steps between windows, in pixels. Defaults to the window's size.
        padding: Zeros around the input, in pixels. Defaults to 0.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, channels, h, w] to [batch, channels, h', w']."""
        return apply("AveragePool", x, count_include_pad=1, **self._settings())


class GlobalAvgPool2d(Module):
    """The mean of each channel: [batch, channels, h, w] to [batch, channels]."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, channels, h, w] to [batch, channels]."""
        return x.mean(axis=(2, 3))
