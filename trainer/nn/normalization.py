"""Normalization layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer.core.dtypes import onnx_code
from trainer.core.errors import ConfigError
from trainer.core.mode import no_grad
from trainer.core.tensor import Tensor, apply, as_tensor
from trainer.nn.initializer import constant
from trainer.nn.module import Module


class _BatchNorm(Module):
    def __init__(self, features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = constant((features,), 1.0)
        self.bias = constant((features,), 0.0)
        self.register_buffer("running_mean", Tensor(np.zeros(features, np.float32)))
        self.register_buffer("running_var", Tensor(np.ones(features, np.float32)))
        self.running_mean: Tensor
        self.running_var: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape; in training the running statistics move."""
        if not self.training:
            statistics = (self.weight, self.bias, self.running_mean, self.running_var)
            return apply("BatchNormalization", x, *statistics, epsilon=self.eps)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        per_channel = [1 if axis in axes else -1 for axis in range(x.ndim)]
        mean = x.mean(axes, keepdims=True)
        centered = x - mean
        variance = (centered * centered).mean(axes, keepdims=True)
        self._follow(x, mean.detach(), variance.detach())
        scale = self.weight.reshape(per_channel) / (variance + self.eps).sqrt()
        return centered * scale + self.bias.reshape(per_channel)

    def _follow(self, x: Tensor, mean: Tensor, variance: Tensor) -> None:
        with no_grad():
            # The number of values per channel in operators, so that it may vary in a captured graph.
            count = apply("Size", x).cast(x.dtype) / float(x.shape[1])
            unbiased = variance.reshape(-1) * (count / (count - 1.0))
            keep = as_tensor(1.0 - self.momentum, x.dtype)
            self.running_mean = self.running_mean * keep + mean.reshape(-1) * self.momentum
            self.running_var = self.running_var * keep + unbiased * self.momentum

    def extra_repr(self) -> str:
        """The number of channels."""
        return f"{self.weight.shape[0]}"


class BatchNorm1d(_BatchNorm):
    """Each feature of [batch, features(, length)] to mean 0 and variance 1 (Ioffe and Szegedy 2015).

    As in PyTorch: in training with the batch's own statistics, otherwise with running ones, whose
    variance is the unbiased one and of which `momentum` is the share of the newest batch.

    Args:
        features: The size of axis 1.
        eps: Added to the variance. Defaults to 1e-5.
        momentum: The weight of the newest batch. Defaults to 0.1.
    """


class BatchNorm2d(_BatchNorm):
    """Each channel of [batch, channels, height, width] to mean 0 and variance 1, see `BatchNorm1d`.

    Args:
        features: The number of channels.
        eps: Added to the variance. Defaults to 1e-5.
        momentum: The weight of the newest batch. Defaults to 0.1.
    """


class LayerNorm(Module):
    """The last axis to mean 0 and variance 1, then scaled and shifted (Ba et al. 2016).

    Args:
        features: The size of the last axis.
        eps: Added to the variance. Defaults to 1e-5.
    """

    def __init__(self, features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = constant((features,), 1.0)
        self.bias = constant((features,), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return apply("LayerNormalization", x, self.weight, self.bias, epsilon=self.eps)


class RMSNorm(Module):
    """The last axis to mean square 1, then scaled (Zhang and Sennrich 2019).

    Example:
        >>> RMSNorm(2)(Tensor([[1.0, 7.0]]))
        Tensor([[0.2, 1.4]])

    Args:
        features: The size of the last axis.
        eps: Added to the mean square. Defaults to float32's epsilon, as in PyTorch.

    Attributes:
        weight: [features].
    """

    def __init__(self, features: int, eps: float = float(np.finfo(np.float32).eps)) -> None:
        super().__init__()
        self.eps = eps
        self.weight = constant((features,), 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        # Operators of opset 21: RMSNormalization came with 23, which fewer runtimes read.
        square = (x * x).mean(axis=-1, keepdims=True)
        return x * apply("Reciprocal", (square + self.eps).sqrt()) * self.weight


class GroupNorm(Module):
    """Each group of channels of each row to mean 0 and variance 1 (Wu and He 2018).

    Args:
        groups: Into how many groups the channels are divided.
        channels: The size of axis 1.
        eps: Added to the variance. Defaults to 1e-5.

    Attributes:
        weight: The scale of each channel [channels].
        bias: The shift of each channel [channels].
    """

    def __init__(self, groups: int, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        if channels % groups:
            raise ConfigError(
                f"GroupNorm({groups}, {channels}): the channels must be a multiple of the groups."
            )
        self.groups, self.eps = groups, eps
        self.weight = constant((channels,), 1.0)
        self.bias = constant((channels,), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape, [batch, channels, ...]."""
        return apply(
            "GroupNormalization",
            x,
            self.weight,
            self.bias,
            num_groups=self.groups,
            epsilon=self.eps,
            # What to compute with: without it, float64 in a graph would pass through float32.
            stash_type=onnx_code(np.float64 if x.dtype == np.float64 else np.float32),
        )

    def extra_repr(self) -> str:
        """The groups and the channels."""
        return f"{self.groups}, {self.weight.shape[0]}"


class _InstanceNorm(Module):
    def __init__(self, channels: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        self.channels, self.eps = channels, eps
        self.weight = constant((channels,), 1.0) if affine else None
        self.bias = constant((channels,), 0.0) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape, [batch, channels, ...]."""
        scale: Any = np.ones(self.channels, x.dtype) if self.weight is None else self.weight
        shift: Any = np.zeros(self.channels, x.dtype) if self.bias is None else self.bias
        return apply("InstanceNormalization", x, scale, shift, epsilon=self.eps)

    def extra_repr(self) -> str:
        """The number of channels."""
        return f"{self.channels}"


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each row of [batch, channels, length] to mean 0 and variance 1.

    Ulyanov et al. 2016. The same in training and inference.

    Args:
        channels: The size of axis 1.
        eps: Added to the variance. Defaults to 1e-5.
        affine: Whether a scale and a shift per channel are learned. Defaults to False.

    Attributes:
        weight: [channels], or `None`.
        bias: [channels], or `None`.
    """


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image to mean 0 and variance 1, see `InstanceNorm1d`.

    Args:
        channels: The number of channels.
        eps: Added to the variance. Defaults to 1e-5.
        affine: Whether a scale and a shift per channel are learned. Defaults to False.
    """
