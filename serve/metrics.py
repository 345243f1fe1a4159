"""What the server counts and times, in Prometheus' exposition format."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Set
from types import TracebackType
from typing import Literal, Self

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from serve.errors import ServeError
from serve.tfserving_metrics import Requests
from serve.version import Handle

CONTENT_TYPE = CONTENT_TYPE_LATEST

# From what a small model takes to what a client waits for.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# What nginx writes for a client that did not wait for its answer.
CLIENT_GONE = 499

SIGNATURE = "serving_default"  # the one that ONNX models have

Protocol = Literal["tfserving", "v2"]


class Metrics:
    """The counters and histograms of one server; each has a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "tapeline_requests",
            "Inference requests by their HTTP status.",
            ["model", "version", "signature", "protocol", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "tapeline_request_seconds",
            "Time from a request's complete body to its result.",
            ["model", "version", "signature", "protocol"],
            buckets=BUCKETS,
            registry=self.registry,
        )

        self.answering: set[tuple[str, str]] = set()
        self.tfserving: dict[str, Requests] = defaultdict(Requests)
        self.in_progress = 0
        Gauge(
            "tapeline_requests_in_progress",
            "Inference requests being answered.",
            registry=self.registry,
        ).set_function(lambda: self.in_progress)
        self._labelled: dict[tuple[str, str, Protocol, int], tuple[Counter, Histogram]] = {}

    def request(self, protocol: Protocol) -> Observation:
        """Count and time what is done in this `with` block as one inference request."""
        return Observation(self, protocol)

    def keep(self, versions: Set[tuple[str, str]]) -> None:
        """Forget the versions that are not among these: else labels become more and more."""
        for model, version in self.answering - versions:
            self.answering.discard((model, version))
            for labels in [known for known in self._labelled if known[:2] == (model, version)]:
                del self._labelled[labels]
            for metric in (self.requests, self.seconds):
                metric.remove_by_labels({"model": model, "version": version})

    def labelled(
        self, model: str, version: str, protocol: Protocol, status: int
    ) -> tuple[Counter, Histogram]:
        """The counter and the histogram with these labels, for which looking again takes long."""
        labels = model, version, protocol, status
        found = self._labelled.get(labels)
        if found is None:
            signature = SIGNATURE if model else ""
            found = self._labelled[labels] = (
                self.requests.labels(model, version, signature, protocol, str(status)),
                self.seconds.labels(model, version, signature, protocol),
            )
        return found

    def render(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry)


class Observation:
    """One inference request; without labels from its client until a model answers it.

    Attributes:
        verb: What is asked: predict, classify or regress.
        computing: The seconds that the model took.
        rows: How many examples it had.
    """

    __slots__ = (
        "_metrics",
        "_model",
        "_protocol",
        "_start",
        "_version",
        "computing",
        "rows",
        "verb",
    )

    def __init__(self, metrics: Metrics, protocol: Protocol) -> None:
        self._metrics = metrics
        self._protocol = protocol
        self._model = self._version = ""
        self.verb, self.computing, self.rows = "predict", 0.0, 0

    def answered_by(self, handle: Handle) -> None:
        """Say which version answers."""
        self._model, self._version = handle.model, str(handle.version)
        self._metrics.answering.add((self._model, self._version))

    def __enter__(self) -> Self:
        self._metrics.in_progress += 1
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        status = 200 if error is None else _status(error)
        seconds = time.perf_counter() - self._start
        self._metrics.in_progress -= 1
        requests, durations = self._metrics.labelled(
            self._model, self._version, self._protocol, status
        )
        requests.inc()
        durations.observe(seconds)
        if self._model and self._protocol == "tfserving":
            asked = self._metrics.tfserving[self._model]
            asked.observe(self.verb, status, seconds, self.computing, self.rows)


def _status(error: BaseException) -> int:
    if isinstance(error, asyncio.CancelledError):
        return CLIENT_GONE
    return error.status if isinstance(error, ServeError) else 500
