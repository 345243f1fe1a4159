"""Words of texts and maps from classes, against ONNX Runtime, whose operators they are."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from trainer.core.errors import OperatorError
from trainer.core.tensor import apply

TEXTS = np.array([["The ship, left", "a  b cc"], ["", "ab.cd,,ef"]], object)


def in_onnx_runtime(name: str, domain: str, x: np.ndarray, **attrs: Any) -> Any:
    kind = TensorProto.STRING if x.dtype == object else TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(name, ["x"], ["y"], domain=domain, **attrs)],
        name,
        [helper.make_tensor_value_info("x", kind, None)],
        [onnx.ValueInfoProto(name="y")],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(domain, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[0], np.array([""], object)], ids=["2", "1", "none"])
@pytest.mark.parametrize(
    "attrs",
    [
        {"mark": 0, "mincharnum": 1, "tokenexp": "[a-zA-Z0-9_]+"},
        {"mark": 1, "mincharnum": 2, "tokenexp": "[a-z]+"},
        {"mark": 0, "mincharnum": 1, "separators": [" ", "[,.]"]},
        {"mark": 1, "mincharnum": 1, "separators": [",", "\\s"]},
        {"mark": 1, "mincharnum": 1, "separators": [""]},
    ],
    ids=str,
)
def test_words_are_those_of_onnx_runtime(attrs: dict[str, Any], texts: np.ndarray) -> None:
    wanted = in_onnx_runtime("Tokenizer", "com.microsoft", texts, pad_value="#", **attrs)
    given = apply("Tokenizer", texts, pad_value="#", **attrs)
    assert given.shape == wanted.shape
    assert given.tolist() == wanted.tolist()


@pytest.mark.parametrize(
    "attrs",
    [{"classlabels_strings": ["no", "yes"]}, {"classlabels_int64s": [3, 5]}],
    ids=["text", "integers"],
)
def test_maps_are_those_of_onnx_runtime(attrs: dict[str, Any]) -> None:
    for x in (np.float32([[0.25, 0.75], [0.1, 0.9]]), np.float32([0.5, 0.5])):
        wanted = in_onnx_runtime("ZipMap", "ai.onnx.ml", x, **attrs)
        assert apply("ZipMap", x, **attrs).tolist() == wanted


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(OperatorError, match="1 labels do not fit 2 columns"):
        apply("ZipMap", np.zeros((1, 2), np.float32), classlabels_strings=["a"])
    with pytest.raises(OperatorError, match="either separators or tokenexp"):
        apply("Tokenizer", TEXTS, mark=0, mincharnum=1, pad_value="#")
