"""Pooling by the average or a norm of what a sliding window covers, per channel."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from trainer.core.define import Array, T, op, vjp
from trainer.core.tensor import Tensor, apply
from trainer.ops.ieee import widened
from trainer.ops.norm import direction, over
from trainer.ops.tiling import laid_out, side_by_side
from trainer.ops.window import Window, slide


@op("AveragePool")
@widened
def average_pool(
    x: T,
    *,
    kernel_shape,
    auto_pad="NOTSET",
    ceil_mode=0,
    count_include_pad=0,
    dilations=None,
    pads=None,
    strides=None,
) -> T:
    """The mean of the elements that a sliding window covers.

    Example:
        >>> import numpy as np
        >>> average_pool(np.array([[[1, 5, 2, 4]]], np.float32), kernel_shape=[2], strides=[2])
        Tensor([[[3., 3.]]])

    Args:
        x: Images [N, C, ...].
        kernel_shape: The spatial sizes of the window.
        auto_pad: NOTSET (use `pads`), VALID (none), SAME_UPPER or SAME_LOWER.
        ceil_mode: 1 to let a last window reach over the end. Defaults to 0.
        count_include_pad: 1 to count the padding as elements that are 0. Defaults to 0.
        dilations: The step between the elements of the window, per spatial axis. Defaults to 1.
        pads: How far a window may start before and end after each spatial axis. Defaults to 0.
        strides: The step of the window, per spatial axis. Defaults to 1.
    """
    window = slide(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    y = window.combine(window.pad(x), np.add)
    y /= _divisors(window, count_include_pad, pads, auto_pad, y.dtype)
    return y


@vjp("AveragePool")
def _average_pool_vjp(
    g, _y, _x, *, kernel_shape, auto_pad, ceil_mode, count_include_pad, dilations, pads, strides
):
    window = slide(_x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    divisors = _divisors(window, count_include_pad, pads, auto_pad, g.dtype)
    return _over_windows(g / divisors, window)


@op("LpPool")
@widened
def lp_pool(
    x: T,
    *,
    kernel_shape,
    auto_pad="NOTSET",
    ceil_mode=0,
    dilations=None,
    p=2,
    pads=None,
    strides=None,
) -> T:
    """The p-norm of the elements that a sliding window covers.

    Args:
        x: Images [N, C, ...].
        kernel_shape: The spatial sizes of the window.
        auto_pad: NOTSET (use `pads`), VALID (none), SAME_UPPER or SAME_LOWER.
        ceil_mode: 1 to let a last window reach over the end. Defaults to 0.
        dilations: The step between the elements of the window, per spatial axis. Defaults to 1.
        p: Of the norm. Defaults to 2.
        pads: How far a window may start before and end after each spatial axis. Defaults to 0.
        strides: The step of the window, per spatial axis. Defaults to 1.
    """
    window = slide(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    powers = np.abs(window.pad(x))
    powers **= p
    y = window.combine(powers, np.add)
    y **= 1 / p
    return y


@vjp("LpPool")
def _lp_pool_vjp(g, y, x, *, kernel_shape, auto_pad, ceil_mode, dilations, p, pads, strides):
    window = slide(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    return _over_windows(over(g, y, p), window) * direction(x, p)


def _divisors(
    window: Window, count_include_pad: int, pads: Any, auto_pad: str, dtype: np.dtype[Any]
) -> Array:
    """Per position the number of elements that are averaged: those in the image, or in its padding."""
    ends = [max(axis.end, 0) for axis in window]
    if not auto_pad.startswith("SAME"):  # how far ceil_mode reaches beyond the pads does not count
        ends = list(pads[len(window) :]) if pads and auto_pad == "NOTSET" else [0] * len(window)
    divisors = np.ones((1,) * len(window), dtype)
    for number, (axis, end) in enumerate(zip(window, ends, strict=True), 1):
        low, high = (-axis.begin, axis.size + end) if count_include_pad else (0, axis.size)
        first = np.arange(axis.positions) * axis.stride - axis.begin
        places = first[:, None] + np.arange(axis.kernel) * axis.dilation
        counted = ((places >= low) & (places < high)).sum(1)
        across = (-1, *(1,) * (len(window) - number))
        divisors = divisors * np.maximum(counted, 1).reshape(across).astype(dtype)
    return divisors


def _over_windows(g: Tensor, window: Window) -> Tensor:
    """Give each element of the image the sum of `g` over the positions whose window covers it."""
    if side_by_side(window):
        return laid_out([g] * prod(window.kernel), window)
    image = apply(
        "ConvTranspose",
        g.reshape(-1, 1, *window.positions),
        np.ones((1, 1, *window.kernel), g.dtype),
        **window.steps,
        output_padding=[max(-axis.end, 0) for axis in window],
    )
    return image.reshape(-1, g.shape[1], *window.size)
