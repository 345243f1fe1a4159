"""The names that TensorFlow Serving and Triton have for what is counted: dashboards go on working."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serve.errors import NotFound
from serve.infer import Inference
from serve.manager import Manager
from serve.policy import State
from serve.protocols.statistics import Statistics

# Upper bounds in microseconds, from TensorFlow Serving's servables/tensorflow/util.cc.
LATENCY_BOUNDS = tuple(10 * 1.8**n for n in range(33))

_TFS = ":tensorflow:serving:"
_STATUS = {
    200: "OK",
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    413: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Latencies:
    """A histogram of the durations of good answers, and the number of answers by status."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(LATENCY_BOUNDS) + 1)
        self.microseconds = 0.0
        self.statuses: dict[str, int] = {}

    def observe(self, code: int, seconds: float) -> None:
        """Count one answer."""
        status = _STATUS.get(code, "INTERNAL")
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if code == 200:
            self.buckets[bisect_left(LATENCY_BOUNDS, seconds * 1e6)] += 1
            self.microseconds += seconds * 1e6


class ForeignMetrics(Collector):
    """Collects at the moment when it is asked; the samples are untyped, as the names end freely.

    Args:
        manager: Knows what is served.
        inference: Knows the queues.
        statistics: Knows what each version has done.
        latencies: What TensorFlow Serving's protocol took, by model.
    """

    def __init__(
        self,
        manager: Manager,
        inference: Inference,
        statistics: Statistics,
        latencies: dict[str, Latencies],
    ) -> None:
        self.manager = manager
        self.inference = inference
        self.statistics = statistics
        self.latencies = latencies

    def collect(self) -> Iterator[Metric]:
        """Everything under the foreign names, and the queues under ours."""
        yield from self._tensorflow_serving()
        yield from self._versions()

    def describe(self) -> list[Metric]:
        """Nothing: what there is, is known when it is collected."""
        return []

    def _tensorflow_serving(self) -> Iterator[Metric]:
        count = Metric(_TFS + "request_count", "Answers over REST by status.", "unknown")
        latency = Metric(_TFS + "request_latency", "Microseconds of good answers.", "unknown")
        served = set(self.manager.models())
        for model, latencies in list(self.latencies.items()):
            if model not in served:
                del self.latencies[model]
                continue
            for status, number in latencies.statuses.items():
                count.add_sample(count.name, {"model_name": model, "status": status}, number)
            labels = {"model_name": model, "API": "predict", "entrypoint": "REST"}
            total = 0
            for bound, number in zip(
                (*map(str, LATENCY_BOUNDS), "+Inf"), latencies.buckets, strict=True
            ):
                total += number
                latency.add_sample(latency.name + "_bucket", {**labels, "le": bound}, total)
            latency.add_sample(latency.name + "_sum", labels, latencies.microseconds)
            latency.add_sample(latency.name + "_count", labels, total)
        yield from (count, latency)

    def _versions(self) -> Iterator[Metric]:
        triton = {name: Metric(f"nv_inference_{name}", text, "unknown") for name, text in _TRITON}
        waiting, padding = (
            GaugeMetricFamily(f"tapeline_{name}", text, labels=["model", "version"])
            for name, text in (
                ("requests_waiting", "Inference requests that wait for their turn."),
                ("padding_rows", "Examples added to fill up batches, since the version is loaded."),
            )
        )
        for model, view in self.manager.states():
            if view.state is not State.AVAILABLE:
                continue
            try:
                with self.manager.handle(model, view.version) as handle:
                    servable = handle.servable
            except NotFound:  # unloaded in this moment
                continue
            queue = self.inference.queue_of(servable)
            counts = self.statistics.of(servable)
            microseconds = [time / 1000 for time in counts.times]
            waited = self.statistics.waited(servable) / 1000
            values = {
                "request_success": counts.succeeded,
                "count": counts.rows,
                "exec_count": servable.executions.runs(),
                "pending_request_count": queue.waiting if queue else 0,
                "request_duration_us": sum(counts.nanoseconds) / 1000,
                "queue_duration_us": waited,
                "compute_input_duration_us": microseconds[0],
                "compute_infer_duration_us": max(0, microseconds[1] - waited),
                "compute_output_duration_us": microseconds[2],
            }
            labels = {"model": model, "version": str(view.version)}
            for reason, number in counts.failed.items():
                failure = triton["request_failure"]
                failure.add_sample(failure.name, {**labels, "reason": reason}, number)
            for name, value in values.items():
                triton[name].add_sample(triton[name].name, labels, value)
            waiting.add_metric(list(labels.values()), queue.waiting if queue else 0)
            padding.add_metric(list(labels.values()), queue.totals.padding if queue else 0)
        yield from triton.values()
        yield from (waiting, padding)


_TRITON = (
    ("request_success", "Requests that were answered well."),
    ("request_failure", "Requests that were not."),
    ("count", "Examples computed."),
    ("exec_count", "Runs of the model."),
    ("pending_request_count", "Requests that wait."),
    ("request_duration_us", "Microseconds of all requests."),
    ("queue_duration_us", "Microseconds that requests waited."),
    ("compute_input_duration_us", "Microseconds spent on reading inputs."),
    ("compute_infer_duration_us", "Microseconds spent on computing."),
    ("compute_output_duration_us", "Microseconds spent on writing outputs."),
)
