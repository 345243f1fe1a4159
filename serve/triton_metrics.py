"""Triton's names for what is counted, so that its dashboards go on working.

They are documented at
https://github.com/triton-inference-server/server/blob/main/docs/user_guide/metrics.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from serve.infer import Inference
from serve.manager import Manager
from serve.protocols.statistics import Statistics

_INFERENCE = {
    "request_success": "Requests that were answered well.",
    "request_failure": "Requests that were not, by reason.",
    "count": "Examples computed.",
    "exec_count": "Runs of the model.",
    "pending_request_count": "Requests that wait.",
    "request_duration_us": "Microseconds of all requests.",
    "queue_duration_us": "Microseconds that requests waited.",
    "compute_input_duration_us": "Microseconds spent on reading inputs.",
    "compute_infer_duration_us": "Microseconds spent on computing.",
    "compute_output_duration_us": "Microseconds spent on writing outputs.",
}
_STAT = Path("/proc/stat")
_MEMORY = Path("/proc/meminfo")


class TritonMetrics(Collector):
    """Collects at the moment when it is asked; the samples are untyped, as the names end freely.

    Args:
        manager: Knows what is served.
        inference: Knows the queues.
        statistics: Knows how long requests waited.
    """

    def __init__(self, manager: Manager, inference: Inference, statistics: Statistics) -> None:
        self.manager = manager
        self.inference = inference
        self.statistics = statistics
        self._busy = _processor_times()

    def collect(self) -> Iterator[Metric]:
        """Every loaded version, then the machine."""
        yield from self._versions()
        yield from self._machine()

    def describe(self) -> list[Metric]:
        """Nothing: what there is, is known when it is collected."""
        return []

    def _versions(self) -> Iterator[Metric]:
        metrics = {name: _metric(f"inference_{name}", text) for name, text in _INFERENCE.items()}
        loading = _metric("model_load_duration_secs", "Seconds that loading took.")
        for model, version, servable in self.manager.loaded():
            labels = {"model": model, "version": str(version)}
            queue = self.inference.queue_of(servable)
            counts = servable.counts
            waited = self.statistics.waited(servable) / 1000
            values = {
                "request_success": counts.succeeded,
                "count": counts.rows,
                "exec_count": servable.executions.runs(),
                "pending_request_count": queue.waiting if queue else 0,
                "request_duration_us": (counts.succeeding + counts.failing) / 1000,
                "queue_duration_us": waited,
                "compute_input_duration_us": counts.reading / 1000,
                "compute_infer_duration_us": max(0, counts.computing / 1000 - waited),
                "compute_output_duration_us": counts.writing / 1000,
            }
            for name, value in values.items():
                metrics[name].add_sample(metrics[name].name, labels, value)
            failure = metrics["request_failure"]
            for reason, number in counts.failed.items():
                failure.add_sample(failure.name, {**labels, "reason": reason}, number)
            if servable.loading is not None:
                loading.add_sample(loading.name, labels, servable.loading.seconds)
        yield from (*metrics.values(), loading)

    def _machine(self) -> Iterator[Metric]:
        """What Linux tells about processors and memory; nothing elsewhere."""
        times = _processor_times()
        if times is None or self._busy is None:
            return
        busy, total = (now - before for now, before in zip(times, self._busy, strict=True))
        if total > 0:
            self._busy = times
        memory = {
            name: int(value.split()[0]) * 1024
            for name, _, value in (line.partition(":") for line in _MEMORY.read_text().splitlines())
        }
        for name, text, value in (
            ("cpu_utilization", "Part of the processors' time in use.", busy / max(total, 1)),
            ("cpu_memory_total_bytes", "Memory of the machine.", memory["MemTotal"]),
            (
                "cpu_memory_used_bytes",
                "Memory of the machine in use.",
                memory["MemTotal"] - memory["MemAvailable"],
            ),
        ):
            metric = _metric(name, text)
            metric.add_sample(metric.name, {}, value)
            yield metric


def _processor_times() -> tuple[int, int] | None:
    """The ticks that all processors were in use, and those in all; None where nobody tells."""
    try:
        ticks = list(map(int, _STAT.read_text().split("\n", 1)[0].split()[1:9]))
    except (OSError, ValueError):
        return None
    idle = ticks[3] + ticks[4]  # idle, and waiting for a disk
    return sum(ticks) - idle, sum(ticks)


def _metric(name: str, text: str) -> Metric:
    return Metric(f"nv_{name}", text, "unknown")
