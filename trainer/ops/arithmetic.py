"""Arithmetic, element by element, with numpy's broadcasting."""

from __future__ import annotations

from functools import reduce

import numpy as np

from trainer.core.define import T, no_gradient, op, vjp
from trainer.core.tensor import apply
from trainer.ops.broadcasting import combine
from trainer.ops.ieee import quiet


@op("Add")
def add(a: T, b: T) -> T:
    """The sum of two Tensors."""
    return combine(np.add, a, b)


@vjp("Add")
def _add_vjp(g, _y, _a, _b):
    return g, g


@op("Sub")
def sub(a: T, b: T) -> T:
    """The difference of two Tensors."""
    return combine(np.subtract, a, b)


@vjp("Sub")
def _sub_vjp(g, _y, _a, _b):
    return g, lambda: -g


@op("Mul")
def mul(a: T, b: T) -> T:
    """The product of two Tensors, element by element."""
    return combine(np.multiply, a, b)


@vjp("Mul")
def _mul_vjp(g, _y, a, b):
    return lambda: g * b, lambda: g * a


@op("Div")
@quiet
def div(a: T, b: T) -> T:
    """The quotient of two Tensors, element by element; integers are truncated towards zero."""
    if a.dtype.kind not in "iu":
        return combine(np.divide, a, b)
    quotient, rest = np.divmod(a, b)
    if a.dtype.kind == "i":  # numpy rounds down
        quotient += (rest != 0) & ((rest < 0) != (a < 0))
    return quotient


@vjp("Div")
def _div_vjp(g, y, _a, b):
    return lambda: g / b, lambda: -(g * y / b)


@op("Mod")
@quiet
def mod(a: T, b: T, *, fmod: int = 0) -> T:
    """The remainder of a division.

    Args:
        a: The dividend.
        b: The divisor.
        fmod: Whether the remainder has the sign of `a` (C's fmod) instead of that of `b` (Python's %).
            Before opset 27 it must be 1 for floating point. Defaults to 0.
    """
    return np.fmod(a, b) if fmod else np.mod(a, b)


@vjp("Mod")
def _mod_vjp(g, _y, a, b, *, fmod):
    return g, lambda: -(g * (_truncate(a / b) if fmod else apply("Floor", a / b)))


def _truncate(x):
    return apply("Sign", x) * apply("Floor", apply("Abs", x))


@op("Neg")
def neg(x: T) -> T:
    """Each element with the other sign."""
    return np.negative(x)


@vjp("Neg")
def _neg_vjp(g, _y, _x):
    return -g


@op("Abs")
def abs(x: T) -> T:
    """The absolute value of each element."""
    return np.abs(x)


@vjp("Abs")
def _abs_vjp(g, _y, x):
    return g * apply("Sign", x)


@op("Sign")
def sign(input: T) -> T:
    """-1, 0 or 1 for each element."""
    return np.sign(input)


no_gradient("Sign")


@op("Reciprocal")
@quiet
def reciprocal(x: T) -> T:
    """1 / x for each element."""
    return np.reciprocal(x)


@vjp("Reciprocal")
def _reciprocal_vjp(g, y, _x):
    return -(g * y * y)


@op("Sum")
def sum(*data_0: T) -> T:
    """The sum of any number of Tensors."""
    return reduce(np.add, data_0)


@vjp("Sum")
def _sum_vjp(g, _y, *_data):
    return [g] * len(_data)


@op("Mean")
def mean(*data_0: T) -> T:
    """The mean of any number of Tensors, element by element."""
    total = reduce(np.add, data_0)
    return total if len(data_0) == 1 else np.divide(total, total.dtype.type(len(data_0)))


@vjp("Mean")
def _mean_vjp(g, _y, *_data):
    share = g if len(_data) == 1 else g / float(len(_data))
    return [share] * len(_data)
