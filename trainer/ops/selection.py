"""Choosing between two Tensors element by element."""

from __future__ import annotations

import numpy as np

from trainer.core.define import Array, B, T, op, vjp
from trainer.core.tensor import apply

_MANY = 4096
_INTEGER = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}


@op("Where")
def where(condition: B, x: T, y: T) -> T:
    """From `x` where the condition is true, from `y` elsewhere.

    Args:
        condition: Booleans.
        x: Any Tensor that broadcasts with the others.
        y: A Tensor of the same dtype that broadcasts with the others.
    """
    return choose(condition, x, y)


@vjp("Where")
def _where_vjp(g, _output, condition, _x, _y):
    return (
        None,
        lambda: apply("Where", condition, g, 0.0),
        lambda: apply("Where", condition, 0.0, g),
    )


def choose(condition: Array, x: Array, y: Array) -> Array:
    """As np.where, which branches for each element and so takes ten times as long at random.

    Example:
        >>> choose(np.array([True, False]), np.array([1, 2]), np.array(0))
        array([1, 0])
    """
    integer = _INTEGER.get(x.dtype.itemsize)
    if condition.size < _MANY or integer is None or x.dtype == object:
        return np.where(condition, x, y)
    bits = np.negative(condition.view(np.int8)).astype(integer)  # all ones where true
    a, b = x.view(integer), y.view(integer)
    zero = not b.ndim and not b  # `x` or nothing: what gradients of kinks are made of
    chosen: Array = a & bits if zero else ((a ^ b) & bits) ^ b
    return chosen.view(x.dtype)
