"""Convolution over sequences and images, and its transpose."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from trainer.core.errors import ConfigError
from trainer.core.tensor import Tensor, apply
from trainer.nn.initializer import fan_in_uniform
from trainer.nn.module import Module

Pair = int | tuple[int, int]


def pair(value: Pair | list[int]) -> list[int]:
    """A size for height and width from one number for both, or two."""
    return _sizes(value, 2)


def _sizes(value: int | tuple[int, ...] | list[int], count: int) -> list[int]:
    return [value] * count if isinstance(value, int) else list(value)


class _Convolution(Module):
    spatial: ClassVar[int]  # the number of axes that are convolved

    def __init__(
        self,
        channels: tuple[int, int],
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...],
        padding: int | tuple[int, ...],
        dilation: int | tuple[int, ...],
        groups: int,
    ) -> None:
        super().__init__()
        if any(count % groups for count in channels):
            raise ConfigError(
                f"{type(self).__name__}({channels[0]}, {channels[1]}, groups={groups}): both numbers "
                "of channels must be multiples of groups."
            )
        self.kernel_size = _sizes(kernel_size, self.spatial)
        self.stride, self.padding = _sizes(stride, self.spatial), _sizes(padding, self.spatial)
        self.dilation, self.groups = _sizes(dilation, self.spatial), groups

    def _learn(self, first: int, second: int, outputs: int, bias: bool) -> None:
        """Draw the weights [first, second, ...] and as many biases as there are outputs."""
        fan_in = second * prod(self.kernel_size)
        self.weight = fan_in_uniform((first, second, *self.kernel_size), fan_in)
        self.bias = fan_in_uniform((outputs,), fan_in) if bias else None

    def _settings(self) -> dict[str, Any]:
        return {
            "kernel_shape": self.kernel_size,
            "strides": self.stride,
            "pads": self.padding * 2,
            "dilations": self.dilation,
            "group": self.groups,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, in_channels, ...] to [batch, out_channels, ...]."""
        return apply("Conv", x, self.weight, self.bias, **self._settings())

    def extra_repr(self) -> str:
        """The sizes."""
        out, channels = self.weight.shape[:2]
        return f"{channels * self.groups}, {out}, kernel_size={tuple(self.kernel_size)}"


class Conv1d(_Convolution):
    """Cross-correlation of [batch, in_channels, length] with learned filters.

    Example:
        >>> import numpy as np
        >>> Conv1d(3, 8, 5, padding=2)(Tensor(np.zeros((2, 3, 16), np.float32))).shape
        (2, 8, 16)

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Length of a filter, in samples.
        stride: Samples between applications. Defaults to 1.
        padding: Zeros at both ends, in samples. Defaults to 0.
        dilation: Samples between the taps of a filter. Defaults to 1.
        groups: Into how many separate parts channels are divided. Defaults to 1.
        bias: Whether a number per output channel is added. Defaults to True.

    Attributes:
        weight: [out_channels, in_channels / groups, length].
        bias: [out_channels], or `None`.
    """

    spatial = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            (in_channels, out_channels), kernel_size, stride, padding, dilation, groups
        )
        self._learn(out_channels, in_channels // groups, out_channels, bias)


class Conv2d(_Convolution):
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

    spatial = 2

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
        super().__init__(
            (in_channels, out_channels), kernel_size, stride, padding, dilation, groups
        )
        self._learn(out_channels, in_channels // groups, out_channels, bias)


class ConvTranspose2d(_Convolution):
    """The transpose of `Conv2d`: small images to large ones, as decoders do.

    Example:
        >>> import numpy as np
        >>> ConvTranspose2d(6, 3, 2, stride=2)(Tensor(np.zeros((2, 6, 8, 8), np.float32))).shape
        (2, 3, 16, 16)

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of a filter, in pixels.
        stride: Steps between applications in the output, in pixels. Defaults to 1.
        padding: What is cut off around the output, in pixels. Defaults to 0.
        output_padding: What is added below and to the right, in pixels. Defaults to 0.
        groups: Into how many separate parts channels are divided. Defaults to 1.
        bias: Whether a number per output channel is added. Defaults to True.
        dilation: Steps between the taps of a filter, in pixels. Defaults to 1.

    Attributes:
        weight: [in_channels, out_channels / groups, height, width].
        bias: [out_channels], or `None`.
    """

    spatial = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
    ) -> None:
        super().__init__(
            (in_channels, out_channels), kernel_size, stride, padding, dilation, groups
        )
        self.output_padding = pair(output_padding)
        self._learn(in_channels, out_channels // groups, out_channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, in_channels, h, w] to [batch, out_channels, h', w']."""
        settings = {**self._settings(), "output_padding": self.output_padding}
        return apply("ConvTranspose", x, self.weight, self.bias, **settings)

    def extra_repr(self) -> str:
        """The sizes."""
        channels, out = self.weight.shape[:2]
        return f"{channels}, {out * self.groups}, kernel_size={tuple(self.kernel_size)}"
