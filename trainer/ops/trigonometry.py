"""Circular and hyperbolic functions and their inverses; angles are in radians."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T, op, vjp
from trainer.core.tensor import apply
from trainer.ops.blocks import blockwise
from trainer.ops.ieee import quiet
from trainer.ops.rowwise import elementwise


@op("Sin")
@quiet
@blockwise
def sin(input: T) -> T:
    """The sine of each element."""
    return np.sin(input)


@vjp("Sin")
def _sin_vjp(g, _y, input):
    return g * apply("Cos", input)


@op("Cos")
@quiet
@blockwise
def cos(input: T) -> T:
    """The cosine of each element."""
    return np.cos(input)


@vjp("Cos")
def _cos_vjp(g, _y, input):
    return -(g * apply("Sin", input))


@op("Tan")
@quiet
@blockwise
def tan(input: T) -> T:
    """The tangent of each element."""
    return np.tan(input)


@vjp("Tan")
def _tan_vjp(g, y, _input):
    return g * (y * y + 1.0)


@op("Asin")
@quiet
@blockwise
def asin(input: T) -> T:
    """The angle whose sine is each element, from -pi/2 to pi/2."""
    return np.arcsin(input)


@vjp("Asin")
@elementwise
def _asin_vjp(g, _y, input):
    return g / (1.0 - input * input).sqrt()


@op("Acos")
@quiet
@blockwise
def acos(input: T) -> T:
    """The angle whose cosine is each element, from 0 to pi."""
    return np.arccos(input)


@vjp("Acos")
@elementwise
def _acos_vjp(g, _y, input):
    return -(g / (1.0 - input * input).sqrt())


@op("Atan")
@blockwise
def atan(input: T) -> T:
    """The angle whose tangent is each element, from -pi/2 to pi/2."""
    return np.arctan(input)


@vjp("Atan")
def _atan_vjp(g, _y, input):
    return g / (input * input + 1.0)


@op("Sinh")
@quiet
@blockwise
def sinh(input: T) -> T:
    """The hyperbolic sine of each element."""
    return np.sinh(input)


@vjp("Sinh")
def _sinh_vjp(g, _y, input):
    return g * apply("Cosh", input)


@op("Cosh")
@quiet
@blockwise
def cosh(input: T) -> T:
    """The hyperbolic cosine of each element."""
    return np.cosh(input)


@vjp("Cosh")
def _cosh_vjp(g, _y, input):
    return g * apply("Sinh", input)


@op("Asinh")
@blockwise
def asinh(input: T) -> T:
    """The number whose hyperbolic sine is each element."""
    return np.arcsinh(input)


@vjp("Asinh")
@elementwise
def _asinh_vjp(g, _y, input):
    return g / (input * input + 1.0).sqrt()


@op("Acosh")
@quiet
@blockwise
def acosh(input: T) -> T:
    """The number, at least 0, whose hyperbolic cosine is each element."""
    return np.arccosh(input)


@vjp("Acosh")
@elementwise
def _acosh_vjp(g, _y, input):
    return g / (input * input - 1.0).sqrt()


@op("Atanh")
@quiet
@blockwise
def atanh(input: T) -> T:
    """The number whose hyperbolic tangent is each element."""
    return np.arctanh(input)


@vjp("Atanh")
def _atanh_vjp(g, _y, input):
    return g / (1.0 - input * input)
