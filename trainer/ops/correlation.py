"""Correlation: what Conv and ConvTranspose compute, as products of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from trainer.ops.window import Array, Axis, Window

# What the window meets is copied for a block of images at a time. A block of this many bytes stays in
# the cache of a core (1 and 4 MiB are as fast, 16 MiB takes 1.3 times as long).
BLOCK = 2 << 20

# A product of fewer rows than this takes longer than copying for more of them.
ROWS = 24


def correlate(x: Array, w: Array, window: Window, group: int) -> Array:
    """Conv without bias.

    Args:
        x: Images [N, C, ...].
        w: Filters [M, C / group, ...].
        window: How the filters slide over an image.
        group: Channels and filters are split into this many groups that do not meet.

    Returns:
        [N, M, *positions].
    """
    few = prod(window.positions) < prod(window.kernel)
    if x.shape[1] == group > 1 and not few:
        return _correlate_depthwise(x, w, window)
    if prod(window.kernel) == 1:
        inside = window.pad(x)[window.reach((0,) * len(window))]
        return _mix_channels(inside, w, group)
    return _correlate_few(x, w, window, group) if few else _correlate_many(x, w, window, group)


def scatter(x: Array, w: Array, window: Window, group: int) -> Array:
    """ConvTranspose without bias.

    Args:
        x: Images [N, C, *positions].
        w: Filters [C, M / group, ...].
        window: How the filters slide over what they write.
        group: Channels and filters are split into this many groups that do not meet.

    Returns:
        [N, M, ...].
    """
    if any(axis.stride != 1 for axis in window):
        return _scatter_apart(x, w, window, group)
    channels = w.shape[1] * group
    if 2 * channels <= x.shape[1]:
        return _scatter_shifted(x, w, window, group)
    flipped = np.flip(w, tuple(range(2, w.ndim)))
    filters = flipped.reshape(group, -1, *w.shape[1:]).swapaxes(1, 2)
    return correlate(x, filters.reshape(channels, -1, *w.shape[2:]), window.reversed(), group)


def _blocks(count: int, each: int) -> Iterator[slice]:
    """Slices of `count` things of `each` bytes that take about `BLOCK` bytes."""
    step = max(BLOCK // max(each, 1), 1)
    return (slice(start, start + step) for start in range(0, count, step))


def _mix_channels(x: Array, w: Array, group: int) -> Array:
    """Filters of one element: a product of matrices over the channels."""
    columns = x.reshape(x.shape[0], group, w.shape[1], prod(x.shape[2:]))
    y = np.matmul(w.reshape(group, -1, w.shape[1]), columns)
    return y.reshape(x.shape[0], w.shape[0], *x.shape[2:])


def _correlate_many(x: Array, w: Array, window: Window, group: int) -> Array:
    """More positions than elements: a product per element of the first axis, positions as columns."""
    images, each = x.shape[0], w.shape[1] * prod(window.kernel[1:])
    padded = window.pad(x)
    filters = np.moveaxis(w, 2, 0).reshape(window.kernel[0], group, -1, each)
    y = np.empty((images, group, filters.shape[2], prod(window.positions)), x.dtype)
    bytes_each = prod(window.kernel[1:]) * x.dtype.itemsize * prod(padded.shape[1:])
    for block in _blocks(images, bytes_each):
        columns = window.unfolded(padded[block])
        columns = columns.reshape(len(columns), group, each, *columns.shape[2:])
        np.matmul(filters[0], window.met(columns, 0), out=y[block])
        for element in range(1, window.kernel[0]):
            y[block] += np.matmul(filters[element], window.met(columns, element))
    return y.reshape(images, w.shape[0], *window.positions)


def _correlate_few(x: Array, w: Array, window: Window, group: int) -> Array:
    """Fewer positions than elements (a gradient by the filters): positions and elements exchanged.

    A product per position of the first axis and per channel, elements as what is summed over.
    """
    images, each, positions = x.shape[0], w.shape[1], window.positions
    if images * prod(positions[1:]) < ROWS:
        x, w = x[:, :, None], w[:, :, None]
        window = Window((Axis(1, 1, 1, 1, 0, 1), *window))
    turned = window.exchanged()
    padded = window.pad(x.swapaxes(0, 1))
    padded = padded.reshape(group, each, images, *padded.shape[2:])
    filters = w.reshape(group, -1, each, prod(window.kernel)).transpose(0, 2, 3, 1)
    rows = images * prod(window.positions[1:])
    y = np.zeros((window.positions[0], group, rows, filters.shape[3]), x.dtype)
    bytes_each = prod(window.positions[1:]) * x.dtype.itemsize * padded[:, 0].size
    for block in _blocks(each, bytes_each):
        patches = turned.unfolded(padded[:, block])
        for position, total in enumerate(y):
            total += np.matmul(turned.met(patches, position), filters[:, block]).sum(1)
    y = y.reshape(len(y), group, images, prod(window.positions[1:]), filters.shape[3])
    return y.transpose(2, 1, 4, 0, 3).reshape(images, w.shape[0], *positions)


def _correlate_depthwise(x: Array, w: Array, window: Window) -> Array:
    """A group per channel: one scaled copy of the image per element of the window."""
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


def _scatter_shifted(x: Array, w: Array, window: Window, group: int) -> Array:
    """Strides of 1: each element of the filters adds its products, shifted, to the flat image.

    The images get as wide as what is written, so that one shift holds for all their rows; the zeros
    that this takes add nothing to the beginning of the next row.
    """
    images, positions = x.shape[0], window.positions
    sizes = [axis.begin + axis.size + max(axis.end, 0) for axis in window]
    steps = [prod(sizes[number + 1 :]) for number in range(len(sizes))]
    length = 1 + sum((count - 1) * step for count, step in zip(positions, steps, strict=True))
    wide: Array = np.zeros((*x.shape[:2], positions[0], *sizes[1:]), x.dtype)
    inside: list[Any] = [..., *map(slice, positions)]
    wide[tuple(inside)] = x
    each = x.shape[1] // group
    rows = wide.reshape(images, group, each, positions[0] * steps[0])[..., :length]
    elements_first = w.reshape(group, each, w.shape[1], -1).transpose(0, 3, 2, 1)
    filters = elements_first.reshape(group, -1, each)
    y = np.zeros((images, group, w.shape[1], prod(sizes)), x.dtype)
    for block in _blocks(images, group * filters.shape[1] * length * x.dtype.itemsize):
        products = np.matmul(filters, rows[block])
        terms = products.reshape(-1, group, prod(window.kernel), w.shape[1], length)
        for k, element in enumerate(window.elements()):
            shifts = zip(element, window, steps, strict=True)
            start = sum(i * axis.dilation * step for i, axis, step in shifts)
            y[block][..., start : start + length] += terms[:, :, k]
    return window.crop(y.reshape(images, -1, *sizes))


def _scatter_apart(x: Array, w: Array, window: Window, group: int) -> Array:
    """Any strides: each element of the filters adds its products at the places it reaches."""
    channels = w.shape[1] * group
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
