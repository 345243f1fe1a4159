"""Outputs that are no plain tensors, and outputs as classes, through both protocols."""

from typing import Any

import pytest

from tests.serve.process import Client

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]


def infer(client: Client, model: str, *inputs: Any, **request: Any) -> tuple[int, Any]:
    return client.post(f"/v2/models/{model}/infer", {"inputs": list(inputs), **request})


def fp32(name: str, shape: list[int], data: Any) -> Any:
    return {"name": name, "shape": shape, "datatype": "FP32", "data": data}


X = fp32("x", [2], [1, 3])


def test_maps_are_objects_in_rows_and_two_tensors_in_v2(client: Client) -> None:
    rows = client.predict("zipmap", [[0.25, 0.75], [1.0, 0.0]])
    assert rows == [{"no": 0.25, "yes": 0.75}, {"no": 1.0, "yes": 0.0}]
    status, answer = infer(client, "zipmap", fp32("x", [2, 2], [0.25, 0.75, 1, 0]))
    assert (status, answer["outputs"]) == (
        200,
        [
            {"name": "z", "datatype": "FP32", "shape": [2, 2], "data": [0.25, 0.75, 1.0, 0.0]},
            {"name": "z.keys", "datatype": "BYTES", "shape": [2], "data": ["no", "yes"]},
        ],
    )
    assert client.get("/v2/models/zipmap")[1]["outputs"] == [
        {"name": "z", "datatype": "FP32", "shape": [-1, -1]},
        {"name": "z.keys", "datatype": "BYTES", "shape": [-1]},
    ]


def test_integer_keys_and_non_finite_values_are_written(client: Client) -> None:
    status, answer = client.post(
        "/v1/models/zipmap_of_numbers:predict", '{"inputs": [[NaN, 1], [0, Infinity]]}'
    )
    assert status == 200
    first, second = answer["outputs"]
    assert (first["7"] != first["7"], first["9"], second) == (
        True,
        1.0,
        {"7": 0, "9": float("inf")},
    )


def test_sequences_are_stacked_where_they_fit(client: Client) -> None:
    inputs = fp32("a", [2], [1, 2]), fp32("b", [2], [3, 4])
    (output,) = infer(client, "sequence", *inputs)[1]["outputs"]
    assert output == {"name": "s", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]}
    status, answer = infer(client, "sequence", inputs[0], fp32("b", [1], [3]))
    assert status == 400
    assert "Output 's', seq(tensor(float)), has tensors of different shapes" in answer["error"]
    columns = {"inputs": {"a": [1, 2], "b": [3]}}
    assert client.post("/v1/models/sequence:predict", columns)[1] == {"outputs": [[1, 2], [3]]}


def test_an_optional_output_is_its_tensor(client: Client) -> None:
    assert infer(client, "optional", X)[1]["outputs"][0]["data"] == [1.0, 3.0]
    assert client.predict("optional", [1, 3]) == [1.0, 3.0]


def test_the_best_classes(client: Client) -> None:
    def best(model: str, count: Any) -> tuple[int, Any]:
        wanted = [{"name": "scores", "parameters": {"classification": count}}]
        scores = fp32("x", [2, 3], [0.1, 0.7, 0.2, 0.5, 0.0, 0.5])
        status, answer = infer(client, model, scores, outputs=wanted)
        return status, answer["outputs"][0] if status == 200 else answer["error"]

    status, output = best("classifier", 2)
    assert (status, output["datatype"], output["shape"]) == (200, "BYTES", [2, 2])
    assert output["data"] == [
        "0.700000:1:versicolor",
        "0.200000:2:virginica",
        "0.500000:0:setosa",
        "0.500000:2:virginica",
    ]
    assert best("classifier", 9)[1]["shape"] == [2, 3]
    assert best("unnamed_scores", 1)[1]["data"] == ["0.700000:1", "0.500000:0"]
    assert best("classifier", -1) == (
        400,
        "Output 'scores': 'classification' must not be negative.",
    )
    assert best("classifier", "2")[0] == 400


@pytest.mark.parametrize(("model", "name"), [("text", "same"), ("total", "total")])
def test_classes_need_scores(client: Client, model: str, name: str) -> None:
    given = (
        {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]} if model == "text" else X
    )
    wanted = [{"name": name, "parameters": {"classification": 1}}]
    status, answer = infer(client, model, given, outputs=wanted)
    assert (status, "a number for each class" in answer["error"]) == (400, True)
