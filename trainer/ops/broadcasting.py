"""Arithmetic between an array and what is the same along its rows, without copies of the latter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from math import prod
from typing import Any

import numpy as np

from trainer.core.define import Array

LONG = 512  # elements of a row, from which on a loop per row is faster than copies for many
_LARGE = 65536


def combine(ufunc: np.ufunc, a: Array, b: Array, out: Array | None = None) -> Any:
    """`ufunc(a, b, out=out)`, fast where one of them is the same along long rows, or in all of them.

    Example:
        >>> combine(np.add, np.zeros((2, 3)), np.ones((2, 1)))
        array([[1., 1., 1.],
               [1., 1., 1.]])
    """
    if a.shape == b.shape or max(a.size, b.size) < _LARGE or _row(a.shape, b.shape) < LONG:
        return ufunc(a, b, out=out)
    before = np.setbufsize(LONG)  # As `row_by_row`, but in half the time.
    try:
        return ufunc(a, b, out=out)
    finally:
        np.setbufsize(before)


@contextmanager
def row_by_row() -> Iterator[None]:
    """Within this block numpy broadcasts along rows of `LONG` elements or more in one loop per row.

    Otherwise it copies what is broadcast into a buffer of 8,192 elements wherever several rows fit into
    it, which takes longer than the arithmetic: twice as long in all for rows of 1,000.
    """
    before = np.setbufsize(LONG)
    try:
        yield
    finally:
        np.setbufsize(before)


def _row(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """How many elements of the last axes are broadcast in one and the same way."""
    sizes = zip(reversed(a), reversed(b), strict=False)
    ways = groupby(sizes, lambda pair: (pair[0] > pair[1]) - (pair[0] < pair[1]))
    _, row = next(ways, (0, ()))
    return prod(map(max, row))
