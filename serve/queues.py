"""What Prometheus is told about the queue of every version."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from serve.infer import Inference
from serve.manager import Manager


class Queues(Collector):
    """Collects at the moment when it is asked.

    Args:
        manager: Knows what is served.
        inference: Knows the queues.
    """

    def __init__(self, manager: Manager, inference: Inference) -> None:
        self.manager = manager
        self.inference = inference

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """How many requests wait, and what was added to fill up batches."""
        waiting = GaugeMetricFamily(
            "tapeline_requests_waiting",
            "Inference requests that wait for their turn.",
            labels=["model", "version"],
        )
        padding = GaugeMetricFamily(
            "tapeline_padding_rows",
            "Examples added to fill up batches, since the version is loaded.",
            labels=["model", "version"],
        )
        for model, version, servable in self.manager.loaded():
            queue = self.inference.queue_of(servable)
            waiting.add_metric([model, str(version)], queue.waiting if queue else 0)
            padding.add_metric([model, str(version)], queue.totals.padding if queue else 0)
        yield from (waiting, padding)

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: what there is, is known when it is collected."""
        return []
