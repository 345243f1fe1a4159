"""What each version has done so far, counted and timed as V2's statistics extension shows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np

from serve.manager import Handle

_PHASES = ("compute_input", "compute_infer", "compute_output")


class Statistics:
    """The counts of all versions that were asked, by whatever protocol."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], Counts] = {}

    def watch(self, handle: Handle) -> Watch:
        """Count and time what is done in this `with` block as one request to a version."""
        return Watch(self.of(handle.model, handle.version))

    def of(self, model: str, version: int) -> Counts:
        """The counts of a version; all zero where it was never asked."""
        counts = self._counts.get((model, version))
        if counts is None:
            counts = self._counts[model, version] = Counts()
        return counts


class Counts:
    """Requests, examples and nanoseconds of one version."""

    __slots__ = ("failed", "last", "nanoseconds", "rows", "succeeded", "times")

    def __init__(self) -> None:
        self.succeeded = self.failed = self.rows = self.last = 0
        self.nanoseconds = [0, 0]  # of what succeeded, of what failed
        self.times = [0] * len(_PHASES)

    def write(self, model: str, version: int) -> dict[str, Any]:
        """The entry of a version in "model_stats"."""
        done = self.succeeded
        durations = {
            "success": _duration(done, self.nanoseconds[0]),
            "fail": _duration(self.failed, self.nanoseconds[1]),
            "queue": _duration(done, 0),
            **{
                phase: _duration(done, time)
                for phase, time in zip(_PHASES, self.times, strict=True)
            },
            "cache_hit": _duration(0, 0),
            "cache_miss": _duration(0, 0),
        }
        return {
            "name": model,
            "version": str(version),
            "last_inference": self.last,
            "inference_count": self.rows,
            "execution_count": done,
            "inference_stats": durations,
            "response_stats": {},
            "batch_stats": [],
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
            counts.failed += 1
            return
        counts.succeeded += 1
        counts.rows += self.rows
        counts.last = time.time_ns() // 1_000_000
        begin = self._start
        for phase, lap in enumerate((*self._laps, end)):
            counts.times[phase] += lap - begin
            begin = lap


def rows_of(feeds: Mapping[str, np.ndarray[Any, Any]]) -> int:
    """How many examples a request has, at the most."""
    return max((array.shape[0] for array in feeds.values() if array.ndim), default=1)


def _duration(count: int, nanoseconds: int) -> dict[str, int]:
    return {"count": count, "ns": nanoseconds}
