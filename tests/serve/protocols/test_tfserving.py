"""TensorFlow Serving's REST API, asked over HTTP; the rules are those of its documentation and code."""

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.serve import models
from tests.serve.process import Client, Server, wait_until

WEIGHTS = np.array([[1, 2], [3, 4], [5, 6]], np.float32)


def predict(client: Client, model: str, body: Any, target: str = "") -> tuple[int, Any]:
    return client.post(f"/v1/models/{model}{target}:predict", body)


def refused(client: Client, model: str, body: Any, status: int = 400) -> str:
    """The message of a refusal, which must be JSON of this form."""
    given, answer = predict(client, model, body)
    assert given == status, answer
    assert list(answer) == ["error"]
    assert client.headers["content-type"] == "application/json"
    return answer["error"]


def test_the_example_of_the_documentation(client: Client) -> None:
    given = predict(client, "half_plus_two", {"instances": [1.0, 2.0, 5.0]})
    assert given == (200, {"predictions": [2.5, 3.0, 4.5]})


@pytest.mark.parametrize("target", ["", "/versions/1", "/versions/001"])
def test_the_newest_version_or_the_one_asked_for(client: Client, target: str) -> None:
    assert predict(client, "half_plus_two", {"instances": [2]}, target)[1]["predictions"] == [3.0]


def test_paths_are_case_insensitive_and_names_are_decoded(client: Client) -> None:
    assert client.post("/V1/Models/half_plus_two:PREDICT", {"instances": [2]})[0] == 200
    assert client.post("/v1/models/with%20space:predict", {"instances": [2]})[0] == 200


def test_rows_are_a_batch(client: Client) -> None:
    rows = [[1, 2, 3], [4, 5, 6]]
    expected = (np.array(rows, np.float32) @ WEIGHTS).tolist()
    assert client.predict("linear", rows) == expected
    assert client.predict("linear", [{"x": row} for row in rows]) == expected


def test_rows_of_several_inputs_give_rows_of_several_outputs(client: Client) -> None:
    rows = [{"a": 3, "b": 1}, {"b": 4, "a": 2}]
    assert client.predict("sum_and_difference", rows) == [
        {"sum": 4.0, "difference": 2.0},
        {"sum": 6.0, "difference": -2.0},
    ]


def test_columns(client: Client) -> None:
    x = [[1, 2, 3]]
    expected = (200, {"outputs": [[22.0, 28.0]]})
    assert predict(client, "linear", {"inputs": x}) == expected
    assert predict(client, "linear", {"inputs": {"x": x, "ignored": 1}}) == expected
    columns = {"a": [1, 2], "b": [3, 5]}
    assert predict(client, "sum_and_difference", {"inputs": columns}) == (
        200,
        {"outputs": {"sum": [4.0, 7.0], "difference": [-2.0, -3.0]}},
    )


def test_a_scalar_output_exists_in_columns_only(client: Client) -> None:
    assert predict(client, "total", {"inputs": [1, 2]}) == (200, {"outputs": 3.0})
    assert "has no shape information" in refused(client, "total", {"instances": [1, 2]})


def test_text_and_base64(client: Client) -> None:
    instances = ["größer", {"b64": "YmV0YQ=="}]
    assert client.predict("text", instances) == ["größer", "beta"]
    assert client.predict("bytes", instances) == [{"b64": "Z3LDtsOfZXI="}, {"b64": "YmV0YQ=="}]
    assert client.predict("text", [{"text": "a"}, {"text": {"b64": "Yg=="}}]) == ["a", "b"]


def test_bytes_that_are_no_text_stay_base64(client: Client) -> None:
    instances = [{"b64": "/wD+"}, "text", {"b64": "wyg="}]
    assert client.predict("bytes", instances) == [instances[0], {"b64": "dGV4dA=="}, instances[2]]
    assert client.predict("text", instances) == instances
    assert predict(client, "text", {"inputs": instances})[1] == {"outputs": instances}


def test_non_finite_numbers_go_both_ways(client: Client) -> None:
    body = '{"instances": [NaN, Infinity, -Infinity, 1e50]}'
    status, answer = predict(client, "half_plus_two", body)
    assert status == 200
    nan, *rest = answer["predictions"]
    assert math.isnan(nan)
    assert rest == [math.inf, -math.inf, math.inf]


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ("int64", [2**63 - 1, -(2**63)]),
        ("int8", [127, -128]),
        ("double", [0.1, 1e300, 5e-324]),
        ("float16", [0.5, 65504.0]),
        ("bool", [True, False]),
    ],
)
def test_values_are_exact_in_every_type(client: Client, model: str, values: list[Any]) -> None:
    given = client.predict(model, values)
    assert given == values
    assert list(map(type, given)) == list(map(type, values))


def test_numbers_are_those_of_the_type_not_of_the_text(client: Client) -> None:
    given = client.predict("half_plus_two", [0.2])
    assert struct.pack("f", given[0]) == (np.float32(0.2) * np.float32(0.5) + 2).tobytes()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("{", "JSON Parse error"),
        ([1], "must be a JSON object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [1], "inputs": [1]}, "both 'inputs' or 'instances'"),
        ({"instances": []}, "No values in 'instances' array."),
        ({"instances": 1}, "Expecting 'instances' to be an array/list"),
        ({"instances": [1], "signature_name": 3}, "'signature_name' key must be a string value."),
        (
            {"instances": [1], "signature_name": "x"},
            'name: "x" not found in signature def. The one of a model here is "serving_default".',
        ),
        (
            {"instances": ["abc"]},
            'JSON Value: "abc" Type: String is not of expected type: float',
        ),
        ({"instances": [None]}, "not of expected type: float"),
        ({"instances": [True]}, "not of expected type: float"),
        ({"instances": [1, [2]]}, "not of expected type: float"),
        ({"instances": [[1], [2, 3]]}, "Encountered list at unexpected size: 2"),
        ({"instances": [[1], [2]]}, "shape [N], given is [2, 1]"),
        ({"instances": [{"y": 1}]}, "keys must be equal to: x"),
        ({"instances": [{"x": 1}, {}]}, "keys must be equal to: x"),
        ({"instances": [{"x": 1}, 2]}, "Mixed objects and values"),
        ({"instances": [1, {"x": 2}]}, "Type: Object"),
        ({"inputs": {"y": [1]}}, "Missing named input: x in 'inputs' object."),
    ],
)
def test_wrong_requests_are_400(client: Client, body: Any, message: str) -> None:
    assert message in refused(client, "half_plus_two", body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"instances": [1]}, "keys must be equal to: a,b"),
        ({"instances": [{"a": 1}]}, "keys must be equal to: a,b"),
        ({"inputs": [1]}, "object with the keys: a,b"),
        ({"inputs": {"a": [1]}}, "Missing named input: b"),
        ({"inputs": {"a": [1, 2], "b": [1, 2, 3]}}, "ONNX Runtime"),
    ],
)
def test_wrong_requests_to_several_inputs_are_400(client: Client, body: Any, message: str) -> None:
    assert message in refused(client, "sum_and_difference", body)


@pytest.mark.parametrize(
    ("model", "value", "message"),
    [
        ("int64", 1.0, "Type: Number is not of expected type: int64"),
        ("int64", True, "Type: Boolean"),
        ("int8", 128, "out of range for int8"),
        ("bool", 1, "Type: Number is not of expected type: bool"),
        ("text", 1, "Type: Number is not of expected type: string"),
        ("text", {"b64": "%"}, "Unable to base64 decode"),
    ],
)
def test_wrong_elements_are_400(client: Client, model: str, value: Any, message: str) -> None:
    assert message in refused(client, model, {"instances": [value]})


def test_text_after_the_value_and_unknown_keys_are_ignored(client: Client) -> None:
    assert predict(client, "half_plus_two", '{"instances": [2], "more": {}} trailing')[0] == 200


def test_a_misspelled_model_is_answered_with_the_near_one(client: Client) -> None:
    for status, answer in (
        predict(client, "half_plus_tow", {"instances": [1]}),
        client.get("/v1/models/half_plus_tow"),
        client.get("/v2/models/half_plus_tow"),
        client.get("/v2/models/half_plus_tow/ready"),
    ):
        assert (status, "Did you mean half_plus_two?" in answer["error"]) == (404, True)
    assert "Did you mean" not in predict(client, "nobody", {"instances": [1]})[1]["error"]


def test_unknown_models_and_versions_are_404(client: Client) -> None:
    body = {"instances": [1]}
    assert "Servable not found for request: Latest(nobody)" in refused(client, "nobody", body, 404)
    status, answer = predict(client, "half_plus_two", body, "/versions/9")
    assert status == 404
    assert "Servable not found for request: Specific(half_plus_two, 9)" in answer["error"]
    assert "version 1 failed: ONNX Runtime: " in refused(client, "broken", body, 404)


@pytest.mark.parametrize("version", [str(2**63), "9" * 5000])
def test_versions_have_64_bits(client: Client, version: str) -> None:
    status, answer = predict(client, "half_plus_two", {"instances": [1]}, f"/versions/{version}")
    assert status == 400
    assert answer["error"].startswith("Failed to convert version: 9")


def test_unknown_labels_are_400(client: Client) -> None:
    status, answer = predict(client, "half_plus_two", {"instances": [1]}, "/labels/stable")
    assert (status, answer) == (400, {"error": "Unrecognized servable version label: stable"})


def test_version_0_is_the_newest_where_there_is_none_of_that_number(client: Client) -> None:
    given = predict(client, "half_plus_two", {"instances": [2]}, "/versions/0")
    assert given == (200, {"predictions": [3.0]})
    assert client.get("/v1/models/linear/versions/0") == client.get("/v1/models/linear")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with a configuration file in TensorFlow Serving's form."""
    folder = tmp_path_factory.mktemp("labelled")
    models.publish(folder, "half", 1, models.HALF_PLUS_TWO)
    models.publish(folder, "half", 2, models.HALF_PLUS_THREE)
    config = folder / "models.config"
    config.write_text(
        f"""model_config_list {{ config {{ name: "half" base_path: "{folder}/half"
        model_platform: "onnx" version_labels {{ key: "stable" value: 1 }}
        version_labels {{ key: "canary" value: 2 }} version_labels {{ key: "gone" value: 9 }} }} }}"""
    )
    with Server(folder, "--model_config_file", str(config)) as server:
        client = server.client()
        wait_until(lambda: client.is_available("half", 1), "version 1")
        wait_until(lambda: client.is_available("half", 2), "version 2")
        yield client
        client.close()


def test_labels_name_versions(labelled: Client) -> None:
    for target, expected in (("/labels/stable", 3.0), ("/labels/canary", 4.0), ("", 4.0)):
        status, answer = predict(labelled, "half", {"instances": [2]}, target)
        assert (status, answer) == (200, {"predictions": [expected]})
    spec = labelled.get("/v1/models/half/labels/stable/metadata")[1]["model_spec"]
    assert spec["version"] == "1"
    states = labelled.get("/v1/models/half/labels/stable")[1]["model_version_status"]
    assert [state["version"] for state in states] == ["2", "1"]


def test_labels_that_are_unknown_or_not_available(labelled: Client) -> None:
    body = {"instances": [2]}
    status, answer = predict(labelled, "half", body, "/labels/st%61ging")
    assert (status, answer["error"]) == (400, "Unrecognized servable version label: staging")
    assert predict(labelled, "half", body, "/labels/gone")[0] == 503


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/half_plus_two:predict"),
        ("POST", "/v1/models/half_plus_two"),
        ("POST", "/v1/models/half_plus_two:predict?x=1"),
        ("POST", "/v1/models/half_plus_two:guess"),
        ("POST", "/v1/models/half_plus_two/versions/one:predict"),
        ("PUT", "/v1/models/half_plus_two:predict"),
        ("DELETE", "/v1/models/half_plus_two"),
        ("GET", "/v1/other"),
        ("GET", "/v1/"),
    ],
)
def test_other_paths_and_methods_are_malformed(client: Client, method: str, path: str) -> None:
    status, answer = client.ask(method, path)
    assert (status, answer) == (400, {"error": f"Malformed request: {method} {path}"})


def test_an_encoded_slash_is_no_slash(client: Client) -> None:
    status, answer = client.get("/v1/models/half_plus_two%2Fmetadata")
    assert status == 404
    assert "half_plus_two/metadata" in answer["error"]


def test_status(client: Client) -> None:
    ready = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for target in ("", "/versions/1", "/labels/whatever"):
        status, answer = client.get(f"/v1/models/linear{target}")
        assert (status, answer) == (200, {"model_version_status": [ready]})
    failed = client.get("/v1/models/broken")[1]["model_version_status"][0]
    assert (failed["state"], failed["status"]["error_code"]) == ("END", "INTERNAL")
    assert "Protobuf parsing failed" in failed["status"]["error_message"]
    assert client.get("/v1/models/nobody") == (
        404,
        {"error": "Could not find any versions of model nobody"},
    )
    assert client.get("/v1/models/linear/versions/2") == (
        404,
        {"error": "Could not find version 2 of model linear"},
    )


def test_all_models_are_listed(client: Client) -> None:
    status, answer = client.get("/v1/models")
    names = [model["name"] for model in answer["models"]]
    assert status == 200
    assert names == sorted(names)
    assert {"linear", "broken"} < set(names)
    assert "recipe_only" not in names


def test_metadata(client: Client) -> None:
    def tensor(name: str, dtype: str, *sizes: int) -> dict[str, Any]:
        dimensions = [{"size": str(size), "name": ""} for size in sizes]
        shape = {"dim": dimensions, "unknown_rank": False}
        return {"dtype": dtype, "tensor_shape": shape, "name": name}

    signature = {
        "inputs": {"x": tensor("x", "DT_FLOAT", -1, 3)},
        "outputs": {"y": tensor("y", "DT_FLOAT", -1, 2)},
        "method_name": "tensorflow/serving/predict",
    }
    expected = {
        "model_spec": {"name": "linear", "signature_name": "", "version": "1"},
        "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
    }
    assert client.get("/v1/models/linear/metadata") == (200, expected)
    assert client.get("/v1/models/linear/versions/1/metadata") == (200, expected)
    assert client.get("/v1/models/broken/metadata")[0] == 404


def test_compressed_requests(client: Client) -> None:
    status, answer = client.post_gzip("/v1/models/half_plus_two:predict", {"instances": [2]})
    assert (status, answer) == (200, {"predictions": [3.0]})
    headers = {"Content-Encoding": "gzip"}
    path = "/v1/models/half_plus_two:predict"
    assert client.ask("POST", path, b'{"instances": [2]}', headers)[0] == 400
    assert client.ask("POST", path, b"{}", {"Content-Encoding": "br"})[0] == 400


def test_bodies_over_the_limit_are_413_also_when_they_were_compressed(client: Client) -> None:
    body = {"instances": [0] * 500_000}
    path = "/v1/models/half_plus_two:predict"
    for status, answer in (client.post(path, body), client.post_gzip(path, body)):
        assert status == 413
        assert "larger than 1000000 bytes" in answer["error"]
    assert client.predict("half_plus_two", [2]) == [3.0]  # on the same connection


def test_a_body_that_says_it_is_too_long_is_not_waited_for(client: Client) -> None:
    client.connection.putrequest("POST", "/v1/models/half_plus_two:predict")
    client.connection.putheader("Content-Length", "1000001")
    client.connection.endheaders()
    assert client.connection.getresponse().status == 413
    client.close()


def test_a_body_in_chunks_is_read_whole_and_held_to_the_limit(client: Client) -> None:
    def send(count: int) -> int:
        parts = json.dumps({"instances": [0.5] * count}).encode()
        chunks = (parts[i : i + 4096] for i in range(0, len(parts), 4096))
        client.connection.request("POST", "/v1/models/half_plus_two:predict", chunks)
        answer = client.connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status != 200 or content["predictions"] == [2.25] * count
        return answer.status

    assert send(10_000) == 200
    assert send(400_000) == 413


def judge(client: Client, verb: str, model: str, body: Any) -> tuple[int, Any]:
    return client.post(f"/v1/models/{model}:{verb}", body)


SCORES = [[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]]
SPECIES = ["setosa", "versicolor", "virginica"]


def test_classify(client: Client) -> None:
    expected = [[list(pair) for pair in zip(SPECIES, row, strict=True)] for row in SCORES]
    body = {"examples": [{"x": row, "unknown": "ignored"} for row in SCORES]}
    assert judge(client, "classify", "classifier", body) == (200, {"results": expected})
    assert judge(client, "CLASSIFY", "classifier", body)[0] == 200
    shared = {"context": {"x": SCORES[0]}, "examples": [{}, {}]}
    assert judge(client, "classify", "classifier", shared)[1] == {"results": [expected[0]] * 2}
    assert client.predict("classifier", SCORES) == SCORES


def test_regress(client: Client) -> None:
    for body in ([{"x": 1.5}, {"x": 2.0}], [{"x": [1.5]}, {"x": [2.0]}]):
        given = judge(client, "regress", "regressor", {"examples": body})
        assert given == (200, {"results": [1.5, 2.0]})
    assert judge(client, "regress", "regressor", {"examples": [{"x": True}]})[1]["results"] == [1.0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "'examples' to be a non-empty array"),
        ({"examples": []}, "'examples' to be a non-empty array"),
        ({"examples": {"x": 1}}, "'examples' to be a non-empty array"),
        ({"examples": [1]}, "to be an object"),
        ({"examples": [{}], "context": 1}, "to be an object"),
        ({"examples": [{"x": 1}], "context": {"x": 1}}, "in 'context' and in 'examples'"),
        ({"examples": [{}]}, "Feature: x is required but could not be found."),
        ({"examples": [{"x": 1}, {}]}, "Feature: x is required but could not be found."),
        ({"examples": [{"x": None}]}, "Feature 'x' must be a number"),
        ({"examples": [{"x": [[1]]}]}, "Feature 'x' must be a number"),
        ({"examples": [{"x": [1, 2.5]}]}, "Feature 'x' mixes decimal and integer values"),
        ({"examples": [{"x": [1, "a"]}]}, "Feature 'x' mixes"),
        ({"examples": [{"x": ["a", {"b64": "YQ=="}]}]}, "not of expected type: float"),
        ({"examples": [{"x": [1, 2]}]}, "'x' has shape [batch, 1], given is [1, 2]"),
        ({"examples": [{"x": 1}], "signature_name": "y"}, "not found in signature def"),
        ([1], "must be a JSON object"),
    ],
)
def test_wrong_examples_are_400(client: Client, body: Any, message: str) -> None:
    status, answer = judge(client, "regress", "regressor", body)
    assert (status, message in answer["error"]) == (400, True), answer


def test_a_verb_needs_a_signature_for_it(client: Client) -> None:
    body = {"examples": [{"x": [1, 2, 3]}]}
    assert judge(client, "classify", "linear", body) == (
        400,
        {
            "error": "Expected classification signature method_name to be "
            "tensorflow/serving/classify. Was: tensorflow/serving/predict"
        },
    )
    assert judge(client, "regress", "classifier", body)[0] == 400
    assert judge(client, "classify", "nobody", body)[0] == 404


def test_metadata_says_what_a_model_is_for(client: Client) -> None:
    for model, task in (("classifier", "classify"), ("regressor", "regress")):
        metadata = client.get(f"/v1/models/{model}/metadata")[1]["metadata"]
        signature = metadata["signature_def"]["signature_def"]["serving_default"]
        assert signature["method_name"] == f"tensorflow/serving/{task}"


def test_scripts_of_other_sites_are_told_nothing_unless_enabled(client: Client) -> None:
    path = "/v1/models/linear:predict"
    assert client.ask("OPTIONS", path, headers={"Origin": "https://example.com"}) == (200, None)
    assert "access-control-allow-origin" not in client.headers
    for headers in ({}, {"Origin": "file://"}):
        assert client.ask("OPTIONS", path, headers=headers) == (
            400,
            {"error": "Origin header is missing in CORS preflight"},
        )


def test_scripts_of_other_sites_may_ask_where_that_is_enabled(permissive: Client) -> None:
    expected = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "POST, GET",
        "access-control-allow-headers": "Content-Type",
    }
    origin = {"Origin": "http://example.com"}
    path = "/v1/models/half_plus_two:predict"
    for method, body, status in (
        ("OPTIONS", None, 200),
        ("POST", {"instances": [1]}, 200),
        ("POST", {}, 400),
    ):
        assert permissive.ask(method, path, body, origin)[0] == status
        assert expected.items() <= permissive.headers.items()


def test_the_content_type_of_a_request_is_ignored(client: Client) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "nonsense"):
        body, headers = json.dumps({"instances": [2]}), {"Content-Type": kind}
        assert client.ask("POST", "/v1/models/half_plus_two:predict", body, headers)[0] == 200
        assert client.headers["content-type"] == "application/json"


def test_a_query_is_part_of_the_name(client: Client) -> None:
    assert client.get("/v1/models/linear?x=1") == (
        404,
        {"error": "Could not find any versions of model linear?x=1. Did you mean linear?"},
    )


def test_a_path_without_a_model_is_named_so(client: Client) -> None:
    assert client.get("/v1/models/metadata")[0] == 404
    assert client.get("/v1/models/versions/1") == (400, {"error": "Missing model name in request."})
