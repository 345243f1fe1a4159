"""Pooling by the maximum of what a sliding window covers, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from trainer.core.define import T1, T2, Array, T, op, vjp
from trainer.core.errors import OperatorError
from trainer.core.mode import capturing
from trainer.core.tensor import Tensor, apply
from trainer.ops.adjoint import length, zeros
from trainer.ops.tiling import laid_out, side_by_side
from trainer.ops.window import Window, slide


@op("MaxPool")
def max_pool(
    x: T,
    *,
    kernel_shape,
    auto_pad="NOTSET",
    ceil_mode=0,
    dilations=None,
    pads=None,
    storage_order=0,
    strides=None,
    outputs=1,
) -> tuple[Array, ...]:
    """The largest element that a sliding window covers; among equals the first.

    Example:
        >>> import numpy as np
        >>> max_pool(np.array([[[1, 5, 2, 4]]], np.float32), kernel_shape=[2], strides=[2])
        Tensor([[[5., 4.]]])

    Args:
        x: Images [N, C, ...].
        kernel_shape: The spatial sizes of the window.
        auto_pad: NOTSET (use `pads`), VALID (none), SAME_UPPER or SAME_LOWER.
        ceil_mode: 1 to let a last window reach over the end. Defaults to 0.
        dilations: The step between the elements of the window, per spatial axis. Defaults to 1.
        pads: How far a window may start before and end after each spatial axis. Defaults to 0.
        storage_order: How the second output counts the elements of an image: 0 with the last axis
            running fastest, 1 with the first spatial axis. Defaults to 0.
        strides: The step of the window, per spatial axis. Defaults to 1.

    Returns:
        The maxima and, if two outputs are asked for, where in the flattened `x` each was found.
    """
    window = slide(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    lowest = -np.inf if x.dtype.kind not in "iu" else np.iinfo(x.dtype).min
    if outputs == 1:
        return (window.combine(window.pad(x, lowest), np.maximum),)
    padded = window.pad(x, lowest)
    y = padded[window.reach((0,) * len(window))].copy()
    which = np.empty(y.shape, np.min_scalar_type(prod(window.kernel)))
    which[...] = _first_inside(window)
    larger = np.empty(y.shape, np.bool_)
    for k, element in enumerate(window.elements()):
        candidate = padded[window.reach(element)]
        np.copyto(which, k, where=np.greater(candidate, y, out=larger))
        np.maximum(y, candidate, out=y)  # apart from the comparison, for NaN wins as in PyTorch
    return y, _places(which, window, storage_order)


@vjp("MaxPool")
def _max_pool_vjp(g, y, x, *, kernel_shape, auto_pad, ceil_mode, dilations, pads, strides):
    window = slide(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    if capturing() and x.dtype == np.float32 and _is_halving(window):
        return _to_first_largest_of_four(g[0], y[0], x)
    if side_by_side(window):
        return _to_first_largest(g[0], y[0], x, window)
    # ONNX Runtime pools 15 to 25 times slower with the places than without; so they are not asked for
    # before somebody wants a gradient.
    given = {"dilations": dilations, "pads": pads, "strides": strides}
    _, places = apply(
        "MaxPool",
        x,
        kernel_shape=kernel_shape,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        **{name: values for name, values in given.items() if values is not None},
        outputs=2,
    )
    apart = all(axis.stride > (axis.kernel - 1) * axis.dilation for axis in window)
    return apply(
        "ScatterElements",
        zeros([prod(x.shape)], g[0]),
        places.reshape(-1),
        g[0].reshape(-1),
        reduction="none" if apart else "add",
    ).reshape(*x.shape)


@op("MaxUnpool")
def max_unpool(
    x: T1, i: T2, output_shape: T2 | None = None, *, kernel_shape, pads=None, strides=None
) -> T1:
    """Images of zeros with each element of `x` where MaxPool had found it.

    Args:
        x: Images [N, C, ...].
        i: Where in the flattened images each element goes, MaxPool's second output.
        output_shape: The shape of the result, if larger than what the window implies; zeros follow.
            ONNX Runtime takes the places as those in this shape, ONNX as those in the smaller one.
        kernel_shape: The spatial sizes of the window.
        pads: What was padded before and after each spatial axis. Defaults to 0.
        strides: The step of the window, per spatial axis. Defaults to 1.
    """
    shape = _unpooled(x.shape, kernel_shape, pads, strides)
    y = np.zeros(prod(shape), x.dtype)
    y[i.reshape(-1)] = x.reshape(-1)
    y = y.reshape(shape)
    wanted = shape if output_shape is None else tuple(output_shape.tolist())
    if wanted == shape:
        return y
    if len(wanted) != len(shape) or any(a < b for a, b in zip(wanted, shape, strict=True)):
        raise OperatorError(f"output_shape {list(wanted)} is less than {list(shape)}")
    larger = np.zeros(wanted, x.dtype)
    larger[tuple(slice(n) for n in shape)] = y
    return larger


@vjp("MaxUnpool")
def _max_unpool_vjp(g, _y, _x, i, _shape=None, *, kernel_shape, pads, strides):
    shape = _unpooled(_x.shape, kernel_shape, pads, strides)
    if g.shape != shape:
        g = g[tuple(slice(n) for n in shape)]
    taken = apply("GatherElements", g.reshape(-1), i.reshape(-1))
    return taken.reshape(*_x.shape)


def _first_inside(window: Window) -> Array:
    """Per position the first element of the window that lies in the image and not in the padding."""
    first = [
        np.clip(-((np.arange(a.positions) * a.stride - a.begin) // a.dilation), 0, a.kernel - 1)
        for a in window
    ]
    return np.ravel_multi_index(np.ix_(*first), window.kernel)


def _places(which: Array, window: Window, storage_order: int) -> Array:
    """Where in the flattened images element number `which` of the window is, per position."""
    size = window.size
    steps = [prod(size[:i] if storage_order else size[i + 1 :]) for i in range(len(size))]
    ahead = np.zeros((1,) * len(size), np.int64)
    starts = np.zeros((1,) * len(size), np.int64)
    for axis, step, rest in zip(window, steps, reversed(range(len(size))), strict=True):
        across = (-1, *(1,) * rest)
        ahead = ahead + (np.arange(axis.kernel) * axis.dilation * step).reshape(across)
        first = np.arange(axis.positions) * axis.stride - axis.begin
        starts = starts + (first * step).reshape(across)
    places = ahead.reshape(-1)[which]
    places += starts
    images = np.arange(prod(which.shape[:2])) * prod(size)
    places += images.reshape(*which.shape[:2], *(1,) * len(size))
    return places


def _unpooled(
    shape: Sequence[int], kernel: Sequence[int], pads: Any, strides: Any
) -> tuple[int, ...]:
    axes = len(kernel)
    pads, strides = pads or (0,) * 2 * axes, strides or (1,) * axes
    sizes = [
        (n - 1) * s + k - pads[axis] - pads[axis + axes]
        for axis, (n, s, k) in enumerate(zip(shape[2:], strides, kernel, strict=True))
    ]
    return *shape[:2], *sizes


def _to_first_largest(g: Tensor, y: Tensor, x: Tensor, window: Window) -> Tensor:
    """Give the gradient of each maximum to the first element that is as large."""
    parts = []
    for element in window.elements():
        here = x[window.reach(element)] == y
        parts.append(apply("Where", here, g, 0.0))
        g = apply("Where", here, 0.0, g)
    return laid_out(parts, window)


def _is_halving(window: Window) -> bool:
    """Whether it is 2 by 2 and takes each element of the image once."""
    return len(window) == 2 and all(
        axis.kernel == axis.stride == 2 and axis.dilation == 1 and axis.begin == axis.end == 0
        for axis in window
    )


def _to_first_largest_of_four(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The same for windows of 2 by 2, in half the time in ONNX Runtime.

    Pooling by parts of the window takes it half as long as slices of every other element, and
    MaxUnpool, which it has for float32 only, a quarter of putting the parts together.
    """

    def largest(rows: int, columns: int) -> Tensor:
        part: Tensor = apply("MaxPool", x, kernel_shape=[rows, columns], strides=[2, 2]) == y
        return part

    top = largest(1, 2)
    left = largest(1, 1) | (largest(2, 1) & ~top)
    height, width = length(x, 2), length(x, 3)
    images = apply("Range", 0, apply("Size", x), height * width).reshape(-1, x.shape[1], 1, 1)
    rows = apply("Range", width + 1, height * width + width + 1, width * 2).reshape(-1, 1)
    last = images + rows + apply("Range", 0, width, 2)  # of the four places
    ahead = top.cast(np.float32) * -width.cast(np.float32) - left.cast(np.float32)
    return apply("MaxUnpool", g, last + ahead.cast(np.int64), kernel_shape=[2, 2], strides=[2, 2])
