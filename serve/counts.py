"""What became of the requests to one version since it was loaded, by whatever protocol they came."""

from __future__ import annotations

import asyncio
import time
from typing import Literal, get_args

from serve.errors import DeadlineExceeded, RunFailed, TooManyRequests

# What Triton's metrics tell about failures: given up before their turn, given up by their
# client, failed in the model, failed in all other ways.
Reason = Literal["REJECTED", "CANCELED", "BACKEND", "OTHER"]


class Counts:
    """Requests, examples and nanoseconds.

    Attributes:
        succeeded: How many requests were answered well.
        failed: How many were not, by reason.
        rows: How many examples the good ones had.
        last: When the last of them was answered, in milliseconds since 1970.
        reading: The nanoseconds that reading their inputs took.
        computing: Those of waiting and computing.
        writing: Those of writing their outputs.
        failing: Those of all that failed.
    """

    __slots__ = (
        "computing",
        "failed",
        "failing",
        "last",
        "reading",
        "rows",
        "succeeded",
        "writing",
    )

    def __init__(self) -> None:
        self.succeeded = self.rows = self.last = 0
        self.reading = self.computing = self.writing = self.failing = 0
        self.failed: dict[Reason, int] = dict.fromkeys(get_args(Reason), 0)

    def succeed(self, rows: int, start: int, read: int, computed: int, end: int) -> None:
        """Count a good answer.

        Args:
            rows: How many examples it had.
            start: When its request was complete, by `time.perf_counter_ns`.
            read: When its inputs were read.
            computed: When its outputs were there.
            end: When they were written.
        """
        self.succeeded += 1
        self.rows += rows
        self.reading += read - start
        self.computing += computed - read
        self.writing += end - computed
        self.last = time.time_ns() // 1_000_000

    def fail(self, error: BaseException, nanoseconds: int) -> None:
        """Count what ended with an error, and how long that took."""
        self.failed[_reason(error)] += 1
        self.failing += nanoseconds

    @property
    def succeeding(self) -> int:
        """The nanoseconds of all good answers."""
        return self.reading + self.computing + self.writing


def _reason(error: BaseException) -> Reason:
    if isinstance(error, asyncio.CancelledError):
        return "CANCELED"
    if isinstance(error, TooManyRequests | DeadlineExceeded):
        return "REJECTED"
    return "BACKEND" if isinstance(error, RunFailed) else "OTHER"
