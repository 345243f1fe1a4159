"""Learning rates as functions of the step's number, counted from 0."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """The same rate always."""
    return lambda step: lr


def step_decay(lr: float, every: int, factor: float = 0.1) -> Schedule:
    """The rate times `factor` after each `every` steps.

    Example:
        >>> rate = step_decay(1.0, every=10, factor=0.5)
        >>> rate(9), rate(10), rate(25)
        (1.0, 0.5, 0.25)
    """
    return lambda step: lr * factor ** (step // every)


def cosine(lr: float, steps: int, warmup: int = 0, final: float = 0.0) -> Schedule:
    """Up in a line for `warmup` steps, then down half a cosine to `final` (Loshchilov and Hutter 2016).

    Example:
        >>> rate = cosine(1.0, steps=100, warmup=10)
        >>> rate(0), rate(9), round(rate(55), 3), rate(100)
        (0.1, 1.0, 0.5, 0.0)

    Args:
        lr: The highest rate.
        steps: The number of steps in all.
        warmup: Steps on the way up. Defaults to 0.
        final: The rate at the end. Defaults to 0.
    """

    def rate(step: int) -> float:
        if step < warmup:
            return lr * (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, steps - warmup))
        return final + (lr - final) * 0.5 * (1.0 + math.cos(math.pi * progress))

    return rate
