"""Images of another size: each axis is one product with a small matrix, so the gradient is its transpose."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from trainer.core.define import T1, T2, Array, Int64, T, op, vjp
from trainer.core.dtypes import is_float
from trainer.core.tensor import apply, as_tensor
from trainer.ops.adjoint import put_back

Float32: TypeAlias = Array


class Step(NamedTuple):
    """How one axis is resized.

    Attributes:
        axis: Which axis.
        matrix: The weights `[new size, size]`, or `None` if elements are only repeated or dropped.
        source: Which element each new one repeats, if there is no matrix.
        outside: Which new elements lie outside and take the extrapolation value, if any may.
    """

    axis: int
    matrix: Array | None
    source: Array | None
    outside: Array | None


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
        antialias=antialias,
        axes=axes,
        coordinate_transformation_mode=coordinate_transformation_mode,
        cubic_coeff_a=cubic_coeff_a,
        exclude_outside=exclude_outside,
        keep_aspect_ratio_policy=keep_aspect_ratio_policy,
        mode=mode,
        nearest_mode=nearest_mode,
    )
    return _resized(X, steps, extrapolation_value)


@vjp("Resize")
def _resize_vjp(g, _y, _X, roi=None, scales=None, sizes=None, **attrs):
    del attrs["extrapolation_value"]
    return _resized_back(g, _X.shape, _steps(_X.shape, roi, scales, sizes, **attrs))


@op("Upsample")
def upsample(X: T, scales: Float32, *, mode: str = "nearest") -> T:
    """A larger Tensor; deprecated in ONNX since opset 10 in favor of `resize`.

    Args:
        X: Any Tensor.
        scales: New size / size, per axis.
        mode: "nearest" or "linear". Defaults to "nearest".
    """
    return _resized(X, _upsampling(X.shape, scales, mode), 0.0)


@vjp("Upsample")
def _upsample_vjp(g, _y, _X, scales, *, mode):
    return _resized_back(g, _X.shape, _upsampling(_X.shape, scales, mode))


def _upsampling(shape, scales, mode):
    return _steps(
        shape,
        None,
        scales,
        None,
        mode=mode,
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )


def _resized(x, steps, extrapolation_value):
    y = x
    if not is_float(x.dtype) and any(step.matrix is not None for step in steps):
        y = y.astype(np.float64)
    for axis, matrix, source, _ in steps:
        if matrix is None:
            y = y.take(source, axis)
        else:
            exact = np.float64 if y.dtype == np.float64 else np.float32
            y = _multiplied(y.astype(exact, copy=False), matrix.astype(exact), axis)
    for axis, _, _, outside in steps:
        if outside is not None:
            y = np.where(outside.reshape([-1] + [1] * (x.ndim - axis - 1)), extrapolation_value, y)
    if x.dtype.kind in "iu":
        y = np.clip(np.rint(y), np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
    return y.astype(x.dtype, copy=False)


def _multiplied(x, matrix, axis):
    """The product of a matrix with each line along an axis."""
    if axis == x.ndim - 2:
        return matrix @ x
    if axis == x.ndim - 1:
        return x @ matrix.T
    return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)


def _resized_back(g, shape, steps):
    for axis, matrix, source, _ in reversed(steps):
        last = g.ndim - 1
        if matrix is None:
            kept = (*g.shape[:axis], shape[axis], *g.shape[axis + 1 :])
            g = _gathered_back(g, source, axis, kept)
        elif axis == last - 1:
            g = apply("MatMul", matrix.T.astype(g.dtype, order="C"), g)
        else:
            g = g if axis == last else g.transpose(axis, last)
            g = apply("MatMul", g, matrix.astype(g.dtype))
            g = g if axis == last else g.transpose(axis, last)
    return g


def _gathered_back(g, source, axis, shape):
    times = g.shape[axis] // max(shape[axis], 1)
    if times and source.tolist() == [i // times for i in range(g.shape[axis])]:
        apart = g.reshape(*shape[: axis + 1], times, *shape[axis + 1 :])
        return apart.sum(axis=axis + 1)
    return put_back(g, as_tensor(source), axis, shape)


def _steps(shape, roi, scales, sizes, *, axes=None, keep_aspect_ratio_policy="stretch", **how):
    """What to do per axis; axes that stay as they are left out."""
    rank = len(shape)
    where = list(range(rank)) if axes is None else [axis % rank for axis in axes]
    lengths = [shape[axis] for axis in where]
    if scales is not None and len(scales):
        # As ONNX Runtime does: a product in float32, so that 10 * 0.7 is 7.
        new = [
            int(np.float32(n) * np.float32(s))
            for n, s in zip(lengths, scales.tolist(), strict=True)
        ]
        factors = scales.tolist()
    elif sizes is not None:
        new = sizes.tolist()
        factors = [size / n for size, n in zip(new, lengths, strict=True)]
        if keep_aspect_ratio_policy != "stretch":
            factor = (min if keep_aspect_ratio_policy == "not_larger" else max)(factors)
            factors, new = [factor] * len(new), [int(factor * n + 0.5) for n in lengths]
    else:
        raise ValueError("give scales or sizes")
    crop = how["coordinate_transformation_mode"] == "tf_crop_and_resize"
    ends = roi.tolist() if crop else [0.0] * len(where) + [1.0] * len(where)
    parts = list(zip(ends[: len(where)], ends[len(where) :], strict=True))
    return [
        Step(axis, *_interpolation(n, size, factor, *part, **how))
        for axis, n, size, factor, part in zip(where, lengths, new, factors, parts, strict=True)
        if (size, factor, part) != (n, 1.0, (0.0, 1.0))
    ]


@lru_cache(maxsize=64)
def _interpolation(
    n,
    size,
    scale,
    start,
    end,
    *,
    mode,
    coordinate_transformation_mode,
    nearest_mode="round_prefer_floor",
    antialias=0,
    cubic_coeff_a=-0.75,
    exclude_outside=0,
):
    """The matrix, or the sources, and what lies outside."""
    x = _coordinates(n, size, scale, start, end, coordinate_transformation_mode)
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    outside = (x < 0) | (x > n - 1) if crop else None
    if mode == "nearest":
        source = np.clip(_ROUNDED[nearest_mode](x), 0, n - 1).astype(np.int64)
        if outside is None:
            return None, source, None
        matrix = (source[:, None] == np.arange(n)).astype(np.float64)
    else:
        shrink = min(scale, 1.0) if antialias else 1.0
        reach = ceil((1 if mode == "linear" else 2) / shrink)
        places = np.floor(x)[:, None] + np.arange(1 - reach, reach + 1)
        distances = np.abs(places - x[:, None]) * shrink
        weights = _linear(distances) if mode == "linear" else _cubic(distances, cubic_coeff_a)
        if exclude_outside:
            weights = np.where((places < 0) | (places >= n), 0.0, weights)
        total = weights.sum(1, keepdims=True)
        weights /= np.where(total == 0, 1.0, total)
        matrix = np.zeros((size, n))
        rows = np.broadcast_to(np.arange(size)[:, None], places.shape)
        np.add.at(matrix, (rows, np.clip(places, 0, n - 1).astype(np.int64)), weights)
    if outside is not None:
        matrix[outside] = 0.0
    return matrix, None, outside


_ROUNDED: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _coordinates(n, size, scale, start, end, mode):
    """Where the new elements lie among the old, by the formulas of the ONNX specification."""
    x, length = np.arange(size), scale * n
    if mode == "asymmetric":
        return x / scale
    if mode == "align_corners":
        return x * ((n - 1) / (length - 1)) if length != 1 else np.zeros(size)
    if mode == "tf_crop_and_resize":
        if length == 1:
            return np.full(size, 0.5 * (start + end) * (n - 1))
        return start * (n - 1) + x * ((end - start) * (n - 1) / (length - 1))
    if mode == "pytorch_half_pixel" and length == 1:
        return np.zeros(size)
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (x + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        return n / 2 * (1 - size / length) + (x + 0.5) / scale - 0.5
    if mode == "tf_half_pixel_for_nn":
        return (x + 0.5) / scale
    raise ValueError(f"unknown coordinate_transformation_mode {mode!r}")


def _linear(distances):
    return np.maximum(1 - distances, 0)


def _cubic(distances, a):
    far = np.where(distances < 2, cubic_far(distances, a), 0.0)
    return np.where(distances <= 1, cubic_near(distances, a), far)


def cubic_near(distance: Any, a: float) -> Any:
    """Keys' cubic convolution kernel up to distance 1, of arrays or Tensors.

    Keys, Cubic convolution interpolation for digital image processing, 1981, equation 4.
    """
    return ((a + 2) * distance - (a + 3)) * distance * distance + 1


def cubic_far(distance: Any, a: float) -> Any:
    """The same kernel from distance 1 to 2."""
    return ((distance - 5) * distance + 8) * distance * a - 4 * a
