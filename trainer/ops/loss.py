"""The losses of classification: negative log-likelihood and softmax cross-entropy."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from trainer.core.define import Array, T, Tind, op, vjp
from trainer.core.errors import GradientError, OperatorError
from trainer.core.tensor import Tensor, apply
from trainer.ops.adjoint import zeros
from trainer.ops.ieee import widen, widened


@op("NegativeLogLikelihoodLoss")
@widened
def negative_log_likelihood_loss(
    input: T, target: Tind, weight: T | None = None, *, ignore_index=None, reduction="mean"
) -> T:
    """The negative of the log-probability that was given to each target.

    Example:
        >>> import numpy as np
        >>> log_prob = np.log(np.array([[0.5, 0.5], [0.2, 0.8]], np.float32))
        >>> negative_log_likelihood_loss(log_prob, np.array([0, 1]), reduction="none")
        Tensor([0.6931..., 0.2231...])

    Args:
        input: Log-probabilities [N, C, ...].
        target: The right classes [N, ...].
        weight: What each class counts [C]. Defaults to 1.
        ignore_index: A target that does not count. Defaults to none.
        reduction: "none", "sum" or "mean" (weighted). Defaults to "mean".
    """
    return _loss(input, target, weight, ignore_index, reduction)


@vjp("NegativeLogLikelihoodLoss")
def _negative_log_likelihood_loss_vjp(
    g, _y, _input, target, weight=None, *, ignore_index, reduction
):
    safe, share = _shares(g, target, weight, ignore_index, reduction)
    by_input = _add_at(zeros(_input.shape, g), safe, -share)
    return by_input, None, lambda: _refuse("NegativeLogLikelihoodLoss")


@op("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy_loss(
    scores: T,
    labels: Tind,
    weights: T | None = None,
    *,
    ignore_index=None,
    reduction="mean",
    outputs=1,
) -> tuple[Array, ...]:
    """The negative logarithm of the probability that softmax gives to each label.

    Example:
        >>> import numpy as np
        >>> softmax_cross_entropy_loss(np.zeros((1, 4), np.float32), np.array([2]))
        Tensor(1.3862...)

    Args:
        scores: Logits [N, C, ...].
        labels: The right classes [N, ...].
        weights: What each class counts [C]. Defaults to 1.
        ignore_index: A label that does not count. Defaults to none.
        reduction: "none", "sum" or "mean" (weighted). Defaults to "mean".

    Returns:
        The loss and, if two outputs are asked for, the log-probabilities [N, C, ...].
    """
    log_prob = _log_softmax(widen(scores))
    loss = _loss(log_prob, labels, widen(weights), ignore_index, reduction)
    return (loss.astype(scores.dtype), log_prob.astype(scores.dtype, copy=False))[:outputs]


@vjp("SoftmaxCrossEntropyLoss", outputs=2)
def _softmax_cross_entropy_loss_vjp(
    gradients, y, _scores, labels, weights=None, *, ignore_index, reduction
):
    g, g_log_prob = (*gradients, None)[:2]
    probability = y[1].exp()
    by_scores = None
    if g is not None:
        safe, share = _shares(g, labels, weights, ignore_index, reduction)
        by_scores = _add_at(probability * share.unsqueeze(1), safe, -share)
    if g_log_prob is not None:
        through = g_log_prob - probability * g_log_prob.sum(axis=1, keepdims=True)
        by_scores = through if by_scores is None else by_scores + through
    return by_scores, None, lambda: _refuse("SoftmaxCrossEntropyLoss")


def _log_softmax(scores: Array) -> Array:
    shifted = scores - scores.max(axis=1, keepdims=True, initial=-np.inf)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def _loss(
    log_prob: Array, target: Array, weight: Array | None, ignore_index: int | None, reduction: str
) -> Array:
    """The loss from log-probabilities [N, C, ...] and targets [N, ...]."""
    if reduction not in ("none", "sum", "mean"):
        raise OperatorError(f"reduction={reduction!r} is none of none, sum and mean")
    if target.shape != log_prob.shape[:1] + log_prob.shape[2:]:
        expected = list(log_prob.shape[:1] + log_prob.shape[2:])
        raise OperatorError(f"classes are expected in shape {expected}, not {list(target.shape)}")
    classes = log_prob.shape[1]
    valid = np.ones(target.shape, np.bool_) if ignore_index is None else target != ignore_index
    safe = np.where(valid, target, 0)
    if safe.size and not 0 <= safe.min() <= safe.max() < classes:
        wrong = safe[(safe < 0) | (safe >= classes)][0]
        raise OperatorError(f"there is no class {wrong}: the classes are 0 to {classes - 1}")
    loss = -np.take_along_axis(log_prob, np.expand_dims(safe, 1), 1).squeeze(1)
    counts = valid.astype(loss.dtype)
    if weight is not None:
        counts *= weight[safe]
    loss *= counts
    if reduction == "none":
        return loss
    with np.errstate(invalid="ignore"):  # the mean over nothing is nan, as in PyTorch
        return loss.sum() / counts.sum() if reduction == "mean" else loss.sum()


def _shares(
    g: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int | None, reduction: str
) -> tuple[Tensor, Tensor]:
    """Valid targets, and per target the gradient by its negative log-probability."""
    if ignore_index is None:
        valid, safe = target == target, target
    else:
        valid = target != ignore_index
        safe = apply("Where", valid, target, 0)
    counts = valid.cast(g.dtype)
    if weight is not None:
        counts = counts * apply("Gather", weight, safe)
    share = g * counts
    return safe, share / counts.sum() if reduction == "mean" else share


def _add_at(x: Tensor, target: Tensor, updates: Tensor) -> Tensor:
    """`x` [N, C, ...] with each of `updates` [N, ...] added at its target's class."""
    added: Tensor = apply(
        "ScatterElements",
        x,
        target.unsqueeze(1),
        updates.unsqueeze(1),
        axis=1,
        reduction="add",
    )
    return added


def _refuse(name: str) -> NoReturn:
    raise GradientError(f"{name} has no gradient with respect to the weights of the classes.")
