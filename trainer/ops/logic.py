"""Truth values and bits. Neither has a gradient."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T, no_gradient, op


@op("And")
def and_(a: T, b: T) -> T:
    """Whether both are true, element by element."""
    return np.logical_and(a, b)


@op("Or")
def or_(a: T, b: T) -> T:
    """Whether at least one is true, element by element."""
    return np.logical_or(a, b)


@op("Xor")
def xor(a: T, b: T) -> T:
    """Whether exactly one is true, element by element."""
    return np.logical_xor(a, b)


@op("Not")
def not_(x: T) -> T:
    """Whether each element is false."""
    return np.logical_not(x)


@op("BitwiseAnd")
def bitwise_and(a: T, b: T) -> T:
    """The bits that are set in both integers, element by element."""
    return np.bitwise_and(a, b)


@op("BitwiseOr")
def bitwise_or(a: T, b: T) -> T:
    """The bits that are set in at least one of the integers, element by element."""
    return np.bitwise_or(a, b)


@op("BitwiseXor")
def bitwise_xor(a: T, b: T) -> T:
    """The bits that are set in exactly one of the integers, element by element."""
    return np.bitwise_xor(a, b)


@op("BitwiseNot")
def bitwise_not(x: T) -> T:
    """The bits that are not set in each integer."""
    return np.bitwise_not(x)


@op("BitShift")
def bit_shift(x: T, y: T, *, direction: str) -> T:
    """Integers with their bits moved.

    Args:
        x: Unsigned integers.
        y: How far, of the same dtype.
        direction: "LEFT" or "RIGHT".
    """
    if direction not in ("LEFT", "RIGHT"):
        raise ValueError("direction is LEFT or RIGHT")
    return np.left_shift(x, y) if direction == "LEFT" else np.right_shift(x, y)


no_gradient("And", "Or", "Xor", "Not")
no_gradient("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift")
