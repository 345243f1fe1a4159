"""Convolution and its transpose, over one, two, three or more spatial axes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from trainer.core.define import T, op
from trainer.core.errors import OperatorError
from trainer.ops.ieee import widened
from trainer.ops.window import Array, Window, slide, slide_back

# The patches of a block of images are copied side by side for one matrix product. A block of this
# many bytes stays in the cache of a core (1 and 4 MiB are as fast, 16 MiB takes 1.3 times as long).
BLOCK = 2 << 20


@op("Conv")
@widened
def conv(
    x: T,
    w: T,
    b: T | None = None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
) -> T:
    """Slide filters over images: y[n, m] = b[m] + the sum over the window of w[m] * x[n].

    Example:
        >>> import numpy as np
        >>> x = np.array([[[1, 2, 3, 4]]], np.float32)
        >>> conv(x, np.ones((1, 1, 3), np.float32), pads=[1, 1])
        Tensor([[[3., 6., 9., 7.]]])

    Args:
        x: Images [N, C, ...].
        w: Filters [M, C / group, ...].
        b: One number per filter [M]. Defaults to none.
        auto_pad: NOTSET (use `pads`), VALID (none), SAME_UPPER or SAME_LOWER.
        dilations: The step between the elements of a filter, per spatial axis. Defaults to 1.
        group: Channels and filters are split into this many groups that do not meet. Defaults to 1.
        kernel_shape: The spatial sizes of a filter. Defaults to what `w` says.
        pads: Zeros before and after each spatial axis, all befores first. Defaults to none.
        strides: The step of the filter, per spatial axis. Defaults to 1.
    """
    _check(x, w, b, kernel_shape, group, w.shape[0])
    if x.shape[1] != w.shape[1] * group:
        raise OperatorError(
            f"images of {x.shape[1]} channels in {group} groups want filters of "
            f"{x.shape[1] / group:g} channels, not {w.shape[1]}"
        )
    window = slide(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    return _with_bias(_correlate(x, w, window, group), b)


@op("ConvTranspose")
@widened
def conv_transpose(
    x: T,
    w: T,
    b: T | None = None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    output_padding=None,
    output_shape=None,
    pads=None,
    strides=None,
) -> T:
    """Write each element of an image as a filter's multiple: the transpose of the linear map Conv.

    Example:
        >>> import numpy as np
        >>> x = np.array([[[1, 2]]], np.float32)
        >>> conv_transpose(x, np.array([[[1, 10]]], np.float32), strides=[2])
        Tensor([[[ 1., 10.,  2., 20.]]])

    Args:
        x: Images [N, C, ...].
        w: Filters [C, M / group, ...].
        b: One number per output channel [M]. Defaults to none.
        auto_pad: NOTSET (use `pads`), VALID (none), SAME_UPPER or SAME_LOWER.
        dilations: The step between the elements of a filter, per spatial axis. Defaults to 1.
        group: Channels and filters are split into this many groups that do not meet. Defaults to 1.
        kernel_shape: The spatial sizes of a filter. Defaults to what `w` says.
        output_padding: What is added to the end of each spatial axis. Defaults to nothing.
        output_shape: The spatial sizes of the output; the pads follow from them. Defaults to none.
        pads: What is cut off before and after each spatial axis, all befores first. Defaults to none.
        strides: The step of the filter, per spatial axis. Defaults to 1.
    """
    _check(x, w, b, kernel_shape, group, w.shape[1] * group)
    if x.shape[1] != w.shape[0]:
        raise OperatorError(
            f"images of {x.shape[1]} channels want as many filters, not {w.shape[0]}"
        )
    window = slide_back(
        x.shape[2:],
        w.shape[2:],
        strides,
        dilations,
        pads,
        auto_pad,
        output_padding,
        output_shape,
    )
    return _with_bias(_scatter(x, w, window, group), b)


def _check(
    x: Array, w: Array, b: Array | None, kernel_shape: Any, group: int, outputs: int
) -> None:
    if x.ndim < 3 or w.ndim != x.ndim:
        raise OperatorError("images [N, C, ...] and filters want one and the same number of axes")
    if kernel_shape is not None and tuple(kernel_shape) != w.shape[2:]:
        raise OperatorError(
            f"kernel_shape is {list(kernel_shape)}, the filters are {list(w.shape[2:])}"
        )
    if group < 1 or x.shape[1] % group or w.shape[0] % group:
        raise OperatorError(
            f"{x.shape[1]} channels and {w.shape[0]} filters do not split into {group} groups"
        )
    if b is not None and b.shape != (outputs,):
        raise OperatorError(
            f"the bias of {outputs} output channels is not of shape {list(b.shape)}"
        )


def _with_bias(y: Array, b: Array | None) -> Array:
    if b is not None:
        y += b.reshape(-1, *(1,) * (y.ndim - 2))
    return y


def _correlate(x: Array, w: Array, window: Window, group: int) -> Array:
    """Conv without bias."""
    few = prod(window.positions) < prod(window.kernel)
    if x.shape[1] == group > 1 and not few:
        return _correlate_depthwise(x, w, window)
    padded = window.pad(x)
    if prod(window.kernel) == 1:
        return _mix_channels(padded[window.reach((0,) * len(window))], w, group)
    y = np.empty((x.shape[0], w.shape[0], *window.positions), x.dtype)
    correlate = _correlate_few if few else _correlate_many
    patches = w[0].size * group * prod(window.positions) * x.dtype.itemsize
    for block in _blocks(x.shape[0], patches):
        correlate(window.spread(padded[block]), w, group, y[block])
    return y


def _blocks(images: int, each: int) -> Iterator[slice]:
    """Slices of the batch whose patches take about `BLOCK` bytes."""
    step = max(BLOCK // max(each, 1), 1)
    return (slice(start, start + step) for start in range(0, images, step))


def _mix_channels(x: Array, w: Array, group: int) -> Array:
    """Conv with filters of one element: a product of matrices over the channels."""
    columns = x.reshape(x.shape[0], group, w.shape[1], prod(x.shape[2:]))
    y = np.matmul(w.reshape(group, -1, w.shape[1]), columns)
    return y.reshape(x.shape[0], w.shape[0], *x.shape[2:])


def _correlate_many(patches: Array, w: Array, group: int, y: Array) -> None:
    """More positions than elements: the patches are the columns, long rows of memory each."""
    images, positions = y.shape[0], prod(y.shape[2:])
    columns = patches.reshape(images, group, w[0].size, positions)
    filters = w.reshape(group, -1, w[0].size)
    np.matmul(filters, columns, out=y.reshape(images, group, filters.shape[1], positions))


def _correlate_few(patches: Array, w: Array, group: int, y: Array) -> None:
    """Fewer positions than elements (a gradient by the filters): the patches are the rows."""
    images, axes, positions = y.shape[0], y.ndim - 2, prod(y.shape[2:])
    grouped = patches.reshape(images, group, w.shape[1], *patches.shape[2:])
    first = grouped.transpose(1, 0, *range(3 + axes, 3 + 2 * axes), *range(2, 3 + axes))
    rows = first.reshape(group, images * positions, w[0].size)
    filters = w.reshape(group, w.shape[0] // group, w[0].size)
    made = np.matmul(rows, filters.transpose(0, 2, 1))
    made = made.reshape(group, images, positions, filters.shape[1])
    y[...] = made.transpose(1, 0, 3, 2).reshape(y.shape)


def _correlate_depthwise(x: Array, w: Array, window: Window) -> Array:
    """Conv with a group per channel: one scaled copy of the image per element of the window."""
    padded = window.pad(x)[:, :, None]
    filters = w.reshape(x.shape[1], -1, prod(window.kernel))
    y = np.zeros((x.shape[0], *filters.shape[:2], *window.positions), x.dtype)
    spatial = (1,) * len(window)
    for block in _blocks(x.shape[0], 2 * y[:1].nbytes):
        term = np.empty_like(y[block])
        for k, element in enumerate(window.elements()):
            scale = filters[:, :, k].reshape(*filters.shape[:2], *spatial)
            np.multiply(padded[block][window.reach(element)], scale, out=term)
            y[block] += term
    return y.reshape(x.shape[0], w.shape[0], *window.positions)


def _scatter(x: Array, w: Array, window: Window, group: int) -> Array:
    """ConvTranspose without bias."""
    channels = w.shape[1] * group
    if all(axis.stride == 1 for axis in window):
        flipped = np.flip(w, tuple(range(2, w.ndim)))
        filters = flipped.reshape(group, -1, *w.shape[1:]).swapaxes(1, 2)
        filters = filters.reshape(channels, -1, *w.shape[2:])
        return _correlate(x, filters, window.reversed(), group)
    sizes = [axis.begin + axis.size + max(axis.end, 0) for axis in window]
    padded = np.zeros((x.shape[0], channels, *sizes), x.dtype)
    filters = w.reshape(group, -1, w[0].size).transpose(0, 2, 1)
    positions = prod(window.positions)
    for block in _blocks(x.shape[0], w[0].size * group * positions * x.dtype.itemsize):
        columns = x[block].reshape(-1, group, filters.shape[2], positions)
        terms = filters * columns if filters.shape[2] == 1 else np.matmul(filters, columns)
        terms = terms.reshape(-1, channels, prod(window.kernel), *window.positions)
        for k, element in enumerate(window.elements()):
            padded[block][window.reach(element)] += terms[:, :, k]
    return window.crop(padded)
