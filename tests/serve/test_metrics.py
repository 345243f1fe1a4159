"""What Prometheus is told, read with Prometheus' own parser."""

from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.serve import models
from tests.serve.process import Client, Server, wait_until


def samples(client: Client, path: str = "/metrics") -> dict[tuple[str, frozenset[str]], float]:
    """The values by name and labels."""
    client.connection.request("GET", path)
    answer = client.connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("content-type", "").startswith("text/plain; version=")
    families = parse(answer.read().decode())
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def count(client: Client, *labels: Any) -> float:
    found = samples(client)
    return sum(
        value
        for (name, given), value in found.items()
        if name == "tapeline_requests_total" and set(labels) <= given
    )


def test_requests_are_counted_by_model_version_protocol_and_code(client: Client) -> None:
    good, bad = ("linear", "1", "tfserving", "200"), ("linear", "1", "tfserving", "400")
    v2 = ("linear", "1", "v2", "400")
    before = [count(client, *labels) for labels in (good, bad, v2)]
    client.predict("linear", [[1, 2, 3]])
    client.predict("linear", [[1, 2, 3]])
    client.post("/v1/models/linear:predict", {"instances": [1]})
    client.post("/v2/models/linear/infer", {})
    after = [count(client, *labels) for labels in (good, bad, v2)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 1]


def test_requests_are_timed(client: Client) -> None:
    client.predict("half_plus_two", [1])
    found = samples(client)
    labels = frozenset(["half_plus_two", "1", "serving_default", "tfserving"])
    assert found["tapeline_request_seconds_count", labels] >= 1
    assert found["tapeline_request_seconds_sum", labels] > 0


def test_names_from_clients_never_become_labels(client: Client) -> None:
    client.post("/v1/models/made-up:predict", {"instances": [1]})
    client.post("/v2/models/made-up/infer", {})
    assert count(client, "made-up") == 0
    assert count(client, "", "404") >= 2


def test_tensorflow_serving_s_path_works_and_the_process_is_described(client: Client) -> None:
    found = samples(client, "/monitoring/prometheus/metrics")
    assert found["process_start_time_seconds", frozenset()] > 0


def found(client: Client, name: str, **labels: str) -> list[Any]:
    client.connection.request("GET", "/metrics")
    families = parse(client.connection.getresponse().read().decode())
    return [
        sample
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def values(client: Client, name: str, **labels: str) -> list[float]:
    return [sample.value for sample in found(client, name, **labels)]


def test_tensorflow_serving_s_names_count_and_time(client: Client) -> None:
    prefix = ":tensorflow:serving:request_"

    def now() -> list[float]:
        count = prefix + "count"
        return [
            sum(values(client, count, model_name="linear", status="OK")),
            sum(values(client, count, model_name="linear", status="INVALID_ARGUMENT")),
            sum(values(client, prefix + "latency_count", model_name="linear", API="predict")),
            sum(values(client, prefix + "latency_bucket", model_name="linear", le="+Inf")),
        ]

    before = now()
    client.predict("linear", [[1, 2, 3]])
    client.post("/v1/models/linear:predict", {"instances": [1]})
    assert [b - a for a, b in zip(before, now(), strict=True)] == [1, 1, 1, 1]
    assert len(values(client, prefix + "latency_bucket", model_name="linear")) == 34
    assert sum(values(client, prefix + "latency_sum", model_name="linear")) > 0


def test_tensorflow_serving_s_names_know_runs_and_loads(client: Client) -> None:
    tfs, session = ":tensorflow:serving:", ":tensorflow:serving:batching_session:"

    def now() -> list[float]:
        return [
            sum(values(client, tfs + "request_latency_count", API="classify")),
            sum(values(client, tfs + "runtime_latency_count", model_name="classifier")),
            sum(values(client, tfs + "request_example_counts_count", model="classifier")),
            sum(values(client, tfs + "request_example_count_total", model="classifier")),
            sum(values(client, session + "wrapped_run_count")),
            sum(values(client, session + "processed_batch_size_sum")),
            sum(values(client, session + "queuing_latency_count", thread_pool_name="slow")),
        ]

    before = now()
    rows = [{"x": [0.2, 0.3, 0.5]}, {"x": [0, 0, 1]}]
    assert client.post("/v1/models/classifier:classify", {"examples": rows})[0] == 200
    assert client.post("/v1/models/slow:predict", {"inputs": 1})[0] == 200
    assert [b - a for a, b in zip(before, now(), strict=True)] == [1, 1, 1, 2, 2, 3, 1]
    assert sum(values(client, tfs + "runtime_latency_sum", model_name="classifier")) > 0
    waits = found(client, session + "queuing_latency_bucket")
    bounds = [s.labels["le"] for s in waits if s.labels["thread_pool_name"] == "slow"]
    assert (len(bounds), bounds[0], bounds[-1]) == (53, "100.0", "+Inf")
    load, warm = ":tensorflow:cc:saved_model:load_latency", tfs + "model_warmup_latency_count"
    paths = [s.labels["model_path"] for s in found(client, load)]
    assert any(path.endswith("/linear/1") for path in paths)
    assert min(values(client, load)) > 0
    assert values(client, warm, status="OK") == [1] * len(paths)
    attempts = ":tensorflow:cc:saved_model:load_attempt_count"
    assert values(client, attempts, status="success") == [1] * len(paths)


def test_triton_s_names_know_loads_and_the_machine(client: Client) -> None:
    assert values(client, "nv_model_load_duration_secs", model="linear", version="1")[0] > 0
    total, used = (values(client, f"nv_cpu_memory_{name}_bytes")[0] for name in ("total", "used"))
    assert 2**20 < used < total
    assert 0 <= values(client, "nv_cpu_utilization")[0] <= 1


def test_requests_are_told_apart_by_signature(client: Client) -> None:
    client.predict("linear", [[1, 2, 3]])
    for name in ("tapeline_requests_total", "tapeline_request_seconds_count"):
        assert values(client, name, model="linear", signature="serving_default")
    client.post("/v1/models/nobody:predict", {})
    assert values(client, "tapeline_requests_total", model="", signature="", code="404")


def test_triton_s_names_count_and_time(client: Client) -> None:
    names = ("request_success", "request_failure", "count", "exec_count", "request_duration_us")

    def now() -> list[float]:
        return [
            sum(values(client, f"nv_inference_{name}", model="linear", version="1"))
            for name in names
        ]

    before = now()
    client.predict("linear", [[1, 2, 3], [4, 5, 6]])
    client.post("/v2/models/linear/infer", {})
    *counts, duration = (b - a for a, b in zip(before, now(), strict=True))
    assert counts == [1, 1, 2, 1]
    assert duration > 0


def test_failures_have_triton_s_reasons(client: Client) -> None:
    def now(reason: str) -> float:
        name = "nv_inference_request_failure"
        return sum(values(client, name, version="1", reason=reason))

    def grown(reason: str, path: str, body: Any) -> float:
        before = now(reason)
        client.post(path, body)
        return now(reason) - before

    assert now("CANCELED") >= 0
    assert grown("OTHER", "/v2/models/linear/infer", {}) == 1
    unequal = {"inputs": {"a": [1, 2], "b": [1, 2, 3]}}
    assert grown("BACKEND", "/v1/models/sum_and_difference:predict", unequal) == 1
    rounds = {"name": "rounds", "shape": [], "datatype": "INT64", "data": [2**40]}
    impatient = {"inputs": [rounds], "parameters": {"timeout": 1000}}
    assert grown("REJECTED", "/v2/models/slow/infer", impatient) == 1


def test_the_labels_of_a_version_end_with_it(tmp_path: Path) -> None:
    models.publish(tmp_path, "m", 1, models.HALF_PLUS_TWO)
    with Server(tmp_path) as server:
        client = server.client()
        wait_until(lambda: client.is_available("m"), "version 1")
        client.predict("m", [1])
        assert count(client, "m", "1") == 1
        models.publish(tmp_path, "m", 2, models.HALF_PLUS_TWO)
        wait_until(lambda: not client.is_available("m", 1), "version 1 is gone")
        client.predict("m", [1])
        assert (count(client, "m", "1"), count(client, "m", "2")) == (0, 1)
        assert values(client, "nv_inference_exec_count", model="m") == [1]  # none while loading
        assert values(client, "nv_inference_count", version="1") == []
        client.close()


def test_two_versions_of_a_model_have_no_sample_twice(tmp_path: Path) -> None:
    for version in (1, 2):
        models.publish(tmp_path, "slow", version, models.SLOW)
    with Server(tmp_path, "--num-versions", "2") as server:
        client = server.client()
        for version in (1, 2):
            wait_until(lambda version=version: client.is_available("slow", version), "it is ready")
            path = f"/v1/models/slow/versions/{version}:predict"
            assert client.post(path, {"inputs": 2000})[0] == 200
        client.connection.request("GET", "/metrics")
        families = parse(client.connection.getresponse().read().decode())
        seen = [(s.name, *sorted(s.labels.items())) for f in families for s in f.samples]
        assert len(seen) == len(set(seen))
        waited = ":tensorflow:serving:batching_session:queuing_latency_count"
        assert values(client, waited, thread_pool_name="slow") == [2]
