"""Comparing Tensors element by element. The result is boolean, so there is no gradient."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T1, T2, T, no_gradient, op


@op("Equal")
def equal(a: T, b: T) -> T1:
    """Whether two Tensors are equal, element by element."""
    return np.equal(a, b).astype(np.bool_, copy=False)  # strings compare to an array of objects


@op("Less")
def less(a: T, b: T) -> T1:
    """Whether the first is less than the second, element by element."""
    return np.less(a, b)


@op("LessOrEqual")
def less_or_equal(a: T, b: T) -> T1:
    """Whether the first is at most the second, element by element."""
    return np.less_equal(a, b)


@op("Greater")
def greater(a: T, b: T) -> T1:
    """Whether the first is greater than the second, element by element."""
    return np.greater(a, b)


@op("GreaterOrEqual")
def greater_or_equal(a: T, b: T) -> T1:
    """Whether the first is at least the second, element by element."""
    return np.greater_equal(a, b)


@op("IsNaN")
def isnan(x: T1) -> T2:
    """Whether each element is no number."""
    return np.isnan(x)


@op("IsInf")
def isinf(x: T1, *, detect_negative: int = 1, detect_positive: int = 1) -> T2:
    """Whether each element is infinite.

    Args:
        x: Any floating point Tensor.
        detect_negative: Whether minus infinity counts. Defaults to 1.
        detect_positive: Whether plus infinity counts. Defaults to 1.
    """
    infinite = np.isinf(x)
    if not detect_negative:
        infinite &= x > 0
    if not detect_positive:
        infinite &= x < 0
    return infinite


no_gradient("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "IsInf")
