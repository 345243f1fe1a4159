"""Powers, roots, exponentials, logarithms and the error function."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from trainer.core.define import T1, Array, T, op, vjp
from trainer.core.tensor import apply
from trainer.ops.ieee import quiet, widened


@op("Exp")
@quiet
def exp(input: T) -> T:
    """The exponential of each element."""
    return np.exp(input)


@vjp("Exp")
def _exp_vjp(g, y, _input):
    return g * y


@op("Log")
@quiet
def log(input: T) -> T:
    """The natural logarithm of each element."""
    return np.log(input)


@vjp("Log")
def _log_vjp(g, _y, input):
    return g / input


@op("Sqrt")
@quiet
def sqrt(x: T) -> T:
    """The square root of each element."""
    return np.sqrt(x)


@vjp("Sqrt")
def _sqrt_vjp(g, y, _x):
    return g / (y * 2.0)


@op("Pow")
@quiet
def pow(x: T, y: T1) -> T:
    """Each element raised to a power.

    Args:
        x: The bases; their dtype is that of the result.
        y: The exponents, of any number type.
    """
    if y.size == 1 and x.ndim >= y.ndim:
        special_case = _POWERS.get(y.item())
        if special_case is not None and x.dtype.kind != "i":
            return special_case(x)
    return np.power(x, y).astype(x.dtype, copy=False)


# numpy's power takes five times as long as these.
_POWERS: dict[float, Callable[[Array], Array]] = {
    -1.0: np.reciprocal,
    0.5: np.sqrt,
    1.0: np.positive,
    2.0: np.square,
    3.0: lambda x: x * x * x,
}


@vjp("Pow")
def _pow_vjp(g, _y, x, y):
    exponent = y.cast(x.dtype)
    return lambda: g * _slope(x, exponent), lambda: _by_exponent(g, x, exponent)


def _slope(x, exponent):
    """The derivative of a power by its base, which is 0 for an exponent of 0 whatever the base."""
    if exponent._node is None and exponent.size == 1:
        number = exponent.item()
        if number == 2:
            return x * 2.0
        if number == 3:
            return x * x * 3.0
        if number == 0.5:
            return 0.5 / apply("Sqrt", x)
    less = apply("Where", exponent == 0.0, 1.0, exponent - 1.0)
    return exponent * x**less


def _by_exponent(g, x, exponent):
    """The gradient x**y * log(x) of the exponent, which is 0 for a base of 0 and y >= 0."""
    flat = apply("And", x == 0.0, exponent >= 0.0)
    return g * x**exponent * apply("Log", apply("Where", flat, 1.0, x))


@op("Erf")
@widened
def erf(input: T) -> T:
    """The error function of each element."""
    return error_function(input)


@vjp("Erf")
def _erf_vjp(g, _y, input):
    return g * (apply("Exp", -(input * input)) * (2.0 / math.sqrt(math.pi)))


def error_function(x: Array) -> Array:
    """erf(x), within 4e-7 of its value for float32.

    scipy computes float32 in float64, at ten times the cost of the rational function x P(x^2) / Q(x^2)
    between -4 and 4, beyond which float32 has only -1 and 1. The coefficients are those of Eigen
    (`generic_fast_erf_float`).
    """
    if x.dtype != np.float32:
        return np.asarray(special.erf(x))
    x = np.asarray(x, order="C")
    y = np.empty_like(x)
    flat, out = x.reshape(-1), y.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        _erf_of_block(flat[start : start + _BLOCK], out[start : start + _BLOCK])
    return y


_BLOCK = 32768  # what stays in the cache between the steps
_NUMERATOR = [
    np.float32(c)
    for c in (
        -2.72614225801306e-10,
        2.77068142495902e-08,
        -2.10102402082508e-06,
        -5.69250639462346e-05,
        -7.34990630326855e-04,
        -2.95459980854025e-03,
        -1.60960333262415e-02,
    )
]
_DENOMINATOR = [
    np.float32(c)
    for c in (
        -1.45660718464996e-05,
        -2.13374055278905e-04,
        -1.68282697438203e-03,
        -7.37332916720468e-03,
        -1.42647390514189e-02,
    )
]


def _erf_of_block(x: Array, out: Array) -> None:
    clipped = np.clip(x, np.float32(-4), np.float32(4))
    square = clipped * clipped
    _polynomial(_NUMERATOR, square, out)
    out *= clipped
    out /= _polynomial(_DENOMINATOR, square, np.empty_like(square))


def _polynomial(coefficients: list[np.float32], x: Array, out: Array) -> Array:
    """Horner's scheme, in place."""
    out[...] = coefficients[0]
    for coefficient in coefficients[1:]:
        out *= x
        out += coefficient
    return out
