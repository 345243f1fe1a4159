"""Global pooling: one number per channel of an image, its maximum, mean or norm."""

from __future__ import annotations

from math import prod

import numpy as np

from trainer.core.define import Array, T, op, vjp
from trainer.core.errors import OperatorError
from trainer.core.tensor import apply
from trainer.ops.adjoint import zeros
from trainer.ops.ieee import widened
from trainer.ops.norm import direction, over


@op("GlobalMaxPool")
def global_max_pool(x: T) -> T:
    """The largest element of each channel of each image [N, C, ...], as [N, C, 1, ...]."""
    return x.max(axis=_spatial(x), keepdims=True)


@vjp("GlobalMaxPool")
def _global_max_pool_vjp(g, _y, x):
    rows = x.reshape(*x.shape[:2], prod(x.shape[2:]))
    places = apply("ArgMax", rows, axis=2, keepdims=1)  # the first of equals, as in PyTorch
    largest = g.reshape(*x.shape[:2], 1)
    by_rows = apply("ScatterElements", zeros(rows.shape, g), places, largest, axis=2)
    return by_rows.reshape(*x.shape)


@op("GlobalAveragePool")
@widened
def global_average_pool(x: T) -> T:
    """The mean of each channel of each image [N, C, ...], as [N, C, 1, ...]."""
    return x.mean(axis=_spatial(x), keepdims=True)


@vjp("GlobalAveragePool")
def _global_average_pool_vjp(g, _y, _x):
    spatial = _x.shape[2:]
    return apply("Expand", g * (1.0 / prod(spatial)), list(spatial))


@op("GlobalLpPool")
@widened
def global_lp_pool(x: T, *, p=2) -> T:
    """The p-norm of each channel of each image [N, C, ...], as [N, C, 1, ...].

    Args:
        x: Images [N, C, ...].
        p: Of the norm. Defaults to 2.
    """
    powers = np.abs(x)
    powers **= p
    y = powers.sum(axis=_spatial(x), keepdims=True)
    y **= 1 / p
    return y


@vjp("GlobalLpPool")
def _global_lp_pool_vjp(g, y, x, *, p):
    return over(g, y, p) * direction(x, p)


def _spatial(x: Array) -> tuple[int, ...]:
    if x.ndim < 3:
        raise OperatorError("images are [N, C, ...] with at least one spatial axis")
    return tuple(range(2, x.ndim))
