"""Images of another size: each axis is one product with a small matrix, so the gradient is its transpose."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T1, T2, Float32, Int64, op, vjp
from trainer.core.dtypes import is_float
from trainer.core.tensor import apply, as_tensor
from trainer.ops.adjoint import put_back
from trainer.ops.interpolation import interpolate_axis


@op("Resize")
def resize(
    X: T1,
    roi: T2 | None = None,
    scales: Float32 | None = None,
    sizes: Int64 | None = None,
    *,
    antialias: int = 0,
    axes: list[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> T1:
    """A Tensor of another size, its elements interpolated.

    Example:
        >>> resize([[1.0, 2.0]], None, None, [1, 4], mode="linear")
        Tensor([[1.  , 1.25, 1.75, 2.  ]])

    Args:
        X: Any Tensor, `[n, c, h, w]` as a rule.
        roi: What part is resized, `[start ..., end ...]` from 0 to 1, for "tf_crop_and_resize" only.
        scales: New size / size, per axis; or
        sizes: the new sizes.
        antialias: Whether shrinking takes the mean of all that becomes one element. Defaults to 0.
        axes: Which axes `roi`, `scales` and `sizes` speak of. Defaults to all.
        coordinate_transformation_mode: Where a new element lies among the old: "half_pixel",
            "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric" or
            "tf_crop_and_resize". Defaults to "half_pixel".
        cubic_coeff_a: The coefficient of the cubic kernel. Defaults to -0.75.
        exclude_outside: Whether what lies outside has no weight. Defaults to 0: the edge is repeated.
        extrapolation_value: What "tf_crop_and_resize" puts outside. Defaults to 0.
        keep_aspect_ratio_policy: "stretch" to `sizes`, or one scale for all so that the result is
            "not_larger" or "not_smaller". Defaults to "stretch".
        mode: "nearest", "linear" or "cubic". Defaults to "nearest".
        nearest_mode: "round_prefer_floor", "round_prefer_ceil", "floor" or "ceil". Defaults to
            "round_prefer_floor".
    """
    steps = _steps(
        X.shape,
        roi,
        scales,
        sizes,
        axes=axes,
        keep_aspect_ratio_policy=keep_aspect_ratio_policy,
        mode=mode,
        nearest_mode=nearest_mode,
        coordinate_transformation_mode=coordinate_transformation_mode,
        antialias=antialias,
        cubic_coeff_a=cubic_coeff_a,
        exclude_outside=exclude_outside,
    )
    y = X
    if mode != "nearest" and X.dtype != np.float64:
        y = y.astype(np.float32 if is_float(X.dtype) else np.float64)
    for axis, how in steps:
        y = y.take(how.source, axis) if how.matrix is None else _multiplied(how.matrix, y, axis)
    for axis, how in steps:
        if how.outside is not None:
            outside = how.outside.reshape([-1] + [1] * (X.ndim - axis - 1))
            y = np.where(outside, extrapolation_value, y)
    if X.dtype.kind in "iu" and y.dtype.kind == "f":
        y = np.clip(np.rint(y), np.iinfo(X.dtype).min, np.iinfo(X.dtype).max)
    return y.astype(X.dtype, copy=False)


@vjp("Resize")
def _resize_vjp(g, _y, _X, roi=None, scales=None, sizes=None, **attrs):
    del attrs["extrapolation_value"]
    for axis, how in reversed(_steps(_X.shape, roi, scales, sizes, **attrs)):
        if how.matrix is None:
            g = _taken_back(g, how.source, axis, _X.shape[axis])
        else:
            g = _multiplied_back(how.matrix.astype(g.dtype), g, axis)
    return g


def _steps(shape, roi, scales, sizes, *, axes, keep_aspect_ratio_policy, **how):
    """Per axis how it is interpolated; axes that stay as they are left out."""
    where = list(range(len(shape))) if axes is None else [axis % len(shape) for axis in axes]
    lengths = [shape[axis] for axis in where]
    if scales is not None and len(scales):
        factors = scales.tolist()
        # A product in float32, as in ONNX Runtime, so that 0.7 of 10 is 7.
        new = [int(np.float32(n) * np.float32(s)) for n, s in zip(lengths, factors, strict=True)]
    elif sizes is not None:
        new = sizes.tolist()
        factors = [size / n for size, n in zip(new, lengths, strict=True)]
        if keep_aspect_ratio_policy != "stretch":
            factor = (min if keep_aspect_ratio_policy == "not_larger" else max)(factors)
            factors, new = [factor] * len(new), [int(factor * n + 0.5) for n in lengths]
    else:
        raise ValueError("give scales or sizes")
    ends = [0.0] * len(where) + [1.0] * len(where)
    if how["coordinate_transformation_mode"] == "tf_crop_and_resize":
        ends = roi.tolist()
    parts = zip(ends[: len(where)], ends[len(where) :], strict=True)
    return [
        (axis, interpolate_axis(n, size, factor, *part, **how))
        for axis, n, size, factor, part in zip(where, lengths, new, factors, parts, strict=True)
        if (size, factor, part) != (n, 1.0, (0.0, 1.0))
    ]


def _multiplied(matrix, x, axis):
    """The product of a matrix with each line along an axis."""
    matrix = matrix.astype(x.dtype)
    if axis == x.ndim - 2:
        return matrix @ x
    lines = np.moveaxis(x, axis, -1) @ matrix.T
    return np.moveaxis(lines, -1, axis)


def _multiplied_back(matrix, g, axis):
    last = g.ndim - 1
    if axis == last:
        return apply("MatMul", g, matrix)
    if axis == last - 1:
        return apply("MatMul", np.ascontiguousarray(matrix.T), g)
    return apply("MatMul", g.transpose(axis, last), matrix).transpose(axis, last)


def _taken_back(g, source, axis, size):
    """Add what was repeated; by a whole number of times it is a sum."""
    new, before, after = g.shape[axis], g.shape[:axis], g.shape[axis + 1 :]
    times = new // size
    if times and source.tolist() == [i // times for i in range(new)]:
        return g.reshape(*before, size, times, *after).sum(axis=axis + 1)
    return put_back(g, as_tensor(source), axis, (*before, size, *after))
