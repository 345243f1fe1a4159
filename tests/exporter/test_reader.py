"""Files taken back: they run as ONNX Runtime runs them, and train as the Module they came from."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

import exporter
import trainer
from exporter.errors import ExportError, VerificationError
from exporter.reader import graph_of
from trainer import Tensor, nn, no_grad, optim, run
from trainer.compiled import CompiledStep
from trainer.config import Recipe
from trainer.core.proto import to_model
from trainer.step import EagerStep

SCIKIT_LEARN = Path(__file__).parents[1] / "data" / "skl2onnx"
ANSWERS = json.loads((SCIKIT_LEARN / "expected.json").read_text())
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


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_models_of_scikit_learn_run_eagerly_as_in_onnx_runtime(name) -> None:
    file = SCIKIT_LEARN / f"{name}.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    feeds = {
        given.name: np.array(
            ANSWERS[name]["inputs"][given.name], object if "string" in given.type else np.float32
        )
        for given in session.get_inputs()
    }
    found = exporter.load(file)(*feeds.values())
    outputs = found if isinstance(found, dict) else {session.get_outputs()[0].name: found}
    for (output, y), wanted in zip(outputs.items(), session.run(None, feeds), strict=True):
        for answers in (wanted, ANSWERS[name]["outputs"][output]):
            close(y.tolist(), np.asarray(answers).tolist())


def close(found, wanted) -> None:
    """Equal as text, nearly equal as numbers, the keys of dictionaries as text."""
    if isinstance(wanted[0], dict):
        assert [[str(key) for key in row] for row in found] == [[*map(str, row)] for row in wanted]
        found, wanted = ([[*row.values()] for row in rows] for rows in (found, wanted))
    if isinstance(wanted[0], str):
        assert found == wanted
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


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


@pytest.mark.parametrize("kind", [EagerStep, CompiledStep])
def test_a_file_is_a_part_of_a_larger_model(tmp_path, kind) -> None:
    """Its weights are trained, saved and exported with the rest, under the names of the graph."""
    x = np.random.default_rng(0).standard_normal((8, 1, 8, 8)).astype(np.float32)
    y = np.arange(8) % 2
    body = network()
    exporter.export(body, x, tmp_path / "m.onnx")
    trainer.random.seed(2)
    whole = nn.Sequential(body, nn.Linear(4, 2))
    trainer.random.seed(2)  # the last layers begin alike
    back = nn.Sequential(exporter.load(tmp_path / "m.onnx"), nn.Linear(4, 2))
    assert back.parameters().keys() == whole.parameters().keys()
    steps = [kind(model, nn.cross_entropy, optim.Adam()) for model in (whole, back)]
    losses = [[step.train(x, y, 0.01) for _ in range(5)] for step in steps]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    for step in steps:
        step.sync()
    for name, value in whole.state().items():
        np.testing.assert_allclose(back.state()[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    exporter.export(back, x, tmp_path / "again.onnx")
    exporter.verify(tmp_path / "again.onnx", reference=back)


def test_a_recipe_trains_on_what_is_in_a_file(tmp_path) -> None:
    exporter.export(nn.Linear(4, 5), np.zeros((2, 4), np.float32), tmp_path / "body.onnx")
    (tmp_path / "model.py").write_text(
        "from pathlib import Path\n"
        "import exporter\n"
        "from trainer import nn\n"
        "def tuned():\n"
        "    body = exporter.load(Path(__file__).with_name('body.onnx'))\n"
        "    return nn.Sequential(body.freeze('bias'), nn.Linear(5, 3))\n"
    )
    (tmp_path / "recipe.toml").write_text(
        '[data]\nsource = "iris"\n[model]\ndefinition = "model.py:tuned"\n'
        '[train]\nloss = "cross_entropy"\nepochs = 1\n'
    )
    before = exporter.load(tmp_path / "body.onnx").state()
    after = run.train(Recipe.read(tmp_path)).model.state()
    assert not np.array_equal(after["layers.0.weight"], before["weight"])
    np.testing.assert_array_equal(after["layers.0.bias"], before["bias"])


def test_a_weight_may_have_the_name_of_an_attribute(tmp_path) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N] x) => (float[N] y)'
        " <float[1] training = {2}, float[1] graph = {3}>"
        " { a = Mul(x, training) y = Add(a, graph) }"
    )
    onnx.save(model, tmp_path / "m.onnx")
    module = exporter.load(tmp_path / "m.onnx").eval()
    assert list(module.parameters()) == ["training", "graph"]
    assert module(Tensor(np.float32([1, 2]))).tolist() == [5, 7]


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


def graph_file(path: Path, nodes, weight=None) -> Path:
    x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [-1, 3]) for n in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y], [] if weight is None else [weight])
    opsets = [helper.make_opsetid("", 17)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    return path


@pytest.mark.parametrize(
    "nodes",
    [
        [("Add", ["x", "b"], ["a"]), ("Relu", ["a"], ["b"]), ("Relu", ["b"], ["y"])],
        [("Add", ["x", "b"], ["y"]), ("Relu", ["x"], ["b"])],
    ],
    ids=["circle", "order"],
)
def test_what_reads_a_value_before_it_is_made_is_refused(tmp_path, nodes) -> None:
    file = graph_file(tmp_path / "m.onnx", [helper.make_node(*node) for node in nodes])
    with pytest.raises(ExportError, match=r"m.onnx is no valid ONNX: Add reads b, which is no"):
        exporter.load(file)


@pytest.mark.parametrize(
    ("kind", "dims"), [(1, [2**40, 2**20]), (1, [3]), (99, [1])], ids=["huge", "short", "type"]
)
def test_weights_that_are_not_what_they_say_are_refused(tmp_path, kind, dims) -> None:
    weight = onnx.TensorProto(name="w", data_type=kind, dims=dims, raw_data=b"1234")
    file = graph_file(tmp_path / "m.onnx", [helper.make_node("Add", ["x", "w"], ["y"])], weight)
    with pytest.raises(ExportError, match=r"m.onnx is damaged: The constant w of shape"):
        exporter.load(file)
    with pytest.raises(VerificationError, match="is not valid ONNX"):
        exporter.verify(file)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("length", "99", "exceeds available data"),
        ("offset", "-8", "must be non-negative"),
        ("offset", "eight", "invalid literal"),
        ("location", "../secret", "points outside the directory"),
        ("location", "missing", "not regular file"),
    ],
)
def test_weights_beside_the_file_are_all_there_and_nowhere_else(
    tmp_path, key, value, reason
) -> None:
    (tmp_path / "secret").write_bytes(bytes(12))
    (tmp_path / "m").mkdir()
    weight = onnx.numpy_helper.from_array(np.ones(3, np.float32), "w")
    node = helper.make_node("Add", ["x", "w"], ["y"])
    file = graph_file(tmp_path / "m" / "m.onnx", [node], weight)
    onnx.save(onnx.load(file), file, save_as_external_data=True, location="w", size_threshold=0)
    model = onnx.load(file, load_external_data=False)
    (entry,) = (e for e in model.graph.initializer[0].external_data if e.key == key)
    entry.value = value
    file.write_bytes(model.SerializeToString())
    for read in (exporter.load, exporter.inspect, exporter.verify):
        with pytest.raises(ExportError, match=reason):
            read(file)


def test_a_negative_size_is_a_free_one(tmp_path) -> None:
    file = graph_file(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    assert exporter.inspect(file).inputs[0].shape == (None, 3)
    assert [one.batch for one in exporter.verify(file).comparisons] == [1, 2, 7, 64]


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
