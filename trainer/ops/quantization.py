"""Floating point numbers as small integers and back, straight through for gradients.

Rounding has no useful gradient, so it is left out: inside the range of the integers the derivative by
x is that of x / scale, outside it is 0, as in PyTorch's fake quantization.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from trainer.core.define import T1, T2, op, vjp
from trainer.core.tensor import apply
from trainer.ops.adjoint import pull_back
from trainer.ops.casting import convert, element_type


@op("QuantizeLinear")
def quantize_linear(
    x: T1,
    y_scale: T1,
    y_zero_point: T2 | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> T2:
    """The integers x / scale + zero point, rounded (half to even) and kept in range.

    Example:
        >>> quantize_linear([-1.0, 0.24, 0.26, 99.0], np.float32(0.5), np.int8(0))
        Tensor([ -2,   0,   1, 127], dtype=int8)

    Args:
        x: Any floating point Tensor.
        y_scale: One scale, one per index of `axis`, or one per block along `axis`.
        y_zero_point: The integer that stands for 0, likewise. Defaults to 0 of uint8.
        axis: The axis of scales and blocks. Defaults to 1.
        block_size: How many elements share a scale; 0 for none. Defaults to 0.
        output_dtype: The element type without a zero point. Defaults to uint8.
        precision: The element type to divide in. Defaults to that of x.
        saturate: As in `cast`, for 8-bit floats. Defaults to 1.
    """
    dtype = element_type(output_dtype or 2) if y_zero_point is None else y_zero_point.dtype
    scale = _repeated(y_scale, x.shape, axis, block_size)
    wide = element_type(precision) if precision else x.dtype
    y = np.asarray(x.astype(wide, copy=False) / scale.astype(wide, copy=False))
    if not _is_integer(dtype):
        return convert(y, dtype, saturate)
    y = np.rint(y, out=y).astype(np.float32, copy=False)
    if y_zero_point is not None:
        y += _repeated(y_zero_point, x.shape, axis, block_size).astype(np.float32)
    return np.clip(y, *_range(dtype), out=y).astype(dtype)


@vjp("QuantizeLinear")
def _quantize_linear_vjp(g, _y, x, y_scale, y_zero_point=None, *, axis, block_size):
    def along(values):
        return _along(values, x.shape, axis, block_size)

    scale = along(y_scale)
    ratio = x / scale
    level = apply("Round", ratio) if _is_integer(_y.dtype) else ratio
    if y_zero_point is not None:
        level = level + along(y_zero_point.cast(x.dtype))
    low, high = _range(_y.dtype)
    by_x = apply("Where", (level >= low) & (level <= high), g / scale, 0.0)
    return by_x, lambda: pull_back(along, -by_x * ratio, y_scale)[0]


@op("DequantizeLinear")
def dequantize_linear(
    x: T1,
    x_scale: T2,
    x_zero_point: T1 | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> T2:
    """The numbers (x - zero point) * scale that integers stand for.

    Args:
        x: Small integers or 8-bit floats.
        x_scale: One scale, one per index of `axis`, or one per block along `axis`.
        x_zero_point: The integer that stands for 0, likewise. Defaults to 0.
        axis: The axis of scales and blocks. Defaults to 1.
        block_size: How many elements share a scale; 0 for none. Defaults to 0.
        output_dtype: The element type of the result. Defaults to that of the scale.
    """
    y = x.astype(np.float32)
    if x_zero_point is not None:
        y -= _repeated(x_zero_point, x.shape, axis, block_size).astype(np.float32)
    y = y * _repeated(x_scale, x.shape, axis, block_size)
    return y.astype(element_type(output_dtype) if output_dtype else x_scale.dtype, copy=False)


@vjp("DequantizeLinear")
def _dequantize_linear_vjp(g, _y, x, x_scale, x_zero_point=None, *, axis, block_size):
    def along(values):
        return _along(values, x.shape, axis, block_size)

    def by_scale():
        steps = x.cast(g.dtype)
        if x_zero_point is not None:
            steps = steps - along(x_zero_point.cast(g.dtype))
        return pull_back(along, g * steps, x_scale)[0]

    g = g.cast(x_scale.dtype)
    return lambda: g * along(x_scale), by_scale


@op("DynamicQuantizeLinear")
def dynamic_quantize_linear(x: T1) -> tuple[T2, T1, T2]:
    """Numbers as uint8, the scale and zero point chosen to hold the smallest and the largest.

    Args:
        x: A Tensor of float32.
    """
    low, high = min(x.min(initial=0), x.dtype.type(0)), max(x.max(initial=0), x.dtype.type(0))
    scale = np.asarray((high - low if high > low else x.dtype.type(1)) / x.dtype.type(255))
    zero_point = np.rint(np.clip(-low / scale, 0, 255))
    y = np.clip(np.rint(x / scale) + zero_point, 0, 255)
    return y.astype(np.uint8), scale, zero_point.astype(np.uint8)


@vjp("DynamicQuantizeLinear")
def _dynamic_quantize_linear_vjp(g, y, _x):
    return None if g[0] is None else g[0] / y[1]


def _is_integer(dtype):
    return dtype.kind in "iu" or dtype.name in ("int4", "uint4", "int2", "uint2")


def _range(dtype):
    """The smallest and the largest number of an element type."""
    limits = ml_dtypes.iinfo(dtype) if _is_integer(dtype) else ml_dtypes.finfo(dtype)
    return float(limits.min), float(limits.max)


def _repeated(values, shape, axis, block_size):
    """Scales or zero points so that they broadcast with the elements that they belong to."""
    if values.size == 1:
        return values.reshape(())
    if block_size:
        return values.repeat(block_size, axis)[_before(shape[axis], axis % len(shape))]
    return values.reshape(_row(shape, axis))


def _along(values, shape, axis, block_size):
    """The same in operators."""
    if values.size == 1:
        return values.reshape(())
    if not block_size:
        return values.reshape(_row(shape, axis))
    axis %= len(shape)
    each = [1] * (axis + 1) + [block_size] + [1] * (len(shape) - axis - 1)
    repeated = apply("Expand", values.unsqueeze(axis + 1), each)
    joined = repeated.reshape([*shape[:axis], -1, *shape[axis + 1 :]])
    return joined[_before(shape[axis], axis)]


def _before(size, axis):
    return (slice(None),) * axis + (slice(size),)


def _row(shape, axis):
    return [-1 if a == axis % len(shape) else 1 for a in range(len(shape))]
