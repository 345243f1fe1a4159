"""Sine and cosine."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T, op, vjp
from trainer.core.tensor import apply
from trainer.ops.ieee import quiet


@op("Sin")
@quiet
def sin(input: T) -> T:
    """The sine of each element, in radians."""
    return np.sin(input)


@vjp("Sin")
def _sin_vjp(g, _y, input):
    return g * apply("Cos", input)


@op("Cos")
@quiet
def cos(input: T) -> T:
    """The cosine of each element, in radians."""
    return np.cos(input)


@vjp("Cos")
def _cos_vjp(g, _y, input):
    return -(g * apply("Sin", input))
