"""Scores along an axis as probabilities, and their logarithms."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T, no_gradient, op, vjp
from trainer.core.tensor import apply
from trainer.ops.blocks import rowwise
from trainer.ops.broadcasting import combine
from trainer.ops.ieee import quiet, widened
from trainer.ops.ranking import largest_over
from trainer.ops.reduction import sum_over


@op("Softmax")
@quiet
@widened
def softmax(input: T, *, axis: int = -1) -> T:
    """Positive numbers that sum to 1 along an axis: exp(x) / sum(exp(x)).

    Args:
        input: Any floating point Tensor.
        axis: The axis whose elements sum to 1. Defaults to the last.
    """
    return rowwise(_softmax, input, axis)


def _softmax(x, axis, out):
    y, total = _exponentials(_shifted(x, axis, out), axis)
    return combine(np.divide, y, total, out=y)


@vjp("Softmax")
def _softmax_vjp(g, y, _input, *, axis):
    weighted = g * y
    return weighted - y * apply("ReduceSum", weighted, [axis], keepdims=1)


@op("LogSoftmax")
@quiet
@widened
def log_softmax(input: T, *, axis: int = -1) -> T:
    """The logarithm of `softmax`: x - log(sum(exp(x))) along an axis.

    Args:
        input: Any floating point Tensor.
        axis: The axis whose exponentials sum to 1. Defaults to the last.
    """
    return rowwise(_log_softmax, input, axis)


def _log_softmax(x, axis, out):
    y = _shifted(x, axis, out)
    _, total = _exponentials(y.copy(), axis)
    return combine(np.subtract, y, np.log(total), out=y)


@vjp("LogSoftmax")
def _log_softmax_vjp(g, y, _input, *, axis):
    return g - apply("Exp", y) * apply("ReduceSum", g, [axis], keepdims=1)


@op("Hardmax")
def hardmax(input: T, *, axis: int = -1) -> T:
    """1 where the largest along an axis stands (the first of equals), 0 elsewhere.

    Args:
        input: Any floating point Tensor.
        axis: The axis. Defaults to the last.
    """
    y = np.zeros(input.shape, input.dtype)
    if input.size:
        np.put_along_axis(y, input.argmax(axis=axis, keepdims=True), 1, axis=axis)
    return y


no_gradient("Hardmax")


def _shifted(x, axis, out):
    """The elements minus the largest, so that none overflows."""
    return np.asarray(combine(np.subtract, x, largest_over(x, (axis % x.ndim,)), out=out))


def _exponentials(x, axis):
    """The exponentials of an array of our own, in its place, and their sum."""
    np.exp(x, out=x)
    return x, sum_over(x, axis)
