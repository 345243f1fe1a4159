"""Losses, as functions of predictions and targets."""

from __future__ import annotations

import math

from trainer.core.errors import ConfigError
from trainer.core.tensor import Tensor, apply


def cross_entropy(logits: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The negative logarithm of the softmax at the true class.

    Example:
        >>> cross_entropy(Tensor([[0.0, 0.0]]), Tensor([1]))
        Tensor(0.6931472)

    Args:
        logits: [batch, classes, ...], floating point.
        target: [batch, ...], the classes as int64.
        reduction: "mean", "sum" or "none". Defaults to "mean".
    """
    chosen = apply("GatherElements", _log_softmax(logits), target.unsqueeze(1), axis=1)
    return _reduced(-chosen.squeeze(1), reduction)


def mse_loss(prediction: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared difference.

    Args:
        prediction: Any shape, floating point.
        target: The same shape and dtype.
        reduction: "mean", "sum" or "none". Defaults to "mean".
    """
    _same_shape("mse_loss", prediction, target)
    difference = prediction - target
    return _reduced(difference * difference, reduction)


def l1_loss(prediction: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The absolute difference.

    Args:
        prediction: Any shape, floating point.
        target: The same shape and dtype.
        reduction: "mean", "sum" or "none". Defaults to "mean".
    """
    _same_shape("l1_loss", prediction, target)
    return _reduced(abs(prediction - target), reduction)


def binary_cross_entropy(probability: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """-(y log p + (1 - y) log(1 - p)), each logarithm at least -100, as in PyTorch.

    Args:
        probability: Any shape, values in [0, 1].
        target: The same shape and dtype, values in [0, 1].
        reduction: "mean", "sum" or "none". Defaults to "mean".
    """
    _same_shape("binary_cross_entropy", probability, target)
    positive, negative = _bounded_log(probability), _bounded_log(1.0 - probability)
    return _reduced(-(target * positive + (1.0 - target) * negative), reduction)


def binary_cross_entropy_with_logits(
    logits: Tensor, target: Tensor, reduction: str = "mean"
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(logits), exact for large logits.

    Args:
        logits: Any shape, floating point.
        target: The same shape and dtype, values in [0, 1].
        reduction: "mean", "sum" or "none". Defaults to "mean".
    """
    _same_shape("binary_cross_entropy_with_logits", logits, target)
    tail = apply("Softplus", -abs(logits))
    return _reduced(logits.relu() - logits * target + tail, reduction)


def _log_softmax(logits: Tensor) -> Tensor:
    return apply("LogSoftmax", logits, axis=1)


def _bounded_log(x: Tensor) -> Tensor:
    """The logarithm, but -100 with gradient 0 where it would be less."""
    below = x <= math.exp(-100.0)
    return apply("Where", below, -100.0, apply("Where", below, 1.0, x).log())


def _same_shape(name: str, prediction: Tensor, target: Tensor) -> None:
    if prediction.shape != target.shape:
        raise ConfigError(
            f"{name}: predictions have the shape {list(prediction.shape)}, targets "
            f"{list(target.shape)}; they must be equal, or one would be broadcast unnoticed."
        )


def _reduced(values: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return values.mean()
    if reduction == "sum":
        return values.sum()
    if reduction == "none":
        return values
    raise ConfigError(f"reduction={reduction!r}: it is 'mean', 'sum' or 'none'.")
