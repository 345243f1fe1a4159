"""Normalization layers."""

from __future__ import annotations

import numpy as np

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
