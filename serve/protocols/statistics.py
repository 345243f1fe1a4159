"""What each version has done so far, counted and timed as V2's statistics extension shows it."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Literal, Self, get_args
from weakref import WeakKeyDictionary

from serve.errors import DeadlineExceeded, RunFailed, TooManyRequests
from serve.executions import Executions
from serve.infer import Inference
from serve.servable import Servable
from serve.version import Handle

# What Triton's metrics tell about failures: given up before their turn, given up by their
# client, failed in the model, failed in all other ways.
Reason = Literal["REJECTED", "CANCELED", "BACKEND", "OTHER"]


class Statistics:
    """The counts of all loaded versions, by whatever protocol they are asked.

    Args:
        inference: Knows how long requests waited.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._counts: WeakKeyDictionary[Servable, Counts] = WeakKeyDictionary()

    def watch(self, handle: Handle) -> Watch:
        """Count and time what is done in this `with` block as one request to a version."""
        return Watch(self.of(handle.servable))

    def of(self, servable: Servable) -> Counts:
        """The counts of a version since it was loaded; all zero where it was never asked."""
        counts = self._counts.get(servable)
        if counts is None:
            counts = self._counts[servable] = Counts()
        return counts

    def waited(self, servable: Servable) -> int:
        """The nanoseconds that requests to a version waited for their turn."""
        queue = self._inference.queue_of(servable)
        return round(queue.totals.waited * 1e9) if queue else 0

    def write(self, handle: Handle) -> dict[str, Any]:
        """The entry of a version in "model_stats"."""
        servable = handle.servable
        entry = self.of(servable).write(servable.executions, self.waited(servable))
        return {"name": handle.model, "version": str(handle.version), **entry}


class Counts:
    """Requests, examples and nanoseconds of one version."""

    __slots__ = ("failed", "last", "nanoseconds", "rows", "succeeded", "times")

    def __init__(self) -> None:
        self.succeeded = self.rows = self.last = 0
        self.failed: dict[Reason, int] = dict.fromkeys(get_args(Reason), 0)
        self.nanoseconds = [0, 0]  # of what succeeded, of what failed
        self.times = [0, 0, 0]  # of reading, of waiting and computing, of writing

    def write(self, executions: Executions, waited: int) -> dict[str, Any]:
        """The figures of the statistics extension.

        Args:
            executions: The runs that these requests were computed in.
            waited: The nanoseconds that they waited for them.
        """
        done = self.succeeded
        reading, computing, writing = self.times
        sizes = executions.by_size()
        durations = {
            "success": _duration(done, self.nanoseconds[0]),
            "fail": _duration(sum(self.failed.values()), self.nanoseconds[1]),
            "queue": _duration(done, waited),
            "compute_input": _duration(done, reading),
            "compute_infer": _duration(done, max(0, computing - waited)),
            "compute_output": _duration(done, writing),
            "cache_hit": _duration(0, 0),
            "cache_miss": _duration(0, 0),
        }
        return {
            "last_inference": self.last,
            "inference_count": self.rows,
            "execution_count": executions.runs(),
            "inference_stats": durations,
            "response_stats": {},
            "batch_stats": [
                {
                    "batch_size": size,
                    "compute_input": _duration(runs, 0),  # each request is read by itself
                    "compute_infer": _duration(runs, nanoseconds),
                    "compute_output": _duration(runs, 0),
                }
                for size, (runs, nanoseconds) in sizes.items()
            ],
            "memory_usage": [],
        }


class Watch:
    """One request: its phases end with `lap`, one after the other."""

    __slots__ = ("_counts", "_laps", "_start", "rows")

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._laps: list[int] = []
        self.rows = 1

    @property
    def arrived(self) -> float:
        """When the request was complete, by `time.perf_counter`."""
        return self._start / 1e9

    @property
    def computing(self) -> float:
        """The seconds of the second phase; 0 while it has not ended."""
        return (self._laps[1] - self._laps[0]) / 1e9 if len(self._laps) > 1 else 0.0

    def lap(self) -> None:
        """End a phase: reading the inputs, then computing; writing the outputs ends with the block."""
        self._laps.append(time.perf_counter_ns())

    def __enter__(self) -> Self:
        self._start = time.perf_counter_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end = time.perf_counter_ns()
        counts = self._counts
        counts.nanoseconds[error is not None] += end - self._start
        if error is not None:
            counts.failed[_reason(error)] += 1
            return
        counts.succeeded += 1
        counts.rows += self.rows
        counts.last = time.time_ns() // 1_000_000
        begin = self._start
        for phase, lap in enumerate((*self._laps, end)):
            counts.times[phase] += lap - begin
            begin = lap


def _reason(error: BaseException) -> Reason:
    if isinstance(error, asyncio.CancelledError):
        return "CANCELED"
    if isinstance(error, TooManyRequests | DeadlineExceeded):
        return "REJECTED"
    return "BACKEND" if isinstance(error, RunFailed) else "OTHER"


def _duration(count: int, nanoseconds: int) -> dict[str, int]:
    return {"count": count, "ns": nanoseconds}
