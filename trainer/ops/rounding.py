"""Whole numbers near each element. Their gradient is zero."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T, no_gradient, op


@op("Floor")
def floor(x: T) -> T:
    """The largest whole number that is not above each element."""
    return np.floor(x)


@op("Ceil")
def ceil(x: T) -> T:
    """The smallest whole number that is not below each element."""
    return np.ceil(x)


@op("Round")
def round(x: T) -> T:
    """The nearest whole number to each element; halves go to the even one."""
    return np.rint(x)


no_gradient("Floor", "Ceil", "Round")
