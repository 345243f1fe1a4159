"""Rescaling without parameters: by the norm along an axis, or by what neighboring channels show."""

from __future__ import annotations

from math import prod

import numpy as np

from trainer.core.define import T, op, vjp
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply
from trainer.ops.ieee import widened
from trainer.ops.norm import direction, over


@op("LpNormalization")
@widened
def lp_normalization(input: T, *, axis=-1, p=2) -> T:
    """Divide by the norm along an axis; where that is 0, so is the result.

    Example:
        >>> import numpy as np
        >>> lp_normalization(np.array([3, 4], np.float32))
        Tensor([0.6, 0.8])

    Args:
        input: Any Tensor.
        axis: Along which to take the norm. Defaults to the last.
        p: 1 or 2. Defaults to 2.
    """
    if p not in (1, 2):
        raise OperatorError(f"the norm is 1 or 2, not {p}")
    powers = np.abs(input) if p == 1 else np.square(input)
    norm = powers.sum(axis=axis, keepdims=True)
    if p == 2:
        norm = np.sqrt(norm)
    norm[norm == 0] = 1
    return input / norm


@vjp("LpNormalization")
def _lp_normalization_vjp(g, y, x, *, axis, p):
    powers = (abs(x) if p == 1 else x * x).sum(axis=axis, keepdims=True)
    norm = powers if p == 1 else powers.sqrt()
    along = (g * y).sum(axis=axis, keepdims=True)
    return over(g - along * over(direction(x, p), norm, p), norm)


@op("LRN")
@widened
def lrn(x: T, *, size, alpha=1e-4, beta=0.75, bias=1.0) -> T:
    """Divide by (bias + alpha / size * the sum of squares over `size` neighboring channels)^beta.

    Args:
        x: Images [N, C, ...].
        size: How many channels are neighbors.
        alpha: The factor of the squares. Defaults to 1e-4.
        beta: The exponent. Defaults to 0.75.
        bias: What is added to the squares. Defaults to 1.

    Reference:
        Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural
        Networks, 2012, section 3.3.
    """
    before, after = (size - 1) // 2, size // 2
    squares = np.zeros((x.shape[0], before + x.shape[1] + after, *x.shape[2:]), x.dtype)
    np.square(x, out=squares[:, before : before + x.shape[1]])
    sums = squares[:, : x.shape[1]].copy()
    for shift in range(1, size):
        sums += squares[:, shift : shift + x.shape[1]]
    sums *= alpha / size
    sums += bias
    sums **= -beta
    sums *= x
    return sums


@vjp("LRN")
def _lrn_vjp(g, _y, x, *, size, alpha, beta, bias):
    before, after = (size - 1) // 2, size // 2
    scale = _mean_over_channels(x * x, size, before, after) * alpha + bias
    power = scale**-beta
    # Each channel is a neighbor of those that are its own neighbors, seen from the other side.
    felt = _mean_over_channels(g * x * power / scale, size, after, before)
    return g * power - x * felt * (2.0 * alpha * beta)


def _mean_over_channels(x: Tensor, size: int, before: int, after: int) -> Tensor:
    """Means over `size` channels, zeros where there are none."""
    rows = x.reshape(-1, 1, x.shape[1], prod(x.shape[2:]))
    means: Tensor = apply(
        "AveragePool",
        rows,
        kernel_shape=[size, 1],
        pads=[before, 0, after, 0],
        count_include_pad=1,
    )
    return means.reshape(-1, *x.shape[1:])
