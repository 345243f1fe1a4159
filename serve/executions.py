"""How often a model was run, and how long that took: counted where it happens, on any thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

# One for all models: it is held for a moment, and is where the processor finds it quickly.
_LOCK = threading.Lock()


class Executions:
    """The runs of one model that succeeded, and their nanoseconds, by the size of the batch.

    Example:
        >>> executions = Executions()
        >>> executions.add(rows=4, nanoseconds=500)
        >>> executions.add(rows=4, nanoseconds=300)
        >>> executions.by_size()
        {4: (2, 800)}
    """

    __slots__ = ("_sizes",)

    def __init__(self) -> None:
        self._sizes: dict[int, tuple[int, int]] = {}

    def add(self, rows: int, nanoseconds: int) -> None:
        """Count one run."""
        with _LOCK:
            runs, total = self._sizes.get(rows, (0, 0))
            self._sizes[rows] = runs + 1, total + nanoseconds

    def by_size(self) -> dict[int, tuple[int, int]]:
        """Runs and nanoseconds by the number of examples, in its order."""
        with _LOCK:
            return dict(sorted(self._sizes.items()))

    def runs(self) -> int:
        """The number of all runs."""
        return sum(runs for runs, _ in self.by_size().values())


def rows_in(feeds: Mapping[str, np.ndarray[Any, Any]]) -> int:
    """How many examples a request has, at the most.

    Example:
        >>> rows_in({"x": np.zeros((2, 3)), "scale": np.float32(1)})
        2
    """
    rows = -1
    for array in feeds.values():
        if array.ndim and len(array) > rows:
            rows = len(array)
    return 1 if rows < 0 else rows
