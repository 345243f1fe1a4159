"""The Open Inference Protocol, asked over HTTP; the rules are those of its specification."""

import json
import zlib
from typing import Any

import numpy as np
import pytest

from tests.serve.process import Client


def tensor(name: str, data: Any, datatype: str = "FP32", shape: list[int] | None = None) -> Any:
    shape = list(np.shape(data)) if shape is None else shape
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def infer(client: Client, model: str, *inputs: Any, **request: Any) -> tuple[int, Any]:
    return client.post(f"/v2/models/{model}/infer", {"inputs": list(inputs), **request})


def refused(client: Client, model: str, *inputs: Any, **request: Any) -> str:
    status, answer = infer(client, model, *inputs, **request)
    assert (status, list(answer)) == (400, ["error"]), answer
    return answer["error"]


def test_the_server(client: Client) -> None:
    status, answer = client.get("/v2")
    assert (status, answer["name"]) == (200, "tapeline")
    assert set(answer) == {"name", "version", "extensions"}
    assert client.get("/v2/health/live") == (200, {"live": True})


def test_it_is_not_ready_while_a_model_is_broken(client: Client) -> None:
    assert client.get("/v2/health/ready") == (503, {"ready": False})
    assert client.get("/v2/models/linear/ready") == (200, {"name": "linear", "ready": True})
    assert client.get("/v2/models/broken/ready") == (503, {"name": "broken", "ready": False})
    assert client.get("/v2/models/nobody/ready")[0] == 404
    assert client.get("/v2/models/linear/versions/1/ready")[0] == 200
    assert client.get("/v2/models/linear/versions/2/ready")[0] == 404


def test_metadata(client: Client) -> None:
    expected = {
        "name": "linear",
        "versions": ["1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
    }
    assert client.get("/v2/models/linear") == (200, expected)
    assert client.get("/v2/models/linear/versions/1") == (200, expected)
    assert client.ask("HEAD", "/v2/models/linear") == (200, None)


@pytest.mark.parametrize("version", ["", "/versions/1"])
@pytest.mark.parametrize("data", [[[1, 2, 3], [4, 5, 6]], [1, 2, 3, 4, 5, 6]])
def test_data_may_be_nested_or_flat(client: Client, version: str, data: Any) -> None:
    request = {"id": "42", "inputs": [tensor("x", data, shape=[2, 3])]}
    assert client.post(f"/v2/models/linear{version}/infer", request) == (
        200,
        {
            "model_name": "linear",
            "model_version": "1",
            "id": "42",
            "outputs": [
                {"name": "y", "datatype": "FP32", "shape": [2, 2], "data": [22, 28, 49, 64]}
            ],
        },
    )


@pytest.mark.parametrize(
    ("model", "datatype", "data"),
    [
        ("half_plus_two", "FP32", [2.0]),
        ("double", "FP64", [1e300]),
        ("float16", "FP16", [0.5]),
        ("int8", "INT8", [-128]),
        ("int64", "INT64", [2**63 - 1]),
        ("bool", "BOOL", [True, False]),
        ("text", "BYTES", ["größer", ""]),
    ],
)
def test_every_datatype(client: Client, model: str, datatype: str, data: list[Any]) -> None:
    name = client.get(f"/v2/models/{model}")[1]["inputs"][0]["name"]
    status, answer = infer(client, model, tensor(name, data, datatype))
    (output,) = answer["outputs"]
    assert (status, output["datatype"], output["shape"]) == (200, datatype, [len(data)])
    assert output["data"] == (data if model != "half_plus_two" else [3.0])


def test_a_scalar_is_a_list_of_one(client: Client) -> None:
    for data in ([3], 3):
        status, answer = infer(client, "slow", tensor("rounds", data, "INT64", shape=[]))
        assert (status, answer["outputs"][0]["shape"]) == (200, [96, 96])
    (total,) = infer(client, "total", tensor("x", [1, 2]))[1]["outputs"]
    assert (total["shape"], total["data"]) == ([], [3.0])


def test_only_the_outputs_asked_for_in_their_order(client: Client) -> None:
    inputs = tensor("a", [3]), tensor("b", [1])

    def names(*wanted: str) -> list[str]:
        outputs = [{"name": name} for name in wanted]
        answer = infer(client, "sum_and_difference", *inputs, outputs=outputs)[1]
        return [output["name"] for output in answer["outputs"]]

    assert names() == ["sum", "difference"]
    assert names("difference") == ["difference"]
    assert names("difference", "sum") == ["difference", "sum"]


X = tensor("x", [[1, 2, 3]])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "'inputs' must be a list of tensors"),
        ([3], "must be an object with a 'name'"),
        ([tensor("z", [1])], "no input 'z'; inputs are: x"),
        ([X, X], "'x' is given twice"),
        ([{**X, "datatype": "INT64"}], "'x' is FP32, given is 'INT64'"),
        ([{**X, "shape": [2, 3]}], "'x' says shape [2, 3]; its data has shape [1, 3]"),
        ([{**X, "shape": [-1, 3]}], "'x' needs a 'shape'"),
        ([{**X, "shape": None}], "'x' needs a 'shape'"),
        ([{**X, "shape": [True, 3]}], "'x' needs a 'shape'"),
        ([{**X, "data": [1, 2, "3"]}], "not of expected type: float"),
        ([{**X, "data": [[1, 2], [3]]}], "unexpected size"),
        ([{"name": "x", "datatype": "FP32", "shape": [1, 3]}], "'x' has no 'data'"),
        ([tensor("x", [1, 2, 3])], "'x' has shape [batch, 3], given is [3]"),
    ],
)
def test_wrong_inputs_are_named(client: Client, inputs: list[Any], message: str) -> None:
    assert message in refused(client, "linear", *inputs)


def test_other_wrong_requests(client: Client) -> None:
    assert "'id' must be a string" in refused(client, "linear", X, id=42)
    assert "outputs are: y" in refused(client, "linear", X, outputs=[{"name": "z"}])
    assert "'outputs' must be a list" in refused(client, "linear", X, outputs={"name": "y"})
    assert "Missing inputs: b" in refused(client, "sum_and_difference", tensor("a", [1]))
    assert client.post("/v2/models/linear/infer", "[1")[0] == 400
    assert client.post("/v2/models/linear/infer", [1])[0] == 400
    assert client.post("/v2/models/nobody/infer", {"inputs": [X]})[0] == 404
    assert client.post("/v2/models/linear/versions/2/infer", {"inputs": [X]})[0] == 404
    assert client.get("/v2/models/linear/versions/one")[0] == 400


def test_wrong_methods_are_405_and_unknown_paths_404_in_json(client: Client) -> None:
    assert client.get("/v2/models/linear/infer")[0] == 405
    assert client.headers["allow"] == "POST"
    assert client.post("/v2/health/live", {})[0] == 405
    status, answer = client.get("/v2/nothing")
    assert (status, list(answer)) == (404, ["error"])


def test_parameters_without_a_meaning_here_are_ignored(client: Client) -> None:
    parameters = {"sequence_id": 7, "sequence_start": True, "mine": "x"}
    x = {**X, "parameters": {"mine": 1.5}}
    assert infer(client, "linear", x, parameters=parameters)[0] == 200
    assert "'parameters' must be an object" in refused(client, "linear", X, parameters=[1])


def test_scripts_of_other_sites_may_ask_where_that_is_enabled(
    client: Client, permissive: Client
) -> None:
    path, origin = "/v2/models/half_plus_two/infer", {"Origin": "https://example.com"}
    assert permissive.ask("OPTIONS", path, headers=origin) == (200, None)
    assert "Inference-Header-Content-Length" in permissive.headers["access-control-allow-headers"]
    for status, body in ((200, {"inputs": [{**X, "shape": [1], "data": [1]}]}), (400, {})):
        assert permissive.ask("POST", path, body, origin)[0] == status
        assert permissive.headers["access-control-allow-origin"] == "*"
    assert client.ask("OPTIONS", path, headers=origin)[0] == 405
    assert "access-control-allow-origin" not in client.headers


@pytest.mark.parametrize(("coding", "window"), [("gzip", 31), ("deflate", 15)])
def test_answers_are_compressed_for_who_asks_for_one_way(
    client: Client, coding: str, window: int
) -> None:
    body = json.dumps({"inputs": [X], "parameters": {"binary_data_output": True}})

    def answer(accepted: str) -> tuple[str | None, bytes]:
        headers = {"Accept-Encoding": accepted}
        client.connection.request("POST", "/v2/models/linear/infer", body, headers)
        given = client.connection.getresponse()
        return given.getheader("Content-Encoding"), given.read()

    plain = answer("gzip, deflate")  # as browsers and libraries say with every request
    assert plain[0] is None
    given, content = answer(coding)
    assert (given, zlib.decompress(content, window)) == (coding, plain[1])


def test_a_request_may_have_a_timeout_and_a_priority(client: Client) -> None:
    rounds = {"name": "rounds", "shape": [], "datatype": "INT64", "data": [2**40]}
    status, answer = infer(client, "slow", rounds, parameters={"timeout": 50_000})
    assert (status, answer["error"]) == (
        504,
        "There was no result within 0.05 seconds, the limit of this request.",
    )
    rounds["data"] = [1]
    assert infer(client, "slow", rounds, parameters={"timeout": 0, "priority": 1})[0] == 200
    for wrong in ({"timeout": -1}, {"timeout": "1"}, {"priority": -1}, {"priority": 1.5}):
        assert next(iter(wrong)) in refused(client, "slow", rounds, parameters=wrong)
