"""One inference request as it is counted: timed in three phases, written down once, at its end."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

from serve.errors import ServeError
from serve.records import Protocol, Records
from serve.version import Handle

# What nginx writes for a client that did not wait for its answer.
CLIENT_GONE = 499


class Observation:
    """Counts and times what is done in its `with` block; without labels until a model answers it.

    Attributes:
        verb: What is asked: predict, classify or regress.
    """

    __slots__ = (
        "_computed",
        "_handle",
        "_protocol",
        "_read",
        "_records",
        "_rows",
        "_start",
        "verb",
    )

    def __init__(self, records: Records, protocol: Protocol) -> None:
        self._records = records
        self._protocol = protocol
        self._handle: Handle | None = None
        self.verb = "predict"

    def answered_by(self, handle: Handle) -> None:
        """Say which version answers."""
        self._handle = handle

    @property
    def arrived(self) -> float:
        """When the request was complete, by `time.perf_counter`."""
        return self._start / 1e9

    def has_read(self, rows: int) -> None:
        """End the first phase: the inputs are read, and have so many examples."""
        self._rows = rows
        self._read = time.perf_counter_ns()

    def has_computed(self) -> None:
        """End the second phase: the outputs are there. Writing them ends with the block."""
        self._computed = time.perf_counter_ns()

    def __enter__(self) -> Self:
        self._records.in_progress += 1
        self._start = time.perf_counter_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end = time.perf_counter_ns()
        records, handle, start = self._records, self._handle, self._start
        records.in_progress -= 1
        status = 200 if error is None else _status(error)
        seconds = (end - start) / 1e9
        records.of(handle, self._protocol).observe(status, seconds)
        if handle is None:
            return
        if error is None:
            handle.servable.counts.succeed(self._rows, start, self._read, self._computed, end)
        else:
            handle.servable.counts.fail(error, end - start)
        if self._protocol == "tfserving":
            asked = records.tfserving[handle.model]
            if error is None:
                computing = (self._computed - self._read) / 1e9
                asked.succeed(self.verb, seconds, computing, self._rows)
            else:
                asked.fail(status)


def _status(error: BaseException) -> int:
    if isinstance(error, asyncio.CancelledError):
        return CLIENT_GONE
    return error.status if isinstance(error, ServeError) else 500
