"""The access log and the identifiers of requests, as a client and a reader of the log see them."""

import json
from datetime import datetime
from pathlib import Path

from tests.serve import models
from tests.serve.process import Client, Server, wait_until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"  # W3C's own example


def test_identifiers_come_back_and_nothing_harmful_does(client: Client) -> None:
    sent = {"X-Request-ID": "abc-1", "traceparent": TRACE}
    for path in ("/v2/health/live", "/v1/models", "/nothing"):
        client.ask("GET", path, None, sent)
        assert client.headers["x-request-id"] == "abc-1"
        assert client.headers["traceparent"] == TRACE
    for harmful in ("a\tb", "x" * 201):
        client.ask("GET", "/v2/health/live", None, {"X-Request-ID": harmful})
        assert "x-request-id" not in client.headers


def test_each_request_is_a_line_of_json(tmp_path: Path) -> None:
    models.publish(tmp_path, "m", 1, models.HALF_PLUS_TWO)
    with Server(tmp_path, "--access-log") as server:
        client = server.client()
        wait_until(lambda: client.is_available("m"), "it is ready")
        client.ask("POST", "/v1/models/m:predict", {"instances": [2]}, {"X-Request-ID": "7"})
        client.get("/v1/models/none")
        client.close()
        wait_until(lambda: any("/none" in line for line in server.lines), "it is logged")
    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    good, bad = lines[-2:]
    assert datetime.fromisoformat(good.pop("time")).tzinfo is not None
    assert 0 < good.pop("seconds") < 60
    assert good == {
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/v1/models/m:predict",
        "status": 200,
        "bytes": len(b'{"predictions":[3.0]}'),
        "request_id": "7",
    }
    assert (bad["status"], bad["method"]) == (404, "GET")


def test_the_log_is_off_by_default(server: Server, client: Client) -> None:
    client.get("/v1/models")
    assert not any(line.startswith("{") for line in server.lines)
