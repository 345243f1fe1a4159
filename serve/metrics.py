"""What the server counts and times, in Prometheus' exposition format."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Set

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from serve.distribution import Distribution
from serve.observation import Observation, Protocol
from serve.tfserving_metrics import Requests
from serve.version import Handle

CONTENT_TYPE = CONTENT_TYPE_LATEST

# From what a small model takes to what a client waits for.
BUCKETS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)

SIGNATURE = "serving_default"  # the one that ONNX models have

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


class Metrics(Collector):
    """The counters and histograms of one server; each has a registry of its own.

    Attributes:
        registry: Where more collectors may be registered.
        tfserving: What TensorFlow Serving's names tell about each model.
        in_progress: How many inference requests are being answered.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(self)
        self.tfserving: dict[str, Requests] = defaultdict(Requests)
        self.in_progress = 0
        Gauge(
            "tapeline_requests_in_progress",
            "Inference requests being answered.",
            registry=self.registry,
        ).set_function(lambda: self.in_progress)
        self._records: dict[Labels, Record] = {}

    def request(self, protocol: Protocol) -> Observation:
        """Count and time what is done in this `with` block as one inference request."""
        return Observation(self, protocol)

    def record(self, handle: Handle | None, protocol: Protocol) -> Record:
        """The numbers of the version that answers; of no version, where none does."""
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
        for (model, version, protocol), record in list(self._records.items()):
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
