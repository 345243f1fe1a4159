"""What the load generator asks: requests that real models take, found by asking the server."""

from typing import Any

import pytest

from serve.bench import body
from serve.bench.target import find
from serve.errors import BenchError
from tests.serve.conftest import SERVED
from tests.serve.process import Client, Server

# Those without random values that fit: bfloat16 has no name in numpy, sequences none in V2.
TFS = sorted(SERVED.keys() - {"bfloat16", "slow", "sequence", "optional", "zipmap", "with space"})
V2 = sorted(SERVED.keys() - {"bfloat16", "slow", "sequence", "optional"} - {"with space"})


@pytest.mark.parametrize("path", [f"/v1/models/{name}" for name in TFS])
def test_a_model_of_the_first_protocol_is_asked(server: Server, path: str) -> None:
    target = find(f"http://127.0.0.1:{server.port}{path}")
    assert target.path == f"{path}:predict"
    assert "as JSON" in target.summary


@pytest.mark.parametrize("path", [f"/v2/models/{name}" for name in [*V2, "with%20space"]])
def test_a_model_of_the_second_protocol_is_asked_in_bytes(server: Server, path: str) -> None:
    target = find(f"127.0.0.1:{server.port}{path}")
    assert target.path == f"{path}/infer"
    assert target.summary.endswith("as binary")
    assert b"Inference-Header-Content-Length: " in target.request


def test_versions_and_whole_paths_are_understood(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    path = "/v1/models/linear/versions/1"
    assert find(base + path).path == find(f"{base}{path}:predict").path == f"{path}:predict"
    path = "/v2/models/linear/versions/1"
    assert find(base + path).path == find(f"{base}{path}/infer").path == f"{path}/infer"


@pytest.mark.parametrize("name", ["linear", "text", "sum_and_difference", "bool"])
def test_a_server_without_binary_tensors_is_asked_in_json(client: Client, name: str) -> None:
    given = body.tensors(client.get(f"/v2/models/{name}")[1]["inputs"], binary=False)
    assert client.post(f"/v2/models/{name}/infer", given.content)[0] == 200


def test_values_are_the_same_every_time_and_a_free_size_is_one() -> None:
    spec: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [-1, 3]}
    assert body.tensors([spec], True) == body.tensors([spec], True)
    assert body.tensors([spec], True).summary == "random x [1, 3] as binary"


def test_a_request_can_be_given(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    target = find(f"{base}/v1/models/linear", b'{"instances": [[1, 2, 3]]}', {"X-Team": "red"})
    assert target.request.startswith(b"POST /v1/models/linear:predict HTTP/1.1\r\n")
    assert target.request.endswith(b'\r\n\r\n{"instances": [[1, 2, 3]]}')
    assert b"X-Team: red\r\n" in target.request


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "has these models: .*linear.*Name one: http://"),
        (
            "/v1/models/nobody",
            r"does not say what it takes \(Servable not found .*\): name a model",
        ),
        ("/v2/models/optional_", r"does not say what it takes \(.* Did you mean optional\?"),
        ("/v2/models/bfloat16", "Input 'x' is BF16: give a request with --body FILE"),
        ("/nowhere", "does not say what it takes"),
    ],
)
def test_what_cannot_be_asked_is_said(server: Server, path: str, reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        find(f"http://127.0.0.1:{server.port}{path}")


def test_a_request_that_does_not_fit_is_not_measured(server: Server) -> None:
    with pytest.raises(BenchError, match=r"with 400: .*instances"):
        find(f"http://127.0.0.1:{server.port}/v1/models/linear", b"{}")


@pytest.mark.parametrize("url", ["http://", "ftp://x/", "http://x:many/", "http://x:99999/"])
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(BenchError, match="is no URL of a server"):
        find(url)


def test_nobody_there_is_said() -> None:
    with pytest.raises(BenchError, match=r"127\.0\.0\.1:9 does not answer: .*refused"):
        find("http://127.0.0.1:9/v2/models/x")
