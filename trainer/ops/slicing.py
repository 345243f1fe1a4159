"""A part of a Tensor along its axes, and the opposite, padding."""

from __future__ import annotations

import builtins

import numpy as np

from trainer.core.define import Int64, T, Tind, op, vjp
from trainer.core.tensor import apply
from trainer.ops.adjoint import flip, length, put_back, restore, zeros

_ALL = builtins.slice(None)


@op("Slice")
def slice(
    data: T, starts: Tind, ends: Tind, axes: Tind | None = None, steps: Tind | None = None
) -> T:
    """A part along some axes, as Python's `data[start:end:step]`.

    Example:
        >>> slice([1, 2, 3, 4], [-1], [0], [0], [-1])
        Tensor([4, 3, 2])

    Args:
        data: Any Tensor.
        starts: The first index per axis; a negative one counts from the end.
        ends: The index after the last one; one beyond the size means to the end.
        axes: Which axes. Defaults to the first ones.
        steps: The steps, negative for backwards. Defaults to 1.
    """
    first, last = np.asarray(starts).tolist(), np.asarray(ends).tolist()
    where = range(len(first)) if axes is None else np.asarray(axes).tolist()
    step = [1] * len(first) if steps is None else np.asarray(steps).tolist()
    key = [builtins.slice(None)] * data.ndim
    for axis, *bounds in zip(where, first, last, step, strict=True):
        key[axis] = builtins.slice(*bounds)
    return data[tuple(key)]


@vjp("Slice")
def _slice_vjp(g, _y, _data, starts, _ends, axes=None, steps=None):
    where = list(range(len(starts))) if axes is None else axes.tolist()
    strides = [1] * len(where) if steps is None else steps.tolist()
    if not where:
        return g
    if 0 in g.shape:
        return zeros(_data.shape, g)
    before, after = [], []
    for axis, start, step in zip(where, starts.tolist(), strides, strict=True):
        size = _data.shape[axis]
        first = min(max(start + size if start < 0 else start, 0), size - 1)
        first = first if step > 0 else size - 1 - first
        if abs(step) > 1:
            g = _spread(g, axis % g.ndim, abs(step), size - first)
        before.append(first)
        after.append(size - first - g.shape[axis])
    g = apply("Pad", g, before + after, None, where)
    for axis, step in zip(where, strides, strict=True):
        g = flip(g, axis) if step < 0 else g
    return g


def _spread(g, axis, step, size):
    """`g` with zeros between its elements along an axis, filled up or cut to a size.

    The number of elements is a quotient of the size before the slice, which a graph for every size
    cannot hold; so it is left to -1, and to cutting more than enough zeros.
    """
    apart = apply("Pad", g.unsqueeze(axis + 1), [0, step - 1], None, [axis + 1])
    joined = apart.reshape([*g.shape[:axis], -1, *g.shape[axis + 1 :]])
    longer = apply("Pad", joined, [0, size], None, [axis])
    return apply("Slice", longer, [0], [size], [axis])


@op("Pad")
def pad(
    data: T,
    pads: Int64,
    constant_value: T | None = None,
    axes: Tind | None = None,
    *,
    mode: str = "constant",
) -> T:
    """More elements before and after; a negative number of them drops elements.

    Example:
        >>> pad([1, 2, 3], [1, 2])
        Tensor([0, 1, 2, 3, 0, 0])
        >>> pad([1, 2, 3], [1, 2], mode="reflect")
        Tensor([2, 1, 2, 3, 2, 1])

    Args:
        data: Any Tensor.
        pads: How many before, per axis, then how many after, per axis.
        constant_value: What fills with mode "constant". Defaults to 0.
        axes: Which axes. Defaults to all.
        mode: "constant", "reflect" (mirrored, the edge not repeated), "edge" (the edge repeated) or
            "wrap" (from the other side). Defaults to "constant".
    """
    widths = _widths(pads, axes, data.ndim)
    if mode != "constant":
        for axis, before, after in widths:
            if before or after:
                data = data.take(_sources(data.shape[axis], before, after, mode), axis)
        return data
    nothing = "" if data.dtype == object else 0
    return _framed(data, widths, nothing if constant_value is None else constant_value)


def _framed(data, widths, value):
    """`data` with a frame of one value, or without its frame where a width is negative."""
    sizes, kept, inside = list(data.shape), [_ALL] * data.ndim, [_ALL] * data.ndim
    for axis, before, after in widths:
        kept[axis] = builtins.slice(max(-before, 0), sizes[axis] + min(after, 0))
        sizes[axis] += before + after
        inside[axis] = builtins.slice(max(before, 0), sizes[axis] - max(after, 0))
    framed = np.full(sizes, value, data.dtype)
    framed[tuple(inside)] = data[tuple(kept)]
    return framed


@vjp("Pad")
def _pad_vjp(g, _y, _data, pads, _constant_value=None, axes=None, *, mode):
    if mode == "constant":
        inside = apply("Pad", g, -pads, None, axes)
        return inside, None, lambda: restore(g.sum() - inside.sum(), _constant_value.shape)
    shape = list(g.shape)
    for axis, before, after in _widths(pads, axes, g.ndim):
        if before or after:
            places = apply("Range", 0, length(g, axis) - (before + after), 1)
            taken = apply("Pad", places, [before, after], mode=mode)
            shape[axis] = _data.shape[axis]
            g = put_back(g, taken, axis, tuple(shape))
    return g


def _widths(pads, axes, rank):
    """Per axis how many are added before and after."""
    both = np.asarray(pads).tolist()
    where = [*range(rank)] if axes is None else [a % rank for a in np.asarray(axes).tolist()]
    if len(both) != 2 * len(where):
        raise ValueError(f"{len(where)} axes want {2 * len(where)} pads, not {len(both)}")
    return list(zip(where, both[: len(where)], both[len(where) :], strict=True))


def _sources(size, before, after, mode):
    """What each place along a padded axis is taken from."""
    if mode not in ("reflect", "edge", "wrap"):
        raise ValueError(f"mode {mode!r} is none of constant, reflect, edge, wrap")
    kept = np.arange(size)[max(-before, 0) : size + min(after, 0)]
    return np.pad(kept, (max(before, 0), max(after, 0)), mode)


@op("CenterCropPad")
def center_crop_pad(input_data: T, shape: Tind, *, axes: list[int] | None = None) -> T:
    """The middle of a Tensor, or the Tensor in the middle of zeros, axis by axis.

    Example:
        >>> center_crop_pad([1, 2, 3, 4], [2])
        Tensor([2, 3])

    Args:
        input_data: Any Tensor.
        shape: The sizes of the result.
        axes: Which axes. Defaults to all.
    """
    widths = []
    for axis, size in zip(_all_or(axes, input_data.ndim), shape.tolist(), strict=True):
        more = size - input_data.shape[axis]
        before = int(more / 2)  # towards 0, so that a crop, too, has the odd one at the end
        widths.append((axis, before, more - before))
    return _framed(input_data, widths, 0)


@vjp("CenterCropPad")
def _center_crop_pad_vjp(g, _y, _input_data, _shape, *, axes):
    where = _all_or(axes, g.ndim)
    return apply("CenterCropPad", g, [_input_data.shape[axis] for axis in where], axes=where)


def _all_or(axes, rank):
    return list(range(rank)) if axes is None else axes
