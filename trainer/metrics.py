"""Measures how good predictions are: plain functions of two arrays, and their names in recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.core.errors import DataError

Array = npt.NDArray[Any]
Metric = Callable[[Array, Array], float]


def accuracy(scores: Array, y: Array) -> float:
    """The share of targets whose class has the highest score.

    Args:
        scores: Logits or probabilities, [..., classes].
        y: Class indices, [...].

    Returns:
        A number from 0 to 1; of equal scores the first counts as the highest.

    Raises:
        DataError: The shapes do not fit.

    Example:
        >>> accuracy(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
        0.5
    """
    return float((_highest(scores, y) == y).mean())


def confusion(scores: Array, y: Array) -> npt.NDArray[np.int64]:
    """How often each class (row) was taken for each class (column).

    Args:
        scores: Logits or probabilities, [..., classes].
        y: Class indices, [...].

    Returns:
        Counts, int64 [classes, classes]; the diagonal holds what is right.

    Raises:
        DataError: The shapes do not fit, or a class index has no score.

    Example:
        >>> confusion(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1])).tolist()
        [[1, 0], [1, 0]]
    """
    predicted = _highest(scores, y)
    classes = scores.shape[-1]
    if y.min() < 0 or y.max() >= classes:
        raise DataError(
            f"Class indices from {y.min()} to {y.max()} do not fit scores for {classes} classes."
        )
    pairs = y.ravel() * classes + predicted.ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def mean_squared_error(prediction: Array, y: Array) -> float:
    """The mean of the squared differences, over all rows and targets.

    Example:
        >>> mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        2.0
    """
    return float(np.mean(_difference(prediction, y) ** 2))


def mean_absolute_error(prediction: Array, y: Array) -> float:
    """The mean of the absolute differences, over all rows and targets.

    Example:
        >>> mean_absolute_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        1.0
    """
    return float(np.mean(np.abs(_difference(prediction, y))))


def r2(prediction: Array, y: Array) -> float:
    """The coefficient of determination: the share of the variance that is predicted.

    1 minus the ratio of the sum of squared differences to the sum of squares about the mean, for each
    target, averaged over the targets. A target that is constant counts 1 if predicted exactly, else 0.

    Args:
        prediction: Amounts, [rows] or [rows, targets].
        y: Amounts, of the same shape.

    Returns:
        1 at best, 0 for always predicting the mean, below 0 for worse than that.

    Raises:
        DataError: The shapes differ.

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
        0.35714...
    """
    residual = np.sum(_difference(prediction, y) ** 2, axis=0)
    exact = y.astype(np.float64)
    total = np.sum((exact - exact.mean(axis=0)) ** 2, axis=0)
    varies = y.min(axis=0) != y.max(axis=0)
    ratio = np.where(varies, residual / np.where(varies, total, 1.0), residual > 0)
    return float(np.mean(1.0 - ratio))


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "r2": r2,
}


def _highest(scores: Array, y: Array) -> Array:
    if scores.ndim == 0 or scores.shape[:-1] != y.shape or y.size == 0 or y.dtype.kind not in "iu":
        raise DataError(
            f"Scores {scores.dtype}{list(scores.shape)} do not fit targets "
            f"{y.dtype}{list(y.shape)}: expected are scores [rows, classes], class indices [rows]."
        )
    return scores.argmax(axis=-1)


def _difference(prediction: Array, y: Array) -> npt.NDArray[np.float64]:
    if prediction.shape != y.shape or y.size == 0:
        raise DataError(
            f"Predictions {list(prediction.shape)} and targets {list(y.shape)} differ in shape."
        )
    return prediction.astype(np.float64) - y
