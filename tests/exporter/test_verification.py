"""Proving files: good ones pass, and a wrong weight, an invalid graph or garbage is found and named."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import exporter
from exporter.errors import ExportError, VerificationError
from exporter.verification import verify
from trainer import Tensor, nn

FLOAT = TensorProto.FLOAT


def exported(folder: Path, model: nn.Module) -> Path:
    exporter.export(model, np.ones((2, 4), np.float32), folder / "m.onnx")
    return folder / "m.onnx"


def foreign(
    folder: Path, nodes: list[onnx.NodeProto], shape: list[object], opset: int = 13
) -> Path:
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("y", FLOAT, [None] * len(shape))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, folder / "foreign.onnx")
    return folder / "foreign.onnx"


def test_a_good_file_passes_at_every_batch_size(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).eval()
    path = exported(tmp_path, model)
    for reference in (None, model):
        proof = verify(path, reference)
        assert [one.batch for one in proof.comparisons] == [1, 2, 7, 64]
        assert proof.largest.relative <= 1e-5
        assert proof.difference("y") == max(one.error for one in proof.comparisons)


def test_a_wrong_weight_is_found_where_it_shows(tmp_path: Path) -> None:
    model = nn.Linear(4, 3).eval()
    path = exported(tmp_path, model)
    proto = onnx.load(path)
    bias = next(t for t in proto.graph.initializer if t.name == "bias")
    wrong = numpy_helper.to_array(bias) + np.array([0.0, 0.5, 0.0], np.float32)
    bias.CopyFrom(numpy_helper.from_array(wrong, "bias"))
    onnx.save(proto, path)
    inputs = {"x": np.zeros((3, 4), np.float32)}
    with pytest.raises(VerificationError, match=r"y at \[0, 1\] with 1 rows .* 4 of 4 comparisons"):
        verify(path, model, inputs)
    assert verify(path, model, inputs, tolerance=10.0).largest.error == pytest.approx(0.5)


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x - x) / (x - x)


def test_what_is_not_a_number_counts_as_an_error_unless_both_are(tmp_path: Path) -> None:
    path = exported(tmp_path, Broken())
    with np.errstate(invalid="ignore"):
        assert verify(path, Broken()).largest.error == 0.0
    with pytest.raises(VerificationError, match=r"is nan in ONNX Runtime and 0.0 in the trainer"):
        verify(path, lambda x: x - x)


def test_another_shape_or_number_of_outputs_is_named(tmp_path: Path) -> None:
    path = exported(tmp_path, nn.ReLU())
    with pytest.raises(VerificationError, match=r"y is float32\[1, 4\] .* and float32\[1, 1\]"):
        verify(path, lambda x: x.sum(axis=1, keepdims=True))
    with pytest.raises(VerificationError, match="has 1 outputs, what it is compared with has 2"):
        verify(path, lambda x: (x, x))


def test_a_foreign_file_of_an_old_opset_is_proven(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["x"], ["a"], axes=[3]),
        helper.make_node("Squeeze", ["a"], ["b"], axes=[3]),
        # Before opset 13 over all axes from this one on, not over this one alone.
        helper.make_node("Softmax", ["b"], ["y"], axis=1),
    ]
    proof = verify(foreign(tmp_path, nodes, [None, 5, 3], opset=11))
    assert [one.batch for one in proof.comparisons] == [1, 2, 7, 64]


def test_a_model_folder_stands_for_its_newest_version(tmp_path: Path) -> None:
    version = tmp_path / "m" / "2"
    version.mkdir(parents=True)
    foreign(version, [helper.make_node("Relu", ["x"], ["y"])], ["n", 3]).rename(
        version / "model.onnx"
    )
    for path in (version, version.parent, str(version / "model.onnx")):
        assert len(verify(path).comparisons) == 4


def test_a_fixed_batch_is_tried_as_it_is(tmp_path: Path) -> None:
    path = foreign(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], [3, "n"])
    assert [one.batch for one in verify(path).comparisons] == [None]


def test_an_invalid_graph_is_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path, [helper.make_node("Relu", ["nothing"], ["y"])], [1])
    with pytest.raises(VerificationError, match=r"is not valid ONNX: .*nothing"):
        verify(path)


def test_a_file_that_the_runtime_cannot_load_is_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], [1])
    proto = onnx.load(path)
    proto.opset_import[0].version = 28
    proto.ir_version = 14
    onnx.save(proto, path)
    with pytest.raises(VerificationError, match=r"ONNX Runtime cannot load .*foreign"):
        verify(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 100])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"m\.onnx is no ONNX file"):
        verify(path)


def test_example_rows_must_be_there_for_each_input(tmp_path: Path) -> None:
    path = exported(tmp_path, nn.ReLU())
    with pytest.raises(VerificationError, match="rows for z were given; the input x has none"):
        verify(path, inputs={"z": np.ones((1, 4), np.float32)})
    with pytest.raises(VerificationError, match=r"cannot run .* with x float32\[1, 9\]"):
        verify(path, inputs={"x": np.ones((1, 9), np.float32)})
