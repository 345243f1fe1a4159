"""Taking elements and slices at indices, and finding indices."""

from __future__ import annotations

from math import prod

import numpy as np

from trainer.core.define import T1, T2, T3, Int64, T, Tind, no_gradient, op, vjp
from trainer.core.tensor import apply
from trainer.ops.adjoint import length, put_back, restore, zeros
from trainer.ops.places import element_places, row_places


@op("Gather")
def gather(data: T, indices: Tind, *, axis: int = 0) -> T:
    """Slices at indices along one axis, which the axes of `indices` replace.

    Example:
        >>> gather([[1, 2], [3, 4]], [1, -1, 0])
        Tensor([[3, 4],
                [3, 4],
                [1, 2]])

    Args:
        data: Any Tensor.
        indices: Which slices; a negative one counts from the end.
        axis: The axis. Defaults to 0.
    """
    return data.take(indices, axis)


@vjp("Gather")
def _gather_vjp(g, _y, _data, indices, *, axis):
    return put_back(g, indices, axis, _data.shape)


@op("GatherElements")
def gather_elements(data: T, indices: Tind, *, axis: int = 0) -> T:
    """Single elements: the coordinate along one axis is an index, the others are the place's own.

    Example:
        >>> gather_elements([[1, 2], [3, 4]], [[1], [0]], axis=1)
        Tensor([[2],
                [3]])

    Args:
        data: Any Tensor.
        indices: Along `axis`, of as many dimensions as `data`.
        axis: The axis. Defaults to 0.
    """
    return data.take(element_places(data.shape, indices, axis))


@vjp("GatherElements")
def _gather_elements_vjp(g, _y, _data, indices, *, axis):
    onto = zeros(_data.shape, g)
    return apply("ScatterElements", onto, indices, g, axis=axis, reduction="add")


@op("GatherND")
def gather_nd(data: T, indices: Int64, *, batch_dims: int = 0) -> T:
    """Whole slices, each given by its first coordinates.

    Example:
        >>> gather_nd([[1, 2], [3, 4]], [[0, 1], [1, 0]])
        Tensor([2, 3])

    Args:
        data: Any Tensor.
        indices: `[..., k]`: the k coordinates that follow the batch.
        batch_dims: How many leading axes `data` and `indices` share. Defaults to 0.
    """
    b, k = batch_dims, indices.shape[-1]
    batch, taken, rest = data.shape[:b], data.shape[b : b + k], data.shape[b + k :]
    places = row_places(taken, indices)
    if b:
        first = np.arange(prod(batch)) * prod(taken)
        places += first.reshape(batch + (1,) * (places.ndim - b))
    return data.reshape(prod(batch + taken), *rest).take(places, 0)


@vjp("GatherND")
def _gather_nd_vjp(g, _y, _data, indices, *, batch_dims):
    for axis in reversed(range(batch_dims)):
        own = apply("Range", 0, length(g, axis), 1)
        own = own.reshape([-1] + [1] * (indices.ndim - 1 - axis))
        indices = apply("Concat", indices[..., :1] * 0 + own, indices, axis=-1)
    return apply("ScatterND", zeros(_data.shape, g), indices, g, reduction="add")


@op("Compress")
def compress(input: T, condition: T1, *, axis: int | None = None) -> T:
    """The slices along an axis where a condition holds.

    Example:
        >>> compress([[1, 2], [3, 4]], [False, True], axis=0)
        Tensor([[3, 4]])

    Args:
        input: Any Tensor.
        condition: A vector of booleans, at most as long as the axis.
        axis: The axis. Defaults to all elements in one row.
    """
    return np.compress(condition, input, axis)


@vjp("Compress")
def _compress_vjp(g, _y, _input, condition, *, axis):
    taken = apply("NonZero", condition)[0]
    if axis is None:
        return restore(put_back(g, taken, 0, (prod(_input.shape),)), _input.shape)
    return put_back(g, taken, axis, _input.shape)


@op("NonZero")
def non_zero(X: T) -> Int64:
    """The coordinates of the elements that are not zero: `[dimensions, found]`.

    Example:
        >>> non_zero([[1, 0], [0, 2]])
        Tensor([[0, 1],
                [0, 1]])
    """
    return np.array(np.nonzero(np.atleast_1d(X)), np.int64)[: X.ndim]


@op("OneHot")
def one_hot(indices: T1, depth: T2, values: T3, *, axis: int = -1) -> T3:
    """For each index a vector that is on there and off elsewhere; all off where it is out of range.

    Example:
        >>> one_hot([0, 2], 3, [0, 1])
        Tensor([[1, 0, 0],
                [0, 0, 1]])

    Args:
        indices: Numbers from -depth to depth - 1.
        depth: The length of the vectors, a scalar.
        values: `[off, on]`.
        axis: Which axis of the result the vectors lie along. Defaults to the last.
    """
    size = int(depth.item())
    index = indices.astype(np.int64).reshape(-1)
    index = np.where(index < 0, index + size, index)
    hot = np.full((index.size, size), values[0])
    rows = np.flatnonzero((index >= 0) & (index < size))
    hot[rows, index[rows]] = values[1]
    return np.moveaxis(hot.reshape(*indices.shape, size), -1, axis)


@vjp("OneHot")
def _one_hot_vjp(g, _y, indices, depth, _values, *, axis):
    def by_values():
        on = (g * apply("OneHot", indices, depth, [0.0, 1.0], axis=axis).cast(g.dtype)).sum()
        return apply("Concat", (g.sum() - on).reshape(1), on.reshape(1), axis=0)

    return None, None, by_values


@op("Unique")
def unique(
    X: T, *, axis: int | None = None, sorted: int = 1, outputs: int = 1
) -> tuple[T, Int64, Int64, Int64]:
    """The different elements, or the different slices along an axis.

    Example:
        >>> unique([3, 1, 3], outputs=2)
        (Tensor([1, 3]), Tensor([1, 0]))

    Args:
        X: Any Tensor.
        axis: The axis of the slices. Defaults to single elements.
        sorted: Whether they come in ascending order rather than as they appear. Defaults to 1.
        outputs: How many of the four are wanted. Defaults to 1.

    Returns:
        What is different; where each appears first; for all of X which it is; how often each appears.
    """
    found = np.unique(X, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    values, first, inverse, counts = found
    if not sorted:
        order = np.argsort(first)
        values, first, counts = values.take(order, axis or 0), first[order], counts[order]
        inverse = np.argsort(order)[inverse]
    return values, first, inverse.reshape(-1), counts


@vjp("Unique", outputs=2)
def _unique_vjp(g, y, _X, *, axis):
    """To where each appears first."""
    if g[0] is None:
        return None
    if axis is None:
        return restore(put_back(g[0], y[1], 0, (prod(_X.shape),)), _X.shape)
    return put_back(g[0], y[1], axis, _X.shape)


no_gradient("NonZero")
