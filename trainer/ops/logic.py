"""Truth values, and choosing by them."""

from __future__ import annotations

import numpy as np

from trainer.core.define import B, T, no_gradient, op, vjp
from trainer.core.tensor import apply


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


no_gradient("And", "Or", "Xor", "Not")


@op("Where")
def where(condition: B, x: T, y: T) -> T:
    """From `x` where the condition is true, from `y` elsewhere.

    Args:
        condition: Booleans.
        x: Any Tensor that broadcasts with the others.
        y: A Tensor of the same dtype that broadcasts with the others.
    """
    integer = _SAME_SIZE.get(x.dtype.itemsize)
    if condition.size < _BRANCHING or integer is None or x.dtype == object:
        return np.where(condition, x, y)
    bits = np.negative(condition.view(np.int8)).astype(integer)  # all ones where true
    a, b = x.view(integer), y.view(integer)
    return (((a ^ b) & bits) ^ b).view(x.dtype)


# np.where takes a branch per element, which costs ten times as much as choosing bit by bit when the
# condition is as good as random.
_BRANCHING = 4096
_SAME_SIZE = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}


@vjp("Where")
def _where_vjp(g, _output, condition, _x, _y):
    return (
        None,
        lambda: apply("Where", condition, g, 0.0),
        lambda: apply("Where", condition, 0.0, g),
    )
