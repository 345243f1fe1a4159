"""Tensors made from sizes and numbers: constants, ranges, shapes."""

from __future__ import annotations

from math import ceil

import numpy as np

from trainer.core.define import T1, Array, Int64, T, no_gradient, op, vjp
from trainer.core.dtypes import from_code


@op("Constant")
def constant(
    *,
    value: Array | None = None,
    value_float: float | None = None,
    value_floats: list[float] | None = None,
    value_int: int | None = None,
    value_ints: list[int] | None = None,
    value_string: str | None = None,
    value_strings: list[str] | None = None,
    sparse_value: tuple[Array, Array, tuple[int, ...]] | None = None,
) -> Array:
    """A Tensor that stands in the graph; exactly one of the attributes says which.

    Example:
        >>> constant(value_floats=[1.0, 2.0])
        Tensor([1., 2.])

    Args:
        value: Any array.
        value_float: A float32 scalar.
        value_floats: A float32 vector.
        value_int: An int64 scalar.
        value_ints: An int64 vector.
        value_string: A string.
        value_strings: A vector of strings.
        sparse_value: Values, their places (flat, or one row of coordinates each) and the shape.
    """
    if value is not None:
        return np.asarray(value)
    if sparse_value is not None:
        values, places, shape = sparse_value
        dense = np.zeros(shape, values.dtype)
        flat = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), shape)
        dense.reshape(-1)[flat] = values
        return dense
    for scalar_or_vector, dtype in (
        (value_float, np.float32),
        (value_floats, np.float32),
        (value_int, np.int64),
        (value_ints, np.int64),
        (value_string, object),
        (value_strings, object),
    ):
        if scalar_or_vector is not None:
            return np.asarray(scalar_or_vector, dtype)
    raise ValueError("give one of value, value_float, value_ints ...")


@op("ConstantOfShape")
def constant_of_shape(input: Int64, *, value: Array | None = None) -> Array:
    """One value in every place of a shape.

    Example:
        >>> constant_of_shape([2, 3])
        Tensor([[0., 0., 0.],
                [0., 0., 0.]])

    Args:
        input: The shape.
        value: The value, an array of one element. Defaults to 0 in float32.
    """
    one = np.zeros(1, np.float32) if value is None else np.asarray(value)
    # A view: it takes no memory, and who adds to zeros can see that they are zeros.
    return np.broadcast_to(one.reshape(()), np.asarray(input).tolist())


@op("Range")
def range(start: T, limit: T, delta: T, *, stash_type: int = 1) -> T:
    """The numbers start, start + delta ... before `limit`.

    Example:
        >>> range(1, 6, 2)
        Tensor([1, 3, 5])

    Args:
        start: The first, a scalar.
        limit: Where it ends; not one of them.
        delta: The step.
        stash_type: The element type to compute 16-bit floats in. Not read: float64 is exact enough.
    """
    first, last, step = start.item(), limit.item(), delta.item()
    number = max(ceil((last - first) / step), 0)
    return (np.arange(number) * step + first).astype(start.dtype)


@vjp("Range")
def _range_vjp(g, y, start, _limit, delta):
    return lambda: g.sum(), None, lambda: (g * ((y - start) / delta)).sum()


@op("EyeLike")
def eye_like(input: T1, *, dtype: int | None = None, k: int = 0) -> Array:
    """A matrix of the input's shape with ones on a diagonal.

    Example:
        >>> eye_like([[0, 0, 0], [0, 0, 0]], k=1)
        Tensor([[0, 1, 0],
                [0, 0, 1]])

    Args:
        input: A matrix; only its shape and dtype matter.
        dtype: The element type of the result. Defaults to the input's.
        k: Which diagonal: 0 the main one, positive above it. Defaults to 0.
    """
    rows, columns = input.shape
    return np.eye(rows, columns, k, input.dtype if dtype is None else from_code(dtype))


@op("Shape")
def shape(data: T, *, start: int = 0, end: int | None = None) -> Array:
    """The sizes of a Tensor.

    Example:
        >>> shape([[1, 2, 3], [4, 5, 6]])
        Tensor([2, 3])
        >>> shape([[1, 2, 3], [4, 5, 6]], start=-1)
        Tensor([3])

    Args:
        data: Any Tensor.
        start: The first axis; a negative one counts from the end. Defaults to 0.
        end: The axis after the last one. Defaults to all of them.
    """
    return np.asarray(data.shape[start:end], np.int64)


@op("Size")
def size(data: T) -> Array:
    """The number of elements of a Tensor."""
    return np.asarray(data.size, np.int64)


no_gradient("Constant", "ConstantOfShape", "EyeLike", "Shape", "Size")
