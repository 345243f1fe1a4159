"""What one round of questions came to: answers, refusals, failures, and the latencies of answers."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from serve.bench.connection import LOST, Connection

REFUSALS = frozenset({429, 503})


def floats() -> array[float]:
    """An empty array of numbers; no list, through which the garbage collector would go."""
    return array("d")


@dataclass
class Tally:
    """What was counted while a loop ran.

    Attributes:
        loop: Closed: a client asks again when it has its answer. Open: at times set beforehand.
        load: How many clients, or how many requests a second.
        seconds: How long it was asked.
        latencies: Of each answer, in seconds.
        statuses: How often each HTTP status came; 0 counts connections that broke.
        unanswered: Requests that had no answer when patience was over.
        retry_after: How many refusals said when to come again.
        complaint: What the first error said.
        busy: The share of the time that the asking process itself was at work; near 1, the figures
            are its own and not the server's.
    """

    loop: Literal["closed", "open"]
    load: float
    seconds: float = 0.0
    latencies: array[float] = field(default_factory=floats)
    statuses: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    retry_after: int = 0
    complaint: str = ""
    busy: float = 0.0

    def add(self, connection: Connection, status: int, now: float) -> None:
        """Count what a connection brought at this time."""
        self.statuses[status] += 1
        if 200 <= status < 300:
            self.latencies.append(now - connection.due)
            return
        self.retry_after += connection.retry_after
        if not self.complaint:
            text = connection.refusal.decode("utf-8", "replace")
            self.complaint = f"{status}: {text}" if status != LOST else "the connection broke"

    @property
    def throughput(self) -> float:
        """Answers a second; refusals and failures are none."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def refused(self) -> int:
        """How often the server said that it had too much to do."""
        return sum(self.statuses[status] for status in REFUSALS)

    @property
    def asked(self) -> int:
        """How many requests there were."""
        return self.statuses.total() + self.unanswered

    @property
    def failed(self) -> int:
        """How many requests had another answer than 2xx, or none."""
        return self.statuses.total() - len(self.latencies) - self.refused + self.unanswered

    def percentile(self, percent: float) -> float:
        """A percentile of the latencies in milliseconds; not a number where there was no answer.

        Example:
            >>> Tally("closed", 1, latencies=array("d", [0.001, 0.002, 0.003])).percentile(50)
            2.0
        """
        if not self.latencies:
            return float("nan")
        return float(np.percentile(self.latencies, percent)) * 1000
