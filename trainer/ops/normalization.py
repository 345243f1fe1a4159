"""Normalization to mean 0 and variance 1 within each row, instance, or group of channels."""

from __future__ import annotations

import functools
import operator
from contextlib import nullcontext
from math import prod
from typing import Any

import numpy as np

from trainer.core.define import Array, T, op, vjp
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply
from trainer.ops.blocks import for_each_block
from trainer.ops.broadcasting import LONG, row_by_row
from trainer.ops.ieee import widen, widened
from trainer.ops.linalg import product_over_rows
from trainer.ops.reduction import spread_to, sum_over
from trainer.ops.rowwise import over_rows
from trainer.ops.standardization import (
    across_channels,
    as_dtype,
    center,
    standardize,
    through_standardization,
)

_BLOCK = 262_144  # elements; a step takes longer here than in a kernel of one array
_NEVER_ZERO = 1e-9  # what ONNX adds to the deviation in MeanVarianceNormalization


@op("LayerNormalization")
def layer_normalization(
    x: T, scale: T, b: T | None = None, *, axis=-1, epsilon=1e-5, stash_type=1, outputs=1
) -> tuple[Array, ...]:
    """Bring all axes from `axis` on to mean 0 and variance 1, then scale and shift.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1, 3], [0, 8]], np.float32)
        >>> layer_normalization(x, np.ones(2, np.float32), epsilon=0.0)
        Tensor([[-1.,  1.],
                [-1.,  1.]])

    Args:
        x: Any Tensor.
        scale: Factor, of a shape that broadcasts to the normalized axes.
        b: Shift, likewise. Defaults to none.
        axis: The first of the normalized axes. Defaults to the last.
        epsilon: Added to the variance. Defaults to 1e-5.
        stash_type: The ONNX type of the mean and the deviation: 1, float32 (float64 if `x` is).

    Returns:
        The normalized values and, where asked for, the mean and the inverse of the deviation, with
        size 1 in the normalized axes.

    Reference:
        Ba, Kiros and Hinton, Layer Normalization, 2016.
    """
    wide, axis = widen(x), axis % x.ndim
    rows = wide.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))
    factor, shift = (
        None if v is None else np.broadcast_to(widen(v), x.shape[axis:]).reshape(-1)
        for v in (scale, b)
    )
    y, mean, inverse = _standardize_rows(rows, epsilon, factor, shift)
    row = (*x.shape[:axis], *(1,) * (x.ndim - axis))
    y = y.reshape(x.shape).astype(x.dtype, copy=False)
    return (y, mean.reshape(row), inverse.reshape(row))[:outputs]


@vjp("LayerNormalization", outputs=3)
def _layer_normalization_vjp(gradients, y, x, scale, _b=None, *, axis, epsilon):
    g, g_mean, g_inverse = (*gradients, None, None)[:3]
    axis %= x.ndim
    row = x.shape[axis:]
    count, dtype = prod(row), y[1].dtype
    values = _rows(as_dtype(x, dtype), axis, count)
    if x.dtype == np.float64 and g_mean is None and g_inverse is None:
        # In a graph the operator gives a mean of float32 only.
        values, inverse = center(values, [axis], epsilon)
        mean = None
    else:
        mean, inverse = (_rows(v, axis, 1) for v in y[1:])
    terms, by_scale = [], None
    if g is not None:
        factor = _rows(spread_to(as_dtype(scale, dtype), row), 0, count)
        rule = functools.partial(_rule_of_rows, factor, factor.unsqueeze(-1) / float(count))
        rows = _rows(as_dtype(g, dtype), axis, count)
        by_rows, by_factor = over_rows(rule, rows, inverse, values, mean)
        terms.append(by_rows)
        by_scale = as_dtype(by_factor.reshape(*row), x.dtype)
    # The gradient of this gradient comes through the mean and the deviation, too.
    if g_mean is not None:
        terms.append(apply("Expand", _rows(g_mean, axis, 1) / float(count), [count]))
    if g_inverse is not None:
        slope = _rows(g_inverse, axis, 1) * inverse * inverse * inverse / -float(count)
        terms.append((values - mean) * slope)
    by_x = as_dtype(functools.reduce(operator.add, terms), x.dtype)
    if axis < x.ndim - 1:
        by_x = by_x.reshape(*(0,) * axis, *row)
    return by_x, by_scale, g


def _rule_of_rows(scale, share, g, inverse, values, mean):
    """With c = x - mean and i = 1 / deviation: (g s - mean(g s) - c i^2 mean(c g s)) i, s the scale.

    Sums are products with vectors, `share` being s divided by their number, and g c serves x and the scale.
    """
    centered = values if mean is None else values - mean
    product = g * centered
    by_scale = product_over_rows(inverse, product)
    along = centered * ((product @ share) * (inverse * inverse * inverse))
    level = (g @ share) * inverse
    del centered, product  # What follows is written where the cache has them.
    return g * scale * inverse - along - level, by_scale


def _rows(x: Tensor, axis: int, count: int) -> Tensor:
    """The axes from `axis` on, `count` elements, as one."""
    return x if axis == x.ndim - 1 else x.reshape(*(0,) * axis, count)


@op("InstanceNormalization")
@widened
def instance_normalization(input: T, scale: T, b: T, *, epsilon=1e-5) -> T:
    """Bring each channel of each image to mean 0 and variance 1, then scale and shift.

    Args:
        input: Images [N, C, ...].
        scale: Factor per channel [C].
        b: Shift per channel [C].
        epsilon: Added to the variance. Defaults to 1e-5.

    Reference:
        Ulyanov, Vedaldi and Lempitsky, Instance Normalization, 2016.
    """
    return _group_normalization(input, scale, b, input.shape[1], epsilon)


@vjp("InstanceNormalization")
def _instance_normalization_vjp(g, _y, x, scale, _b, *, epsilon):
    return _group_normalization_rule(g, x, scale, x.shape[1], epsilon)


@op("GroupNormalization")
@widened
def group_normalization(x: T, scale: T, bias: T, *, num_groups, epsilon=1e-5, stash_type=1) -> T:
    """Bring each group of channels of each image to mean 0 and variance 1, then scale and shift.

    Args:
        x: Images [N, C, ...].
        scale: Factor per channel [C], or per group as before opset 21.
        bias: Shift, likewise.
        num_groups: How many groups of channels there are.
        epsilon: Added to the variance. Defaults to 1e-5.
        stash_type: The ONNX type to compute with: 1, float32 (float64 if `x` is).

    Reference:
        Wu and He, Group Normalization, 2018.
    """
    if num_groups < 1 or x.shape[1] % num_groups:
        raise OperatorError(f"{x.shape[1]} channels do not split into {num_groups} groups")
    return _group_normalization(x, scale, bias, num_groups, epsilon)


@vjp("GroupNormalization")
def _group_normalization_vjp(g, _y, x, scale, _bias, *, num_groups, epsilon):
    return _group_normalization_rule(g, x, scale, num_groups, epsilon)


@op("MeanVarianceNormalization")
@widened
def mean_variance_normalization(x: T, *, axes=(0, 2, 3)) -> T:
    """Bring all elements along some axes to mean 0 and variance 1.

    Args:
        x: Any Tensor.
        axes: The axes. Defaults to all of an image but the channels.
    """
    along = tuple(axes)
    centered = x - x.mean(axis=along, keepdims=True)
    deviation = np.sqrt(np.square(centered).mean(axis=along, keepdims=True))
    centered /= deviation + _NEVER_ZERO
    return centered


@vjp("MeanVarianceNormalization")
def _mean_variance_normalization_vjp(g, _y, x, *, axes):
    centered = x - x.mean(axis=list(axes), keepdims=True)
    deviation = (centered * centered).mean(axis=list(axes), keepdims=True).sqrt()
    inverse = apply("Reciprocal", deviation + _NEVER_ZERO)
    return through_standardization(g, centered * inverse, inverse, list(axes))


def _standardize_rows(
    rows: Array, epsilon: float, scale: Array | None = None, b: Array | None = None
) -> tuple[Array, Array, Array]:
    """Rows with mean 0 and variance 1, scaled and shifted, with their mean and 1 / deviation."""
    columns = max(rows.shape[1], 1)
    y, mean, inverse = np.empty_like(rows, order="C"), *np.empty((2, len(rows), 1), rows.dtype)

    def work(part: slice) -> None:
        m, i, standard = mean[part], inverse[part], y[part]
        np.divide(sum_over(rows[part], 1), columns, out=m)
        np.subtract(rows[part], m, out=standard)
        np.vecdot(standard, standard, out=i[:, 0])
        i /= columns
        i += epsilon
        np.sqrt(i, out=i)
        np.divide(1, i, out=i)
        standard *= i
        if scale is not None:
            standard *= scale
        if b is not None:
            standard += b

    with row_by_row() if columns >= LONG else nullcontext():
        for_each_block(work, len(rows), max(1, _BLOCK // columns))
    return y, mean, inverse


def _group_normalization(x: Array, scale: Array, b: Array, groups: int, epsilon: float) -> Array:
    rows = x.reshape(x.shape[0] * groups, prod(x.shape[1:]) // max(groups, 1))
    y = _standardize_rows(rows, epsilon)[0].reshape(x.shape)
    y *= _per_channel(scale, x.shape[1]).reshape(across_channels(x.ndim))
    y += _per_channel(b, x.shape[1]).reshape(across_channels(x.ndim))
    return y


def _per_channel(values: Array, channels: int) -> Array:
    if channels % values.size:
        raise OperatorError(f"{values.size} factors or shifts do not fit {channels} channels")
    return np.repeat(values, channels // values.size)


def _group_normalization_rule(
    g: Tensor, x: Tensor, scale: Tensor, groups: int, epsilon: float
) -> tuple[Any, ...]:
    channels, spatial, factors = x.shape[1], x.shape[2:], scale.shape[0]
    rows = (-1, groups, channels // groups * prod(spatial))
    standard, inverse = standardize(x.reshape(*rows), [2], epsilon)
    # Factors per channel or per group of channels: one and the same with the channels split.
    split = (-1, factors, channels // factors * prod(spatial))
    scaled = (g.reshape(*split) * scale.reshape(factors, 1)).reshape(*rows)
    return (
        lambda: through_standardization(scaled, standard, inverse, [2]).reshape(
            -1, channels, *spatial
        ),
        lambda: (g.reshape(*split) * standard.reshape(*split)).sum(axis=[0, 2]),
        lambda: g.reshape(*split).sum(axis=[0, 2]),
    )
