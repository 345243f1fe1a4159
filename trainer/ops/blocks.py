"""Element-wise kernels that work through a large array block by block."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Kernel = Callable[..., Any]

_BLOCK = 65536


def blockwise(kernel: Kernel) -> Kernel:
    """A kernel of one array whose intermediate results stay in the cache.

    Each of a dozen steps over a whole array would read and write memory, and every temporary array of
    megabytes costs the system more than the step.

    Example:
        >>> blockwise(lambda x: x * 2 + 1)(np.zeros(3))
        array([1., 1., 1.])
    """

    @functools.wraps(kernel)
    def in_blocks(x: Any, **attrs: Any) -> Any:
        if x.size <= 2 * _BLOCK:
            return kernel(x, **attrs)
        x = np.asarray(x, order="C")
        y = np.empty_like(x)
        flat, out = x.reshape(-1), y.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            out[start : start + _BLOCK] = kernel(flat[start : start + _BLOCK], **attrs)
        return y

    return in_blocks
