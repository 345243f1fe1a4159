"""Inspecting files: our own, and one of onnxruntime's with sequence outputs and another domain."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.datasets import get_example

import exporter
from exporter.errors import ExportError
from trainer import nn


def test_our_own_file(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    lineage = {"seed": 7}
    published = exporter.publish(model, np.ones((9, 4), np.float32), "m", tmp_path, lineage=lineage)
    found = exporter.inspect(tmp_path / "m")
    assert found.path == published.path / "model.onnx"
    assert found.size == found.path.stat().st_size
    assert (found.ir_version, found.opsets) == (10, {"ai.onnx": 21})
    assert found.producer.startswith("tapeline ")
    assert [f"{spec.name} {spec}" for spec in found.inputs] == ["x float32[batch, 4]"]
    assert [f"{spec.name} {spec}" for spec in found.outputs] == ["y float32[batch, 3]"]
    assert found.operators == {"Gemm": 2, "Relu": 1}
    assert found.parameters == 4 * 8 + 8 + 8 * 3 + 3
    assert found.signature == published.signature
    assert found.lineage == lineage


def test_a_foreign_file() -> None:
    found = exporter.inspect(get_example("logreg_iris.onnx"))
    assert found.opsets["ai.onnx.ml"] == 1
    assert [str(spec) for spec in found.inputs] == ["float32[3, 2]"]
    assert [str(spec) for spec in found.outputs] == ["int64[3]", "sequence[...]"]
    assert found.operators["LinearClassifier"] == 1
    assert found.signature is None
    assert found.lineage is None


def test_weights_listed_as_inputs_are_weights(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((2, 3), np.float32), "w")
    x, y, w = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 2]), ("y", ["n", 3]), ("w", [2, 3]))
    )
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = helper.make_graph(nodes, "old", [x, w], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=3)
    onnx.save(model, tmp_path / "old.onnx")
    found = exporter.inspect(tmp_path / "old.onnx")
    assert [spec.name for spec in found.inputs] == ["x"]
    assert found.parameters == 6


def test_a_folder_means_its_newest_version(tmp_path: Path) -> None:
    for _ in range(11):
        (tmp_path / "m").mkdir(exist_ok=True)
        number = len([*(tmp_path / "m").iterdir()]) + 1
        (tmp_path / "m" / str(number)).mkdir()
    for number in ("2", "10"):
        exporter.export(
            nn.ReLU(), np.ones((1, 2), np.float32), tmp_path / "m" / number / "model.onnx"
        )
    assert exporter.inspect(tmp_path / "m").path.parent.name == "10"
    assert exporter.inspect(tmp_path / "m" / "2").path.parent.name == "2"


def test_a_path_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=f"no model at {tmp_path}"):
        exporter.inspect(tmp_path)
