"""How kernels compute with floating point: infinities are results, and halves are computed in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

Kernel = Callable[..., Any]

_HALVES = frozenset({np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)})


def quiet(kernel: Kernel) -> Kernel:
    """A kernel that returns infinities and NaN without a warning, as every other runtime does.

    Example:
        >>> quiet(np.log)(np.zeros(1))
        array([-inf])
    """
    return np.errstate(divide="ignore", over="ignore", invalid="ignore")(kernel)


def widened(kernel: Kernel) -> Kernel:
    """A kernel that computes float16 and bfloat16 in float32 and rounds once, at the end.

    Example:
        >>> widened(lambda x: x * x / x)(np.full(1, 999.0, np.float16))
        array([999.], dtype=float16)
    """

    @functools.wraps(kernel)
    def wide(*inputs: Any, **attrs: Any) -> Any:
        dtype = inputs[0].dtype
        if dtype not in _HALVES:
            return kernel(*inputs, **attrs)
        return kernel(*map(widen, inputs), **attrs).astype(dtype)

    return wide


def widen(x: Any) -> Any:
    """A float16 or bfloat16 array as float32, everything else as it is."""
    return x.astype(np.float32) if x is not None and x.dtype in _HALVES else x
