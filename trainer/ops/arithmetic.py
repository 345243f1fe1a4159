"""Arithmetic, element by element, with numpy's broadcasting."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T, op, vjp


@op("Add")
def add(a: T, b: T) -> T:
    """The sum of two Tensors."""
    return np.add(a, b)


@vjp("Add")
def _add_vjp(g, _y, _a, _b):
    return g, g


@op("Mul")
def mul(a: T, b: T) -> T:
    """The product of two Tensors, element by element."""
    return np.multiply(a, b)


@vjp("Mul")
def _mul_vjp(g, _y, a, b):
    return lambda: g * b, lambda: g * a
