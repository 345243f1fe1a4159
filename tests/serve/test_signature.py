"""The signature that a publisher writes into the graph."""

import json
from typing import Any

import pytest

from serve.errors import LoadError
from serve.signature import Signature
from serve.tensors import TensorSpec

GRAPH = Signature(
    inputs=(TensorSpec("x", "tensor(float)", (None, 4)),),
    outputs=(TensorSpec("probabilities", "tensor(float)", None),),
)
CONTENT: dict[str, Any] = {
    "format": 1,
    "task": "classify",
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 4]}],
    "outputs": [{"name": "probabilities", "dtype": "float32", "shape": ["batch", 3]}],
    "classes": ["setosa", "versicolor", "virginica"],
}


def described(**changes: Any) -> Signature:
    return GRAPH.described_by({"tapeline.signature": json.dumps(CONTENT | changes)})


def test_it_adds_symbols_task_and_classes() -> None:
    signature = described()
    assert signature.input["x"].shape == ("batch", 4)
    assert signature.output["probabilities"].shape == ("batch", 3)
    assert (signature.task, signature.classes) == ("classify", tuple(CONTENT["classes"]))


def test_an_unknown_shape_leaves_the_graph_s_own() -> None:
    signature = described(
        inputs=[{"name": "x", "shape": None}], outputs=[{"name": "probabilities", "shape": None}]
    )
    assert signature.input["x"].shape == (None, 4)
    assert signature.output["probabilities"].shape is None


def test_a_foreign_graph_goes_without() -> None:
    assert GRAPH.described_by({"producer": "somebody"}) == GRAPH


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2, this server knows 1: update the server"),
        ({"format": None}, "damaged"),
        ({"task": "guess"}, "damaged"),
        ({"inputs": None}, "damaged"),
        ({"inputs": [{"name": "w", "shape": []}]}, r"names \['w'\]"),
    ],
)
def test_a_wrong_one_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        described(**changes)


def test_text_that_is_not_json_is_named() -> None:
    with pytest.raises(LoadError, match="damaged"):
        GRAPH.described_by({"tapeline.signature": "{"})
