"""The larger and the smaller of Tensors, element by element, and values held between bounds."""

from __future__ import annotations

from functools import reduce

import numpy as np

from trainer.core.define import T, op, vjp
from trainer.core.tensor import apply


@op("Max")
def max(*data_0: T) -> T:
    """The largest of any number of Tensors, element by element."""
    return reduce(_larger, data_0)


@vjp("Max")
def _max_vjp(g, y, *data):
    return _shared_by_equals(g, y, data)


@op("Min")
def min(*data_0: T) -> T:
    """The smallest of any number of Tensors, element by element."""
    return reduce(_smaller, data_0)


@vjp("Min")
def _min_vjp(g, y, *data):
    return _shared_by_equals(g, y, data)


def _shared_by_equals(g, y, data):
    """The gradient goes to the inputs that attain the extremum, in equal parts."""
    if len(data) == 1:
        return g
    hits = [(x == y).cast(g.dtype) for x in data]
    share = g / apply("Sum", *hits)
    return [lambda hit=hit: hit * share for hit in hits]


def _larger(a, b):
    return a.clip(b, np.inf) if _holds(b, a) else np.maximum(a, b)


def _smaller(a, b):
    return a.clip(-np.inf, b) if _holds(b, a) else np.minimum(a, b)


def _holds(bound, x):
    """Whether it is one bound of many numbers: clip is three times as fast as an extremum then."""
    return not bound.ndim and x.size > _MANY and x.dtype.kind == "f"


_MANY = 4096


@op("Clip")
def clip(input: T, min: T | None = None, max: T | None = None) -> T:
    """Each element, or the bound that it exceeds; where the bounds cross, `max`.

    Args:
        input: Any Tensor of numbers.
        min: The lower bound, a scalar. Defaults to none.
        max: The upper bound, a scalar. Defaults to none.
    """
    if min is not None and max is not None:
        return np.clip(input, min, max)
    if min is not None:
        return np.maximum(input, min)
    return input if max is None else np.minimum(input, max)


@vjp("Clip")
def _clip_vjp(g, _y, input, min=None, max=None):
    if min is None and max is None:
        return g
    lower = input if min is None else apply("Max", input, min)
    inside = (input == lower) if max is None else (input == apply("Min", lower, max))
    below = None if min is None else lambda: g * _below(input, min, max).cast(g.dtype)
    above = None if max is None else lambda: g * (lower > max).cast(g.dtype)
    return lambda: g * inside.cast(g.dtype), below, above


def _below(input, min, max):
    under = input < min
    return under if max is None else under & (min <= max)
