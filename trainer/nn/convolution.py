"""Convolution over images."""

from __future__ import annotations

from trainer.core.tensor import Tensor, apply
from trainer.nn.initializer import fan_in_uniform
from trainer.nn.module import Module

Pair = int | tuple[int, int]


def pair(value: Pair | list[int]) -> list[int]:
    """A size for height and width from one number for both, or two."""
    return [value, value] if isinstance(value, int) else list(value)


class Conv2d(Module):
    """Cross-correlation of [batch, in_channels, height, width] with learned filters.

    Example:
        >>> import numpy as np
        >>> Conv2d(1, 6, 5, padding=2)(Tensor(np.zeros((2, 1, 8, 8), np.float32))).shape
        (2, 6, 8, 8)

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of a filter, in pixels.
        stride: Steps between applications, in pixels. Defaults to 1.
        padding: Zeros around the input, in pixels. Defaults to 0.
        dilation: Steps between the taps of a filter, in pixels. Defaults to 1.
        groups: Into how many separate parts channels are divided. Defaults to 1.
        bias: Whether a number per output channel is added. Defaults to True.

    Attributes:
        weight: [out_channels, in_channels / groups, height, width].
        bias: [out_channels], or `None`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = pair(kernel_size), pair(stride)
        self.padding, self.dilation, self.groups = pair(padding), pair(dilation), groups
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        fan_in = shape[1] * shape[2] * shape[3]
        self.weight = fan_in_uniform(shape, fan_in)
        self.bias = fan_in_uniform((out_channels,), fan_in) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, in_channels, h, w] to [batch, out_channels, h', w']."""
        return apply(
            "Conv",
            x,
            self.weight,
            self.bias,
            kernel_shape=self.kernel_size,
            strides=self.stride,
            pads=self.padding * 2,
            dilations=self.dilation,
            group=self.groups,
        )

    def extra_repr(self) -> str:
        """The sizes."""
        out, channels = self.weight.shape[:2]
        return f"{channels * self.groups}, {out}, kernel_size={tuple(self.kernel_size)}"
