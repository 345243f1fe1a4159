"""What the server counts and times, in Prometheus' exposition format."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from serve.observation import Observation
from serve.records import Protocol, Records

CONTENT_TYPE = CONTENT_TYPE_LATEST
SIGNATURE = "serving_default"  # the one that ONNX models have


class Metrics(Collector):
    """The counters and histograms of one server; each has a registry of its own.

    Attributes:
        registry: Where more collectors may be registered.
        records: The numbers that they are made of.
    """

    def __init__(self) -> None:
        self.records = Records()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(self)
        Gauge(
            "tapeline_requests_in_progress",
            "Inference requests being answered.",
            registry=self.registry,
        ).set_function(lambda: self.records.in_progress)

    def request(self, protocol: Protocol) -> Observation:
        """Count and time what is done in this `with` block as one inference request."""
        return Observation(self.records, protocol)

    def collect(self) -> Iterator[Metric]:
        """Requests and their times, by model, version, signature and protocol."""
        requests = Metric(
            "tapeline_requests", "Inference requests by their HTTP status.", "counter"
        )
        seconds = Metric(
            "tapeline_request_seconds",
            "Time from a request's complete body to its result.",
            "histogram",
        )
        for (model, version, protocol), record in self.records:
            labels = {
                "model": model,
                "version": "" if version is None else str(version),
                "signature": SIGNATURE if model else "",
                "protocol": protocol,
            }
            good = [(200, record.good)] if record.good else []
            for status, number in (*good, *record.errors.copy().items()):
                with_code = {**labels, "code": str(status)}
                requests.add_sample("tapeline_requests_total", with_code, number)
                requests.add_sample("tapeline_requests_created", with_code, record.since)
            record.seconds.write(seconds, labels)
            seconds.add_sample("tapeline_request_seconds_created", labels, record.since)
        yield from (requests, seconds)

    def describe(self) -> list[Metric]:
        """Nothing: what there is, is known when it is collected."""
        return []

    def render(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)
