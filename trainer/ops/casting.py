"""The same values as another element type."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from trainer.core.define import T1, T2, Array, op, vjp
from trainer.core.dtypes import from_code, is_float

# Element types that only quantized models store; nothing computes in them.
_STORED = {
    17: ml_dtypes.float8_e4m3fn,
    18: ml_dtypes.float8_e4m3fnuz,
    19: ml_dtypes.float8_e5m2,
    20: ml_dtypes.float8_e5m2fnuz,
    21: ml_dtypes.uint4,
    22: ml_dtypes.int4,
    23: ml_dtypes.float4_e2m1fn,
    24: ml_dtypes.float8_e8m0fnu,
    25: ml_dtypes.uint2,
    26: ml_dtypes.int2,
}
_SATURATING = frozenset(np.dtype(_STORED[code]) for code in (17, 18, 19, 20))
_POWERS = np.dtype(_STORED[24])


@op("Cast")
def cast(input: T1, *, to: Any, saturate: int = 1, round_mode: str = "up") -> T2:
    """The values as another element type.

    Example:
        >>> cast([1.7, -1.7], to="int64")
        Tensor([ 1, -1])

    Args:
        input: Any Tensor. Strings are read as numbers: "1.5", "1e-3", "NaN", "-INF".
        to: The element type: its number in ONNX, a numpy dtype or its name.
        saturate: Whether what is too large for an 8-bit float becomes its largest number rather than
            infinite or NaN. Defaults to 1.
        round_mode: How a number becomes a power of two (float8e8m0): "up", "down" or "nearest".
            Defaults to "up".
    """
    return convert(input, element_type(to), saturate, round_mode)


@vjp("Cast")
def _cast_vjp(g, _y, _input):
    return _cast_back(g, _y, _input)


@op("CastLike")
def cast_like(input: T1, target_type: T2, *, saturate: int = 1, round_mode: str = "up") -> T2:
    """The values as the element type of another Tensor.

    Args:
        input: Any Tensor.
        target_type: The Tensor whose element type is taken.
        saturate: As in `cast`. Defaults to 1.
        round_mode: As in `cast`. Defaults to "up".
    """
    return convert(input, target_type.dtype, saturate, round_mode)


@vjp("CastLike")
def _cast_like_vjp(g, _y, _input, _target_type):
    return _cast_back(g, _y, _input)


def _cast_back(g, _y, _input):
    floating = is_float(_input.dtype) and is_float(_y.dtype)
    return g.cast(_input.dtype) if floating else None


def element_type(code: Any) -> np.dtype[Any]:
    """The numpy dtype of an ONNX element type, those that are only stored included."""
    return np.dtype(_STORED[code]) if code in _STORED else from_code(code)


def convert(x: Array, dtype: np.dtype[Any], saturate: int = 1, round_mode: str = "up") -> Array:
    """An array as another dtype, by ONNX's rules."""
    if x.dtype == dtype:
        return x
    if dtype.kind == "O":
        return x.astype(np.str_).astype(object)
    if x.dtype.kind == "O":  # ml_dtypes read no strings
        return convert(x.astype(np.float64), dtype) if dtype.kind in "fV" else x.astype(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        if dtype == _POWERS:
            return _to_power(x, saturate, round_mode)
        if saturate and dtype in _SATURATING:
            limits = ml_dtypes.finfo(dtype)
            x = np.clip(x, x.dtype.type(limits.min), x.dtype.type(limits.max))
        return x.astype(dtype)


def _to_power(x: Array, saturate: int, round_mode: str) -> Array:
    """The powers of two next to the absolute values, stored as their exponents."""
    mantissa, exponent = np.frexp(np.abs(x.astype(np.float32)))  # 0.5 <= mantissa < 1
    below = {"up": mantissa == 0.5, "down": mantissa < 1, "nearest": mantissa < 0.75}[round_mode]
    stored = np.clip(exponent - below + 127, 0, 254 if saturate else 255)
    stored = np.where(np.isfinite(x), np.where(mantissa == 0, 0, stored), 255)
    return stored.astype(np.uint8).view(_POWERS)
