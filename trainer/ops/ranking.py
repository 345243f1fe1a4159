"""The largest and the smallest along axes: their values and where they stand."""

from __future__ import annotations

import numpy as np

from trainer.core.define import Array, Int64, T, no_gradient, op, vjp
from trainer.core.tensor import apply
from trainer.ops.adjoint import zeros
from trainer.ops.reduction import axes_of, beside

_SMALL = 8192
_SHORT = 32


def largest_over(x: Array, axes: tuple[int, ...], keepdims: bool = True) -> Array:
    """The largest over axes; of no elements the lowest number there is."""
    return _extreme_over(np.maximum, _bounds(x.dtype)[0], x, axes, keepdims)


def _extreme_over(extreme, of_nothing, x, axes, keepdims):
    if axes == (x.ndim - 1,) and 0 < x.shape[-1] <= _SHORT and x.size >= _SMALL:
        # Row by row the overhead is larger than the work.
        columns = np.asarray(x.reshape(-1, x.shape[-1]).T, order="C")
        return extreme.reduce(columns).reshape(x.shape[:-1] + (1,) * keepdims)
    if not x.size:
        return extreme.reduce(x, axis=axes, keepdims=keepdims, initial=of_nothing)
    return extreme.reduce(x, axis=axes, keepdims=keepdims)


def _bounds(dtype):
    """The lowest and the highest number of a dtype, infinities included."""
    if dtype.kind == "b":
        return False, True
    if dtype.kind in "iu":
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    return dtype.type(-np.inf), dtype.type(np.inf)


@op("ReduceMax")
def reduce_max(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The largest over axes; of no elements the lowest number there is.

    Args:
        data: A Tensor of numbers or booleans.
        axes: The axes to reduce; none means all. Defaults to none.
        keepdims: Whether the axes stay with size 1. Defaults to 1.
        noop_with_empty_axes: Whether no axes means that nothing is reduced. Defaults to 0.
    """
    return largest_over(data, axes_of(data, axes, noop_with_empty_axes), bool(keepdims))


@vjp("ReduceMax")
def _reduce_max_vjp(g, y, data, axes_given=None, **attrs):
    return lambda: _shared_by_ties(g, y, data, axes_given, attrs)


@op("ReduceMin")
def reduce_min(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The smallest over axes, of no elements the highest number; see `reduce_max`."""
    where = axes_of(data, axes, noop_with_empty_axes)
    return _extreme_over(np.minimum, _bounds(data.dtype)[1], data, where, bool(keepdims))


@vjp("ReduceMin")
def _reduce_min_vjp(g, y, data, axes_given=None, **attrs):
    return lambda: _shared_by_ties(g, y, data, axes_given, attrs)


def _shared_by_ties(g, y, data, axes_given, attrs):
    """The gradient goes to the elements that attain the extremum, in equal parts."""
    axes, noop = attrs.get("axes", axes_given), attrs["noop_with_empty_axes"]
    hits = (data == beside(y, axes, attrs)).cast(g.dtype)
    count = apply("ReduceSum", hits, axes, keepdims=1, noop_with_empty_axes=noop)
    return hits * (beside(g, axes, attrs) / count)


@op("ArgMax")
def arg_max(data: T, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> T:
    """Where the largest along an axis stands.

    Args:
        data: A Tensor of numbers.
        axis: The axis. Defaults to 0.
        keepdims: Whether the axis stays with size 1. Defaults to 1.
        select_last_index: Whether the last of equals counts instead of the first. Defaults to 0.
    """
    return _place(np.argmax, data, axis, keepdims, select_last_index)


@op("ArgMin")
def arg_min(data: T, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> T:
    """Where the smallest along an axis stands; see `arg_max` for the arguments."""
    return _place(np.argmin, data, axis, keepdims, select_last_index)


no_gradient("ArgMax", "ArgMin")


def _place(find, data, axis, keepdims, select_last_index):
    if not select_last_index:
        return np.asarray(find(data, axis=axis, keepdims=bool(keepdims)), np.int64)
    backwards = find(np.flip(data, axis), axis=axis, keepdims=bool(keepdims))
    return np.asarray(data.shape[axis] - 1 - backwards, np.int64)


@op("TopK")
def top_k(x: T, k: Int64, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[T, Int64]:
    """The largest elements along an axis in order, and where they stand; of equals the first.

    Args:
        x: A Tensor of numbers.
        k: How many, as one element.
        axis: The axis. Defaults to the last.
        largest: Whether the largest are wanted, not the smallest. Defaults to 1.
        sorted: Whether they have to be in order. Defaults to 1.
    """
    count = int(np.asarray(k).item())
    if not 0 <= count <= x.shape[axis]:
        raise ValueError(f"there are no {count} among {x.shape[axis]} elements")
    places = _first_few(x, count, axis, largest) if count <= _FEW else None
    if places is None:
        # Of equals a stable sort backwards leaves the last at the end, so x is read backwards, too.
        order = np.argsort(np.flip(x, axis) if largest else x, axis=axis, kind="stable")
        order = x.shape[axis] - 1 - np.flip(order, axis) if largest else order
        places = np.take(order, np.arange(count), axis=axis)
    return np.take_along_axis(x, places, axis=axis), places


_FEW = 16


def _first_few(x, count, axis, largest):
    """Where the extremes stand, found and taken out one after the other.

    `None` if one is no number, or the same as what replaces those taken out.
    """
    find, taken = (np.argmax, _bounds(x.dtype)[0]) if largest else (np.argmin, _bounds(x.dtype)[1])
    rest = np.moveaxis(x, axis, -1).copy()
    places = np.empty((*rest.shape[:-1], count), np.int64)
    for rank in range(count):
        place = find(rest, axis=-1, keepdims=True)
        found = np.take_along_axis(rest, place, -1)
        if ((found == taken) | (found != found)).any():
            return None
        np.put_along_axis(rest, place, taken, -1)
        places[..., rank : rank + 1] = place
    return np.moveaxis(places, -1, axis)


@vjp("TopK")
def _top_k_vjp(g, y, _x, _k, *, axis):
    return apply("ScatterElements", zeros(_x.shape, g[0]), y[1], g[0], axis=axis), None
