"""The ONNX element types as numpy dtypes, and how messages spell values of them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

CODES: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    8: np.dtype(object),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
    14: np.dtype(np.complex64),
    15: np.dtype(np.complex128),
    16: np.dtype(ml_dtypes.bfloat16),
    17: np.dtype(ml_dtypes.float8_e4m3fn),
    18: np.dtype(ml_dtypes.float8_e4m3fnuz),
    19: np.dtype(ml_dtypes.float8_e5m2),
    20: np.dtype(ml_dtypes.float8_e5m2fnuz),
    21: np.dtype(ml_dtypes.uint4),
    22: np.dtype(ml_dtypes.int4),
    23: np.dtype(ml_dtypes.float4_e2m1fn),
    24: np.dtype(ml_dtypes.float8_e8m0fnu),
    25: np.dtype(ml_dtypes.uint2),
    26: np.dtype(ml_dtypes.int2),
}
_CODE_OF = {dtype: code for code, dtype in CODES.items()}
_FLOATS = frozenset(CODES[code] for code in (1, 10, 11, 16))


def onnx_code(dtype: Any) -> int:
    """The number of a dtype in ONNX's TensorProto.DataType; a number is passed through.

    Example:
        >>> onnx_code("float32"), onnx_code(np.int64), onnx_code(9)
        (1, 7, 9)
    """
    if isinstance(dtype, int) and not isinstance(dtype, bool):
        return dtype
    found = np.dtype(dtype)
    return _CODE_OF[np.dtype(object) if found.kind == "U" else found]


def from_code(dtype: Any) -> np.dtype[Any]:
    """The numpy dtype of an ONNX number; what names a dtype already is passed through.

    Example:
        >>> from_code(7)
        dtype('int64')
    """
    return CODES[dtype] if isinstance(dtype, int) else np.dtype(dtype)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype carry gradients (float16, bfloat16, float32, float64)."""
    return dtype in _FLOATS


def describe(value: Any) -> str:
    """A value as messages spell it: dtype and shape.

    Example:
        >>> describe(np.zeros((3, 4), np.float32)), describe(None)
        ('float32[3, 4]', 'absent')
    """
    if value is None:
        return "absent"
    if not hasattr(value, "dtype"):
        return repr(value)
    name = "string" if value.dtype == object else value.dtype.name
    return f"{name}{list(value.shape)}"
