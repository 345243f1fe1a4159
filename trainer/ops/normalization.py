"""Normalization to mean 0 and variance 1: over the batch, a layer, an instance or a group of channels."""

from __future__ import annotations

import functools
import operator
from math import prod
from typing import Any

import numpy as np

from trainer.core.define import T1, T2, Array, T, op, vjp
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply
from trainer.ops.precision import narrow, widen


@op("BatchNormalization")
def batch_normalization(
    x: T,
    scale: T1,
    b: T1,
    input_mean: T2,
    input_var: T2,
    *,
    epsilon=1e-5,
    momentum=0.9,
    training_mode=0,
    outputs=1,
) -> tuple[Array, ...]:
    """Subtract a mean and divide by a standard deviation per channel, then scale and shift.

    In training mode the variance is that of the population (PyTorch: of the sample), and the momentum
    is 1 minus PyTorch's.

    Args:
        x: Values [N, C, ...].
        scale: Factor per channel [C].
        b: Shift per channel [C].
        input_mean: Running mean [C].
        input_var: Running variance [C].
        epsilon: Added to the variance. Defaults to 1e-5.
        momentum: The share of the old running values in the new ones. Defaults to 0.9.
        training_mode: 1 to normalize with the mean and variance of `x`. Defaults to 0, with the
            running ones.

    Returns:
        The normalized values and, in training mode, the new running mean and variance.

    Reference:
        Ioffe and Szegedy, Batch Normalization, 2015.
    """
    wide, axes, across = widen(x), _all_but_channels(x.ndim), _across_channels(x.ndim)
    mean, var = input_mean.astype(wide.dtype), input_var.astype(wide.dtype)
    running: tuple[Array, ...] = ()
    if training_mode:
        old_mean, old_var = mean, var
        mean = wide.mean(axes)
        var = np.square(wide - mean.reshape(across)).mean(axes)
        running = (
            narrow(momentum * old_mean + (1 - momentum) * mean, input_mean.dtype),
            narrow(momentum * old_var + (1 - momentum) * var, input_var.dtype),
        )
    factor = scale.astype(wide.dtype) / np.sqrt(var + epsilon)
    y = wide * factor.reshape(across)
    y += (b.astype(wide.dtype) - mean * factor).reshape(across)
    return narrow(y, x.dtype), *running  # however many are asked for: ONNX wants all or none


@vjp("BatchNormalization")
def _batch_normalization_vjp(
    gradients, _y, x, scale, _b, mean, var, *, epsilon, momentum, training_mode
):
    if training_mode:
        return _batch_training_rule(gradients, x, scale, mean, var, epsilon, momentum)
    return _batch_inference_rule(gradients[0], x, scale, mean, var, epsilon)


def _batch_inference_rule(g, x, scale, mean, var, epsilon):
    axes, across = list(_all_but_channels(x.ndim)), _across_channels(x.ndim)
    inverse = apply("Reciprocal", (_as(var, x.dtype) + epsilon).sqrt())
    standard = (x - _as(mean, x.dtype).reshape(across)) * inverse.reshape(across)
    factor = _as(scale, x.dtype) * inverse
    return (
        lambda: g * factor.reshape(across),
        lambda: _as((g * standard).sum(axis=axes), scale.dtype),
        lambda: _as(g.sum(axis=axes), scale.dtype),
        lambda: _as(g.sum(axis=axes) * -factor, mean.dtype),
        lambda: _as((g * standard).sum(axis=axes) * factor * inverse * -0.5, var.dtype),
    )


def _batch_training_rule(gradients, x, scale, mean, var, epsilon, momentum):
    axes, across = list(_all_but_channels(x.ndim)), _across_channels(x.ndim)
    g, g_mean, g_var = gradients
    standard, inverse = _standardize_by_operators(x, axes, epsilon)

    def by_x():
        scaled = standard * 0.0 if g is None else g * _as(scale, x.dtype).reshape(across)
        result = _through(scaled, standard, inverse, axes)
        new = (1.0 - momentum) * x.shape[1] / apply("Size", x).cast(x.dtype)
        if g_mean is not None:
            result = result + (_as(g_mean, x.dtype) * new).reshape(across)
        if g_var is not None:
            result = result + (_as(g_var, x.dtype) * new * 2.0).reshape(across) * standard / inverse
        return result

    return (
        by_x,
        None if g is None else lambda: _as((g * standard).sum(axis=axes), scale.dtype),
        None if g is None else lambda: _as(g.sum(axis=axes), scale.dtype),
        None if g_mean is None else g_mean * momentum,
        None if g_var is None else g_var * momentum,
    )


@op("LayerNormalization")
def layer_normalization(
    x: T, scale: T, b: T | None = None, *, axis=-1, epsilon=1e-5, stash_type=1, outputs=1
) -> tuple[Array, ...]:
    """Bring all axes from `axis` on to mean 0 and variance 1, then scale and shift.

    Example:
        >>> import numpy as np
        >>> x = np.array([[1, 3], [0, 8]], np.float32)
        >>> layer_normalization(x, np.ones(2, np.float32), epsilon=0.0)
        Tensor([[-1.,  1.],
                [-1.,  1.]])

    Args:
        x: Any Tensor.
        scale: Factor, of a shape that broadcasts to the normalized axes.
        b: Shift, likewise. Defaults to none.
        axis: The first of the normalized axes. Defaults to the last.
        epsilon: Added to the variance. Defaults to 1e-5.
        stash_type: The ONNX type of the mean and the deviation: 1, float32 (float64 if `x` is).

    Returns:
        The normalized values and, where asked for, the mean and the inverse of the deviation, with
        size 1 in the normalized axes.

    Reference:
        Ba, Kiros and Hinton, Layer Normalization, 2016.
    """
    wide, axis = widen(x), axis % x.ndim
    rows = wide.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))
    y, mean, inverse = _standardize(rows, epsilon)
    y = y.reshape(x.shape)
    y *= scale
    if b is not None:
        y += b
    row = (*x.shape[:axis], *(1,) * (x.ndim - axis))
    return (narrow(y, x.dtype), mean.reshape(row), inverse.reshape(row))[:outputs]


@vjp("LayerNormalization", outputs=3)
def _layer_normalization_vjp(gradients, y, x, scale, _b=None, *, axis):
    g, g_mean, g_inverse = (*gradients, None, None)[:3]
    mean, inverse = y[1], y[2]
    axes = [*range(axis % x.ndim, x.ndim)]
    row, each = x.shape[axes[0] :], 1.0 / prod(x.shape[axes[0] :])
    standard = (_as(x, mean.dtype) - mean) * inverse
    terms = []
    if g is not None:
        terms.append(_through(_as(g * scale, mean.dtype), standard, inverse, axes))
    # The gradient of this gradient comes through the mean and the deviation, too.
    if g_mean is not None:
        terms.append(apply("Expand", g_mean * each, list(row)))
    if g_inverse is not None:
        terms.append(standard * (g_inverse * inverse * inverse * -each))
    by_x = _as(functools.reduce(operator.add, terms), x.dtype)
    return by_x, None if g is None else lambda: g * _as(standard, x.dtype), g


@op("InstanceNormalization")
def instance_normalization(input: T, scale: T, b: T, *, epsilon=1e-5) -> T:
    """Bring each channel of each image to mean 0 and variance 1, then scale and shift.

    Args:
        input: Images [N, C, ...].
        scale: Factor per channel [C].
        b: Shift per channel [C].
        epsilon: Added to the variance. Defaults to 1e-5.

    Reference:
        Ulyanov, Vedaldi and Lempitsky, Instance Normalization, 2016.
    """
    return _group_normalization(input, scale, b, input.shape[1], epsilon)


@vjp("InstanceNormalization")
def _instance_normalization_vjp(g, _y, x, scale, _b, *, epsilon):
    return _group_normalization_rule(g, x, scale, x.shape[1], epsilon)


@op("GroupNormalization")
def group_normalization(x: T, scale: T, bias: T, *, num_groups, epsilon=1e-5, stash_type=1) -> T:
    """Bring each group of channels of each image to mean 0 and variance 1, then scale and shift.

    Args:
        x: Images [N, C, ...].
        scale: Factor per channel [C], or per group as before opset 21.
        bias: Shift, likewise.
        num_groups: How many groups of channels there are.
        epsilon: Added to the variance. Defaults to 1e-5.
        stash_type: The ONNX type to compute with: 1, float32 (float64 if `x` is).

    Reference:
        Wu and He, Group Normalization, 2018.
    """
    if num_groups < 1 or x.shape[1] % num_groups:
        raise OperatorError(f"{x.shape[1]} channels do not split into {num_groups} groups")
    return _group_normalization(x, scale, bias, num_groups, epsilon)


@vjp("GroupNormalization")
def _group_normalization_vjp(g, _y, x, scale, _bias, *, num_groups, epsilon):
    return _group_normalization_rule(g, x, scale, num_groups, epsilon)


def _standardize(rows: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """Rows with mean 0 and variance 1, in memory of their own, with their mean and 1 / deviation."""
    columns = max(rows.shape[1], 1)
    mean = np.add.reduce(rows, 1, keepdims=True) / columns
    standard = rows - mean
    inverse = np.vecdot(standard, standard)[:, None]
    inverse /= columns
    inverse += epsilon
    np.sqrt(inverse, out=inverse)
    np.divide(1, inverse, out=inverse)
    standard *= inverse
    return standard, mean, inverse


def _group_normalization(x: Array, scale: Array, b: Array, groups: int, epsilon: float) -> Array:
    wide = widen(x)
    rows = wide.reshape(x.shape[0] * groups, prod(x.shape[1:]) // max(groups, 1))
    y = _standardize(rows, epsilon)[0].reshape(x.shape)
    y *= _per_channel(scale, x.shape[1]).reshape(_across_channels(x.ndim))
    y += _per_channel(b, x.shape[1]).reshape(_across_channels(x.ndim))
    return narrow(y, x.dtype)


def _per_channel(values: Array, channels: int) -> Array:
    if channels % values.size:
        raise OperatorError(f"{values.size} factors or shifts do not fit {channels} channels")
    return np.repeat(values, channels // values.size)


def _group_normalization_rule(
    g: Tensor, x: Tensor, scale: Tensor, groups: int, epsilon: float
) -> tuple[Any, ...]:
    channels, spatial, factors = x.shape[1], x.shape[2:], scale.shape[0]
    rows = (-1, groups, channels // groups * prod(spatial))
    standard, inverse = _standardize_by_operators(x.reshape(*rows), [2], epsilon)
    # Factors per channel or per group of channels: one and the same with the channels split.
    split = (-1, factors, channels // factors * prod(spatial))
    scaled = (g.reshape(*split) * scale.reshape(factors, 1)).reshape(*rows)
    return (
        lambda: _through(scaled, standard, inverse, [2]).reshape(-1, channels, *spatial),
        lambda: (g.reshape(*split) * standard.reshape(*split)).sum(axis=[0, 2]),
        lambda: g.reshape(*split).sum(axis=[0, 2]),
    )


def _standardize_by_operators(x: Tensor, axes: list[int], epsilon: float) -> tuple[Tensor, Tensor]:
    """Values with mean 0 and variance 1 over some axes, and 1 / deviation."""
    centered = x - x.mean(axis=axes, keepdims=True)
    var = (centered * centered).mean(axis=axes, keepdims=True)
    inverse = apply("Reciprocal", (var + epsilon).sqrt())
    return centered * inverse, inverse


def _through(g: Tensor, standard: Tensor, inverse: Tensor, axes: list[int]) -> Tensor:
    """The gradient of values from that of their standardized form."""
    along = (g * standard).mean(axis=axes, keepdims=True)
    return (g - g.mean(axis=axes, keepdims=True) - standard * along) * inverse


def _all_but_channels(ndim: int) -> tuple[int, ...]:
    return (0, *range(2, ndim))


def _across_channels(ndim: int) -> tuple[int, ...]:
    """The shape that brings one number per channel next to [N, C, ...]."""
    return (-1, *(1,) * (ndim - 2))


def _as(x: Tensor, dtype: np.dtype[Any]) -> Tensor:
    return x if x.dtype == dtype else x.cast(dtype)
