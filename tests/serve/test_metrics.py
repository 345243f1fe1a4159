"""What Prometheus is told, read with Prometheus' own parser."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse

from tests.serve.process import Client


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
    labels = frozenset(["half_plus_two", "1", "tfserving"])
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
