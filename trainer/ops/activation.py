"""Activation functions, element by element."""

from __future__ import annotations

import math

import numpy as np

from trainer.core.define import T, op, vjp
from trainer.core.tensor import apply
from trainer.ops.blocks import blockwise
from trainer.ops.exponential import error_function
from trainer.ops.ieee import quiet, widened
from trainer.ops.rectifier import positive_part
from trainer.ops.rowwise import elementwise


@op("Sigmoid")
@blockwise
@quiet
@widened
def sigmoid(x: T) -> T:
    """1 / (1 + exp(-x)) of each element."""
    return logistic(x)


def logistic(x):
    """1 / (1 + exp(-x)), with its relative accuracy far below 0, too."""
    y = np.negative(x)
    y = np.exp(y, out=y if y.ndim else None)
    y += x.dtype.type(1)
    return np.reciprocal(y, out=y if x.ndim else None)


@vjp("Sigmoid")
def _sigmoid_vjp(g, y, _x):
    return g * (y * (1.0 - y))


@op("Tanh")
def tanh(input: T) -> T:
    """The hyperbolic tangent of each element."""
    return np.tanh(input)


@vjp("Tanh")
def _tanh_vjp(g, y, _input):
    return g * (1.0 - y * y)


@op("HardSigmoid")
@blockwise
@widened
def hard_sigmoid(x: T, *, alpha: float = 0.2, beta: float = 0.5) -> T:
    """The line alpha * x + beta, held between 0 and 1.

    Args:
        x: Any floating point Tensor.
        alpha: The slope. Defaults to 0.2.
        beta: The value at 0. Defaults to 0.5.
    """
    line = x * x.dtype.type(alpha)
    line += x.dtype.type(beta)
    return line.clip(x.dtype.type(0), x.dtype.type(1))


@vjp("HardSigmoid")
def _hard_sigmoid_vjp(g, y, _x, *, alpha):
    return g * ((y > 0.0) & (y < 1.0)).cast(g.dtype) * alpha


@op("HardSwish")
@blockwise
@widened
def hard_swish(x: T) -> T:
    """Each element times the line x / 6 + 1/2 held between 0 and 1 (Howard et al., 2019)."""
    y = x * x.dtype.type(1 / 6)
    y += x.dtype.type(0.5)
    y = y.clip(x.dtype.type(0), x.dtype.type(1), out=y if y.ndim else None)
    y *= x
    return y


@vjp("HardSwish")
@elementwise
def _hard_swish_vjp(g, _y, x):
    slope = apply("Where", x < 3.0, x * (1 / 3) + 0.5, 1.0)
    return g * apply("Where", x > -3.0, slope, 0.0)


@op("Gelu")
@quiet
@blockwise
@widened
def gelu(x: T, *, approximate: str = "none") -> T:
    """Each element times the probability that a normal number is below it (Hendrycks and Gimpel, 2016).

    Args:
        x: Any floating point Tensor.
        approximate: "none", or "tanh" for the formula with a hyperbolic tangent. Defaults to "none".
    """
    if approximate == "tanh":
        inner = x * x
        inner *= x.dtype.type(0.044715)
        inner += x.dtype.type(1)
        inner *= x
        inner *= x.dtype.type(math.sqrt(2 / math.pi))
        y = np.tanh(inner)
    else:
        y = error_function(x * x.dtype.type(math.sqrt(0.5)))
    y += x.dtype.type(1)
    y *= x
    y *= x.dtype.type(0.5)
    return y


@vjp("Gelu")
@elementwise
def _gelu_vjp(g, _y, x, *, approximate):
    if approximate == "tanh":
        root = math.sqrt(2 / math.pi)
        square = x * x
        tangent = apply("Tanh", x * (square * (0.044715 * root) + root))
        steepness = (1.0 - tangent * tangent) * (square * (3 * 0.044715 * root) + root)
        return g * ((tangent + x * steepness) * 0.5 + 0.5)
    probability = apply("Erf", x * math.sqrt(0.5)) * 0.5 + 0.5
    density = apply("Exp", x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return g * (probability + x * density)


@op("Softplus")
@blockwise
@widened
def softplus(x: T) -> T:
    """log(1 + exp(x)) of each element."""
    y = np.exp(-np.abs(x))
    y = np.log1p(y)
    y += positive_part(x)
    return y


@vjp("Softplus")
def _softplus_vjp(g, _y, x):
    return g * apply("Sigmoid", x)


@op("Softsign")
@blockwise
@widened
def softsign(input: T) -> T:
    """X / (1 + |x|) of each element."""
    divisor = np.abs(input)
    divisor += 1
    return input / divisor


@vjp("Softsign")
@elementwise
def _softsign_vjp(g, _y, input):
    divisor = abs(input) + 1.0
    return g / (divisor * divisor)


@op("Mish")
@blockwise
@widened
def mish(x: T) -> T:
    """X * tanh(log(1 + exp(x))) of each element (Misra, 2019)."""
    e = np.exp(np.minimum(x, x.dtype.type(40)))  # the tangent is 1 long before that
    e *= e + 2
    return x * (e / (e + 2))


@vjp("Mish")
@elementwise
def _mish_vjp(g, _y, x):
    tangent = apply("Tanh", apply("Softplus", x))
    return g * (tangent + x * apply("Sigmoid", x) * (1.0 - tangent * tangent))
