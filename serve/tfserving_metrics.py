"""TensorFlow Serving's names for what is counted, so that its dashboards go on working.

The names, labels and buckets are those of its `servables/tensorflow/util.cc`, `core/loader_harness.cc` and
`batching/batching_session.cc`; a slash of the original is a colon in Prometheus.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from serve.batcher import Totals
from serve.distribution import Distribution
from serve.infer import Inference
from serve.manager import Manager

_SERVING = ":tensorflow:serving:"
_BATCHING = ":tensorflow:serving:batching_session:"
_LOADING = ":tensorflow:cc:saved_model:"
_MICROSECONDS = tuple(10 * 1.8**n for n in range(33))
_EXAMPLES = tuple(2.0**n for n in range(15))
_SIZES = tuple(float(n) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024))
_STATUS = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    413: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _microseconds() -> Distribution:
    return Distribution(_MICROSECONDS)


class Requests:
    """What a model was asked by TensorFlow Serving's protocol; the times are those of good answers."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = defaultdict(int)
        self.latency: dict[str, Distribution] = defaultdict(_microseconds)
        self.runtime: dict[str, Distribution] = defaultdict(_microseconds)
        self.examples = Distribution(_EXAMPLES)

    def succeed(self, verb: str, seconds: float, computing: float, rows: int) -> None:
        """Count a good answer.

        Args:
            verb: What was asked: predict, classify or regress.
            seconds: How long it took.
            computing: How many of these seconds the model took.
            rows: How many examples it had.
        """
        self.statuses["OK"] += 1
        self.latency[verb].observe(seconds * 1e6)
        self.runtime[verb].observe(computing * 1e6)
        self.examples.observe(rows)

    def fail(self, code: int) -> None:
        """Count an error by its HTTP status."""
        self.statuses[_STATUS.get(code, "INTERNAL")] += 1


class TFServingMetrics(Collector):
    """Collects at the moment when it is asked; the samples are untyped, as the names end freely.

    Args:
        manager: Knows what is served.
        inference: Knows the queues.
        requests: What each model was asked.
    """

    def __init__(
        self, manager: Manager, inference: Inference, requests: dict[str, Requests]
    ) -> None:
        self.manager = manager
        self.inference = inference
        self.requests = requests

    def collect(self) -> Iterator[Metric]:
        """Requests by model, then runs and loads by version."""
        yield from self._requests()
        yield from self._versions()

    def describe(self) -> list[Metric]:
        """Nothing: what there is, is known when it is collected."""
        return []

    def _requests(self) -> Iterator[Metric]:
        count = _metric(_SERVING + "request_count", "Answers over REST by status.")
        latency = _metric(_SERVING + "request_latency", "Microseconds of good answers.")
        runtime = _metric(_SERVING + "runtime_latency", "Microseconds of runs of the model.")
        sizes = _metric(_SERVING + "request_example_counts", "Examples of a request.")
        total = _metric(_SERVING + "request_example_count_total", "Examples of all requests.")
        served = set(self.manager.models())
        for model, requests in list(self.requests.items()):
            if model not in served:
                del self.requests[model]
                continue
            for status, number in requests.statuses.items():
                count.add_sample(count.name, {"model_name": model, "status": status}, number)
            for verb, times in requests.latency.items():
                labels = {"model_name": model, "API": verb}
                times.write(latency, {**labels, "entrypoint": "REST"})
                requests.runtime[verb].write(runtime, {**labels, "runtime": "ONNX"})
            requests.examples.write(sizes, {"model": model})
            total.add_sample(total.name, {"model": model}, requests.examples.sum)
        yield from (count, latency, runtime, sizes, total)

    def _versions(self) -> Iterator[Metric]:
        runs = _metric(_BATCHING + "wrapped_run_count", "Runs of all models.")
        sizes = _metric(_BATCHING + "processed_batch_size", "Examples of a run.")
        waiting = _metric(_BATCHING + "queuing_latency", "Microseconds that requests waited.")
        padding = _metric(_BATCHING + "padding_size", "Examples added to fill up batches.")
        attempts = _metric(_LOADING + "load_attempt_count", "Loads of what is served now.")
        latency = _metric(_LOADING + "load_latency", "Microseconds that they took.")
        warming = _metric(_SERVING + "model_warmup_latency", "Microseconds of warming them up.")
        processed = Distribution(_SIZES)
        queues: dict[str, list[Totals]] = defaultdict(list)
        for model, _, servable in self.manager.loaded():
            for size, (number, _) in servable.executions.by_size().items():
                processed.observe(size, number)
            if (queue := self.inference.queue_of(servable)) is not None:
                queues[model].append(queue.totals)
            if servable.loading is not None:
                path = {"model_path": str(servable.loading.path)}
                attempts.add_sample(attempts.name, {**path, "status": "success"}, 1)
                latency.add_sample(latency.name, path, servable.loading.seconds * 1e6)
                microseconds = _microseconds()
                microseconds.observe(servable.loading.warming * 1e6)
                microseconds.write(warming, {**path, "status": "OK"})
        for model, totals in queues.items():  # of all its versions: nothing tells them apart
            _write_queue(model, totals, waiting, padding)
        runs.add_sample(runs.name, {}, sum(processed.buckets))
        processed.write(sizes, {})
        yield from (runs, sizes, waiting, padding, attempts, latency, warming)


def _write_queue(model: str, totals: list[Totals], waiting: Metric, padding: Metric) -> None:
    labels = {"thread_pool_name": model}
    waits = Distribution(totals[0].waits.bounds)
    for one in totals:
        waits.add(one.waits)
    waits.write(waiting, labels)
    padding.add_sample(padding.name + "_sum", labels, sum(one.padding for one in totals))
    padding.add_sample(padding.name + "_count", labels, sum(one.runs for one in totals))


def _metric(name: str, text: str) -> Metric:
    return Metric(name, text, "unknown")
