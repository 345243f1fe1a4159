"""What each version has done so far, as V2's statistics extension shows it."""

from __future__ import annotations

from typing import Any

from serve.infer import Inference
from serve.servable import Servable
from serve.version import Handle


class Statistics:
    """Shows the counts of loaded versions.

    Args:
        inference: Knows how long requests waited.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def waited(self, servable: Servable) -> int:
        """The nanoseconds that requests to a version waited for their turn."""
        queue = self._inference.queue_of(servable)
        return round(queue.totals.waited * 1e9) if queue else 0

    def write(self, handle: Handle) -> dict[str, Any]:
        """The entry of a version in "model_stats"."""
        servable = handle.servable
        counts, executions = servable.counts, servable.executions
        done, waited = counts.succeeded, self.waited(servable)
        durations = {
            "success": _duration(done, counts.succeeding),
            "fail": _duration(sum(counts.failed.values()), counts.failing),
            "queue": _duration(done, waited),
            "compute_input": _duration(done, counts.reading),
            "compute_infer": _duration(done, max(0, counts.computing - waited)),
            "compute_output": _duration(done, counts.writing),
            "cache_hit": _duration(0, 0),
            "cache_miss": _duration(0, 0),
        }
        return {
            "name": handle.model,
            "version": str(handle.version),
            "last_inference": counts.last,
            "inference_count": counts.rows,
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
                for size, (runs, nanoseconds) in executions.by_size().items()
            ],
            "memory_usage": [],
        }


def _duration(count: int, nanoseconds: int) -> dict[str, int]:
    return {"count": count, "ns": nanoseconds}
