"""Sums, means, norms and products over axes."""

from __future__ import annotations

from math import prod

import numpy as np

from trainer.core.define import T2, Array, Int64, T, op, vjp
from trainer.core.tensor import apply
from trainer.ops.ieee import quiet, widened

Axes = tuple[int, ...]


def axes_of(x: Array, axes: Array | list[int] | None, noop_with_empty_axes: int) -> Axes:
    """The axes to reduce, counted from the front; none given means all, unless it means nothing."""
    given = () if axes is None else tuple(np.asarray(axes).tolist())
    if not given:
        return () if noop_with_empty_axes else tuple(range(x.ndim))
    for axis in given:
        if not -x.ndim <= axis < x.ndim:
            raise ValueError(f"there is no axis {axis} among {x.ndim}")
    return tuple(sorted({axis % x.ndim for axis in given}))


def sum_over(x: Array, axes: Axes | int, keepdims: bool = True) -> Array:
    """The sum over axes, in the dtype of the array.

    numpy sums rows pairwise, which for float32 takes three times as long as adding lanes of them
    side by side, as einsum does; rows longer than a block are summed by blocks, so that the error stays
    as small.
    """
    where = (axes % x.ndim,) if isinstance(axes, int) else axes
    kept = x.ndim - len(where)
    trailing = where == tuple(range(kept, x.ndim))
    if (
        not where
        or not trailing
        or x.size < _SMALL
        or x.dtype.kind != "f"
        or not x.flags.c_contiguous
    ):
        return x.sum(axis=where, dtype=x.dtype, keepdims=keepdims)
    length = prod(x.shape[kept:])
    rows = x.reshape(-1, length)
    whole = length - length % _BLOCK
    if length <= _BLOCK:
        sums = np.einsum("ij->i", rows)
    else:
        blocks = np.einsum("ijk->ij", rows[:, :whole].reshape(len(rows), -1, _BLOCK))
        sums = blocks.sum(1) + np.einsum("ij->i", rows[:, whole:])
    return sums.reshape(x.shape[:kept] + (1,) * len(where) if keepdims else x.shape[:kept])


_SMALL = 8192
_BLOCK = 1024


@op("ReduceSum")
@widened
def reduce_sum(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The sum over axes.

    Args:
        data: A Tensor of numbers.
        axes: The axes to sum over; none means all. Defaults to none.
        keepdims: Whether the axes stay with size 1. Defaults to 1.
        noop_with_empty_axes: Whether no axes means that nothing is reduced. Defaults to 0.
    """
    return sum_over(data, axes_of(data, axes, noop_with_empty_axes), bool(keepdims))


@vjp("ReduceSum")
def _reduce_sum_vjp(g, _y, _data, axes_given=None, **attrs):
    return lambda: spread(beside(g, axes_given, attrs), _data)


@op("ReduceMean")
@quiet
@widened
def reduce_mean(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The mean over axes; see `reduce_sum` for the arguments. Whole numbers are truncated."""
    where = axes_of(data, axes, noop_with_empty_axes)
    count = prod(data.shape[axis] for axis in where)
    total = sum_over(data, where, bool(keepdims))
    return (total / np.asarray(count, data.dtype)).astype(data.dtype, copy=False)


@vjp("ReduceMean")
def _reduce_mean_vjp(g, _y, _data, axes_given=None, **attrs):
    count = prod(_data.shape) / max(prod(_y.shape), 1)
    return lambda: spread(beside(g / count, axes_given, attrs), _data)


@op("ReduceSumSquare")
@widened
def reduce_sum_square(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The sum of the squares over axes; see `reduce_sum` for the arguments."""
    where = axes_of(data, axes, noop_with_empty_axes)
    return sum_over(np.square(data), where, bool(keepdims))


@vjp("ReduceSumSquare")
def _reduce_sum_square_vjp(g, _y, data, axes_given=None, **attrs):
    return lambda: data * (beside(g, axes_given, attrs) * 2.0)


@op("ReduceL1")
@widened
def reduce_l1(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The sum of the absolute values over axes; see `reduce_sum` for the arguments."""
    where = axes_of(data, axes, noop_with_empty_axes)
    return sum_over(np.abs(data), where, bool(keepdims))


@vjp("ReduceL1")
def _reduce_l1_vjp(g, _y, data, axes_given=None, **attrs):
    return lambda: apply("Sign", data) * beside(g, axes_given, attrs)


@op("ReduceL2")
@widened
def reduce_l2(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The Euclidean norm over axes; see `reduce_sum` for the arguments."""
    where = axes_of(data, axes, noop_with_empty_axes)
    norm = np.sqrt(sum_over(np.square(data), where, bool(keepdims)))
    return norm.astype(data.dtype, copy=False)


@vjp("ReduceL2")
def _reduce_l2_vjp(g, y, data, axes_given=None, **attrs):
    """The gradient g * x / |x|, which is taken to be 0 where the norm is 0."""
    divisor = apply("Where", y == 0.0, 1.0, y)
    return lambda: data * beside(g / divisor, axes_given, attrs)


@op("ReduceLogSum")
@quiet
@widened
def reduce_log_sum(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The logarithm of the sum over axes; see `reduce_sum` for the arguments."""
    where = axes_of(data, axes, noop_with_empty_axes)
    return np.log(sum_over(data, where, bool(keepdims))).astype(data.dtype, copy=False)


@vjp("ReduceLogSum")
def _reduce_log_sum_vjp(g, y, _data, axes_given=None, **attrs):
    return lambda: spread(beside(g * apply("Exp", -y), axes_given, attrs), _data)


@op("ReduceLogSumExp")
@quiet
@widened
def reduce_log_sum_exp(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The logarithm of the sum of the exponentials over axes; see `reduce_sum` for the arguments."""
    where = axes_of(data, axes, noop_with_empty_axes)
    largest = data.max(axis=where, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, data.dtype.type(0))
    shifted = np.asarray(data - largest)
    y = np.log(sum_over(np.exp(shifted, out=shifted), where)) + largest
    return (y if keepdims else y.squeeze(where)).astype(data.dtype, copy=False)


@vjp("ReduceLogSumExp")
def _reduce_log_sum_exp_vjp(g, y, data, axes_given=None, **attrs):
    return lambda: beside(g, axes_given, attrs) * apply("Exp", data - beside(y, axes_given, attrs))


@op("ReduceProd")
@widened
def reduce_prod(
    data: T, axes: Int64 | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> T:
    """The product over axes; see `reduce_sum` for the arguments."""
    where = axes_of(data, axes, noop_with_empty_axes)
    return _product_over(data, where, bool(keepdims))


def _product_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """The product over axes; of long rows numpy multiplies one element after the other."""
    kept = x.ndim - len(axes)
    length = prod(x.shape[kept:])
    if axes != tuple(range(kept, x.ndim)) or length < 2 * _LANES or not x.flags.c_contiguous:
        return x.prod(axis=axes, dtype=x.dtype, keepdims=keepdims)
    rows = x.reshape(-1, length)
    whole = length - length % _LANES
    lanes = rows[:, :whole].reshape(len(rows), -1, _LANES).prod(1, dtype=x.dtype)
    products = lanes.prod(1, dtype=x.dtype) * rows[:, whole:].prod(1, dtype=x.dtype)
    return products.reshape(x.shape[:kept] + (1,) * (len(axes) * keepdims))


_LANES = 64


@vjp("ReduceProd")
def _reduce_prod_vjp(g, _y, data, axes_given=None, **attrs):
    """The product of the others: that of all but the zeros, by the element, unless others are zero.

    If one other is zero, its own value stands for the product: the value stays 0, but the derivative by
    that one is there. Where three elements are zero, the third derivative lacks the term of all three.
    """
    axes, noop = attrs.get("axes", axes_given), attrs["noop_with_empty_axes"]

    def over_axes(name, x):
        return apply(name, x, axes, keepdims=1, noop_with_empty_axes=noop)

    def gradient():
        zero = data == 0.0
        others, zeros = apply("Where", zero, 1.0, data), zero.cast(g.dtype)
        more = over_axes("ReduceSum", zeros) - zeros
        values = apply("Where", zero, data, 0.0)
        crossing = over_axes("ReduceSum", values) - values
        left = apply("Where", more == 0.0, 1.0, apply("Where", more == 1.0, crossing, 0.0))
        return beside(g, axes, attrs) * (over_axes("ReduceProd", others) / others * left)

    return gradient


@op("CumSum")
@widened
def cumsum(x: T, axis: T2, *, exclusive: int = 0, reverse: int = 0) -> T:
    """The sums of the elements up to each one along an axis.

    Args:
        x: A Tensor of numbers.
        axis: The axis, as one element.
        exclusive: Whether each sum leaves out the element itself. Defaults to 0.
        reverse: Whether it runs from the end. Defaults to 0.
    """
    along = int(np.asarray(axis).item())
    ordered = np.moveaxis(x, along, -1)
    ordered = ordered[..., ::-1] if reverse else ordered
    y = np.empty(ordered.shape, x.dtype)
    if exclusive:
        y[..., :1] = 0
        np.cumsum(ordered[..., :-1], axis=-1, out=y[..., 1:])
    else:
        np.cumsum(ordered, axis=-1, out=y)
    return np.asarray(np.moveaxis(y[..., ::-1] if reverse else y, -1, along), order="C")


@vjp("CumSum")
def _cumsum_vjp(g, _y, _x, axis, *, exclusive, reverse):
    return apply("CumSum", g, axis, exclusive=exclusive, reverse=1 - reverse), None


def beside(reduced, axes, attrs):
    """A reduced Tensor with its axes back, so that it broadcasts with what was reduced."""
    axes = attrs.get("axes", axes)
    if attrs["keepdims"] or axes is None or not len(axes):
        return reduced
    return apply("Unsqueeze", reduced, axes)


def spread(reduced, data):
    """A Tensor that broadcasts with `data`, in the shape of `data`."""
    return spread_to(reduced, data.shape)


def spread_to(x, shape):
    """A Tensor in a shape that it broadcasts to."""
    return x if x.shape == tuple(shape) else apply("Expand", x, list(shape))
