"""Interpolation along one axis: which elements a new one is made of, and with which weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from trainer.core.define import Array


class Interpolation(NamedTuple):
    """How one axis is resized.

    Attributes:
        matrix: The weights `[new size, size]`, or `None` if elements are only repeated or left out.
        source: Which element each new one is, if there is no matrix.
        outside: Which new elements lie outside and take another value, if any may.
    """

    matrix: Array | None
    source: Array | None
    outside: Array | None


@lru_cache(maxsize=64)
def interpolate_axis(
    n: int,
    size: int,
    scale: float,
    start: float,
    end: float,
    *,
    mode: str,
    nearest_mode: str,
    coordinate_transformation_mode: str,
    antialias: int,
    cubic_coeff_a: float,
    exclude_outside: int,
) -> Interpolation:
    """How an axis of `n` elements becomes one of `size`; the attributes are those of `resize`.

    Args:
        n: The size.
        size: The new size.
        scale: New size / size, as it was given: not always the quotient.
        start: Where the part begins that is resized, from 0 to 1.
        end: Where it ends.
        mode: "nearest", "linear" or "cubic".
        nearest_mode: How a coordinate is rounded.
        coordinate_transformation_mode: Where a new element lies among the old.
        antialias: Whether shrinking takes the mean.
        cubic_coeff_a: The coefficient of the cubic kernel.
        exclude_outside: Whether what lies outside has no weight.
    """
    x = _coordinates(n, size, scale, start, end, coordinate_transformation_mode)
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    outside = (x < 0) | (x > n - 1) if crop else None
    if mode == "nearest":
        source = np.clip(_ROUNDED[nearest_mode](x), 0, n - 1).astype(np.int64)
        if outside is None:
            return Interpolation(None, source, None)
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
    return Interpolation(matrix, None, outside)


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
