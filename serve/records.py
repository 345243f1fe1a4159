"""What was asked of each version, in plain numbers: metrics are made of them when they are asked for."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Set
from typing import Literal

from serve.distribution import Distribution
from serve.tfserving_metrics import Requests
from serve.version import Handle

# From what a small model takes to what a client waits for.
BUCKETS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)

Protocol = Literal["tfserving", "v2"]
Labels = tuple[str, int | None, Protocol]  # the model, its version, the protocol


class Record:
    """What was asked of one version by one protocol.

    The plain numbers of it become Prometheus' samples when they are asked for: its client's own
    counters take locks and walk through their buckets, which costs more than an answer may.
    """

    __slots__ = ("errors", "good", "seconds", "since")

    def __init__(self) -> None:
        self.good = 0
        self.errors: dict[int, int] = {}
        self.seconds = Distribution(BUCKETS)
        self.since = time.time()

    def observe(self, status: int, seconds: float) -> None:
        """Count one answer by its HTTP status, and time it."""
        if status == 200:
            self.good += 1
        else:
            self.errors[status] = self.errors.get(status, 0) + 1
        self.seconds.observe(seconds)


class Records:
    """The records of one server.

    Attributes:
        tfserving: What TensorFlow Serving's names tell about each model.
        in_progress: How many inference requests are being answered.
    """

    def __init__(self) -> None:
        self.tfserving: dict[str, Requests] = defaultdict(Requests)
        self.in_progress = 0
        self._records: dict[Labels, Record] = {}

    def __iter__(self) -> Iterator[tuple[Labels, Record]]:
        """Each record, and what it is of."""
        return iter(list(self._records.items()))

    def of(self, handle: Handle | None, protocol: Protocol) -> Record:
        """The record of the version that answers; of no version, where none does."""
        labels: Labels = (
            (handle.model, handle.version, protocol) if handle else ("", None, protocol)
        )
        record = self._records.get(labels)
        if record is None:
            record = self._records[labels] = Record()
        return record

    def keep(self, versions: Set[tuple[str, int]]) -> None:
        """Forget the versions that are not among these: else labels become more and more."""
        for labels in list(self._records):
            model, version, _ = labels
            if version is not None and (model, version) not in versions:
                del self._records[labels]
