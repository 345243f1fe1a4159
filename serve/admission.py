"""Says how much of one model may wait: much in a burst, little in an overload."""

from __future__ import annotations

import math
import time

# Refusals are remembered for the time of so many runs.
MEMORY = 12
# With fewer refusals a run, it is no overload: a short queue refuses one request in seven at 0.9 of
# the capacity, and one of three clients that take turns.
PRESSURE = 0.5


class Admission:
    """Bounds the queue of one model.

    A queue is there for bursts. One that stays full makes everybody late and answers nobody more:
    Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012. So a queue with more than
    `seconds` of work is cut, and kept as short as what is computed at that moment, while
    requests are refused at such a rate that they cannot be a burst.

    Args:
        most: The most requests that wait.
        seconds: The most work that waits.
        parallel: How many runs there may be at once.
    """

    def __init__(self, most: int, seconds: float, parallel: int) -> None:
        self.most = most
        self.seconds = seconds
        self.parallel = parallel
        self._refusals = 0.0  # the older, the less they count
        self._memory = 1.0  # seconds
        self._last = -math.inf

    @property
    def short(self) -> bool:
        """Whether the queue is kept short."""
        return self._remembered() > PRESSURE * MEMORY

    def admits(self, waiting: int, work: float, computed: int, run: float) -> bool:
        """Say whether one more request may wait.

        Args:
            waiting: How many wait.
            work: How many seconds it takes to compute them.
            computed: How many are computed now.
            run: How many seconds one run takes; 0 where that is unknown.
        """
        if waiting >= self.most:
            return False
        if self.short:
            admitted, refusals = waiting < self.limit(computed), 1.0
        else:
            admitted, refusals = waiting < self.parallel or work <= self.seconds, float(MEMORY)
        if not admitted and run:
            self._refusals = self._remembered() + refusals
            self._memory = MEMORY * run / self.parallel
            self._last = time.monotonic()
        return admitted

    def limit(self, computed: int) -> int:
        """How many may wait in an overload: as many as are computed, so that no thread is idle."""
        return max(self.parallel, computed)

    def _remembered(self) -> float:
        return self._refusals * math.exp((self._last - time.monotonic()) / self._memory)
