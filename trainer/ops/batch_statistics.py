"""Batch normalization: each channel to mean 0 and variance 1 over a batch, or by running statistics."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T1, T2, Array, T, op, vjp
from trainer.core.tensor import apply
from trainer.ops.ieee import widen
from trainer.ops.standardization import (
    across_channels,
    all_but_channels,
    as_dtype,
    standardize,
    through_standardization,
)


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
    wide, axes, across = widen(x), all_but_channels(x.ndim), across_channels(x.ndim)
    mean, var = input_mean.astype(wide.dtype), input_var.astype(wide.dtype)
    running: tuple[Array, ...] = ()
    if training_mode:
        old_mean, old_var = mean, var
        mean = wide.mean(axes)
        var = np.square(wide - mean.reshape(across)).mean(axes)
        running = (
            (momentum * old_mean + (1 - momentum) * mean).astype(input_mean.dtype, copy=False),
            (momentum * old_var + (1 - momentum) * var).astype(input_var.dtype, copy=False),
        )
    factor = scale.astype(wide.dtype) / np.sqrt(var + epsilon)
    y = wide * factor.reshape(across)
    y += (b.astype(wide.dtype) - mean * factor).reshape(across)
    return y.astype(
        x.dtype, copy=False
    ), *running  # however many are asked for: ONNX wants all or none


@vjp("BatchNormalization")
def _batch_normalization_vjp(
    gradients, _y, x, scale, _b, mean, var, *, epsilon, momentum, training_mode
):
    if training_mode:
        return _batch_training_rule(gradients, x, scale, mean, var, epsilon, momentum)
    return _batch_inference_rule(gradients[0], x, scale, mean, var, epsilon)


def _batch_inference_rule(g, x, scale, mean, var, epsilon):
    axes, across = list(all_but_channels(x.ndim)), across_channels(x.ndim)
    inverse = apply("Reciprocal", (as_dtype(var, x.dtype) + epsilon).sqrt())
    standard = (x - as_dtype(mean, x.dtype).reshape(across)) * inverse.reshape(across)
    factor = as_dtype(scale, x.dtype) * inverse
    return (
        lambda: g * factor.reshape(across),
        lambda: as_dtype((g * standard).sum(axis=axes), scale.dtype),
        lambda: as_dtype(g.sum(axis=axes), scale.dtype),
        lambda: as_dtype(g.sum(axis=axes) * -factor, mean.dtype),
        lambda: as_dtype((g * standard).sum(axis=axes) * factor * inverse * -0.5, var.dtype),
    )


def _batch_training_rule(gradients, x, scale, mean, var, epsilon, momentum):
    axes, across = list(all_but_channels(x.ndim)), across_channels(x.ndim)
    g, g_mean, g_var = gradients
    standard, inverse = standardize(x, axes, epsilon)

    def by_x():
        scaled = standard * 0.0 if g is None else g * as_dtype(scale, x.dtype).reshape(across)
        result = through_standardization(scaled, standard, inverse, axes)
        new = (1.0 - momentum) * x.shape[1] / apply("Size", x).cast(x.dtype)
        if g_mean is not None:
            result = result + (as_dtype(g_mean, x.dtype) * new).reshape(across)
        if g_var is not None:
            result = (
                result + (as_dtype(g_var, x.dtype) * new * 2.0).reshape(across) * standard / inverse
            )
        return result

    return (
        by_x,
        None if g is None else lambda: as_dtype((g * standard).sum(axis=axes), scale.dtype),
        None if g is None else lambda: as_dtype(g.sum(axis=axes), scale.dtype),
        None if g_mean is None else g_mean * momentum,
        None if g_var is None else g_var * momentum,
    )
