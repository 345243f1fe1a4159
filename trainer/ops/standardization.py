"""What normalizations share: bringing values to mean 0 and variance 1, and the gradient through that."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer.core.tensor import Tensor, apply


def center(x: Tensor, axes: list[int], epsilon: float) -> tuple[Tensor, Tensor]:
    """Values with mean 0 over some axes, and 1 / deviation."""
    centered = x - x.mean(axis=axes, keepdims=True)
    var = (centered * centered).mean(axis=axes, keepdims=True)
    return centered, apply("Reciprocal", (var + epsilon).sqrt())


def standardize(x: Tensor, axes: list[int], epsilon: float) -> tuple[Tensor, Tensor]:
    """Values with mean 0 and variance 1 over some axes, and 1 / deviation."""
    centered, inverse = center(x, axes, epsilon)
    return centered * inverse, inverse


def through_standardization(
    g: Tensor, standard: Tensor, inverse: Tensor, axes: list[int]
) -> Tensor:
    """The gradient of values from that of their standardized form."""
    along = (g * standard).mean(axis=axes, keepdims=True)
    return (g - g.mean(axis=axes, keepdims=True) - standard * along) * inverse


def all_but_channels(ndim: int) -> tuple[int, ...]:
    """The axes of [N, C, ...] that one number per channel is a mean over."""
    return (0, *range(2, ndim))


def across_channels(ndim: int) -> tuple[int, ...]:
    """The shape that brings one number per channel next to [N, C, ...]."""
    return (-1, *(1,) * (ndim - 2))


def as_dtype(x: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """`x` in that dtype, itself if it has it already."""
    return x if x.dtype == dtype else x.cast(dtype)
