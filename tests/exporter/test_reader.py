"""Files taken back: they run as ONNX Runtime runs them, and train as the Module they came from."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import exporter
import trainer
from exporter.errors import ExportError
from exporter.reader import graph_of
from trainer import Tensor, nn, no_grad, optim
from trainer.core.proto import to_model

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.mark.parametrize("name", ["inception_v1", "shufflenet"])
def test_published_graphs_run_eagerly_as_in_onnx_runtime(name) -> None:
    file = LIGHT / f"light_{name}.onnx"  # opset 9: grouped convolutions, LRN, Gemm, Constant nodes
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    x = np.random.default_rng(0).random(given.shape).astype(np.float32)
    (expected,) = session.run(None, {given.name: x})
    with no_grad():
        found = exporter.load(file)(Tensor(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def network() -> nn.Module:
    trainer.random.seed(1)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4))


def train(model: nn.Module) -> list[float]:
    optimizer = optim.SGD(model, lr=0.1, momentum=0.9)
    generator = np.random.default_rng(0)
    losses = []
    for _ in range(5):
        x = Tensor(generator.standard_normal((8, 1, 8, 8)).astype(np.float32))
        y = Tensor(generator.integers(0, 4, 8))
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_an_exported_file_is_fine_tuned_like_the_module_it_came_from(tmp_path) -> None:
    model = network()
    exporter.export(model, np.zeros((2, 1, 8, 8), np.float32), tmp_path / "m.onnx")
    back = exporter.load(tmp_path / "m.onnx")
    assert back.parameters().keys() == model.parameters().keys()
    np.testing.assert_allclose(train(back), train(model), rtol=1e-6)
    exporter.export(back, np.zeros((2, 1, 8, 8), np.float32), tmp_path / "again.onnx")
    exporter.verify(tmp_path / "again.onnx", reference=back)


def test_statistics_of_batch_normalization_are_buffers(tmp_path) -> None:
    exporter.export(nn.BatchNorm1d(3), np.zeros((2, 3), np.float32), tmp_path / "m.onnx")
    back = exporter.load(tmp_path / "m.onnx")
    assert list(back.parameters()) == ["weight", "bias"]
    assert list(back.buffers()) == ["running_mean", "running_var"]


def test_what_is_too_new_is_said(tmp_path) -> None:
    exporter.export(nn.Linear(2, 1), np.zeros((2, 2), np.float32), tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    model.opset_import[0].version = 27
    with pytest.raises(ExportError, match=r"opset 27; up to 26 can be run"):
        graph_of(model)


@pytest.mark.parametrize("version", [9, 11, 12, 13, 15, 18, 21, 24, 26])
def test_every_opset_that_onnx_runtime_runs_is_taken(version) -> None:
    """Softmax, Squeeze, Clip and ReduceMean said each version's way: attributes became inputs."""
    axes = onnx.helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [2])
    nodes = [
        onnx.helper.make_node("Softmax", ["x"], ["a"], axis=1),
        onnx.helper.make_node("ReduceMean", ["a"], ["b"], axes=[2], keepdims=1)
        if version < 18
        else onnx.helper.make_node("ReduceMean", ["a", "axes"], ["b"], keepdims=1),
        onnx.helper.make_node("Squeeze", ["b"], ["y"], axes=[2])
        if version < 13
        else onnx.helper.make_node("Squeeze", ["b", "axes"], ["y"]),
    ]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [info("x", onnx.TensorProto.FLOAT, [2, 3, 4])],
        [info("y", onnx.TensorProto.FLOAT, [2, 3])],
        [axes] if version >= 13 else [],
    )
    opsets = [onnx.helper.make_opsetid("", version)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, {"x": x})[0]
    found = exporter.reader.GraphModule(graph_of(model))(Tensor(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_captured_graph_is_read_back_the_same() -> None:
    captured = trainer.capture(
        lambda m, x: m(x), network(), Tensor(np.zeros((2, 1, 8, 8), np.float32))
    )
    back = graph_of(to_model(captured.graph))
    assert back.canonical() == captured.graph.canonical()
