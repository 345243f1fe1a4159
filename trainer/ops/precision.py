"""Half precision is summed in float32, as every other runtime does."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def widen(x: Array) -> Array:
    """float16 and bfloat16 as float32, wider arrays as they are.

    Example:
        >>> widen(np.zeros(2, np.float16)).dtype
        dtype('float32')
    """
    return x.astype(np.float32) if x.dtype.itemsize <= 2 else x


def narrow(y: Array, dtype: np.dtype[Any]) -> Array:
    """What was computed from a widened array, in the dtype that it came in."""
    return y.astype(dtype, copy=False)
