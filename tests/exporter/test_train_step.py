"""A training step in a file: ONNX Runtime alone goes through the same losses and the same weights."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import exporter
import trainer
from exporter.errors import ExportError, VerificationError
from exporter.release import release, release_train_step
from exporter.train_step import TRAIN_STEP, TrainStep
from trainer import nn, optim, run
from trainer.checkpoint import Checkpoint
from trainer.config import Recipe
from trainer.core.errors import CaptureError, CheckpointError, TreeError
from trainer.core.passes import renamed
from trainer.step import EagerStep

RATES = [0.1, 0.05, 0.02, 0.02, 0.01]


def network() -> nn.Module:
    trainer.random.seed(7)
    return nn.Sequential(
        nn.Reshape(1, 8, 8),
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64, 10),
    )


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    for rows in (16, 16, 5, 16, 3):
        x = generator.standard_normal((rows, 64)).astype(np.float32)
        yield x, generator.integers(0, 10, rows)


def written(folder: Path, optimizer: optim.Optimizer, **options: Any) -> TrainStep:
    x, y = next(batches())
    path = folder / "train_step.onnx"
    return exporter.export_train_step(network(), nn.cross_entropy, optimizer, x, y, path, **options)


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (optim.SGD(momentum=0.9), {}),
        (optim.Adam(), {}),
        (optim.AdamW(), {"clip": 0.5}),
        (optim.Adam(), {"clip": 0.5, "accumulate": 2}),
    ],
    ids=["momentum", "adam", "adamw-clipped", "adam-accumulated"],
)
def test_onnx_runtime_alone_trains_as_the_trainer_does(
    tmp_path: Path, optimizer: optim.Optimizer, options: dict[str, Any]
) -> None:
    """BatchNorm, Dropout, other rates and other numbers of rows; the file knows all the names."""
    step = EagerStep(network(), nn.cross_entropy, optimizer, **options)
    state = {name: array.copy() for name, array in step.model.state().items()}
    state |= {f"optimizer.{name}": array for name, array in step.state().items()}
    file = written(tmp_path, optimizer, **options).path

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = json.loads(session.get_modelmeta().custom_metadata_map[TRAIN_STEP])
    outputs = [names["loss"], *names["state"].values()]
    drawn = np.random.Generator(np.random.PCG64(11))
    losses = []
    for rate, (x, y) in zip(RATES, batches(), strict=True):
        assert names["draws"] == {"random.0": "uniform"}
        draw = drawn.random((len(x), 64), np.float32)
        feed = {**state, names["lr"]: np.array(rate), "x": x, "y": y, "random.0": draw}
        loss, *new = session.run(outputs, feed)
        state |= dict(zip(names["state"], new, strict=True))
        losses.append(loss)

    trainer.random.seed(11)
    expected = [step.train(x, y, rate) for rate, (x, y) in zip(RATES, batches(), strict=True)]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    known = step.model.state() | {f"optimizer.{n}": a for n, a in step.state().items()}
    assert state.keys() == known.keys()
    for name, value in known.items():
        np.testing.assert_allclose(state[name], value, rtol=1e-3, atol=2e-5, err_msg=name)


def test_the_file_is_plain_and_says_what_everything_is(tmp_path: Path) -> None:
    made = written(tmp_path, optim.SGD(momentum=0.9), lineage={"run": 3})
    model = onnx.load(made.path)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 21)]
    assert {node.domain for node in model.graph.node} == {""}
    metadata = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    names = metadata[TRAIN_STEP]
    assert metadata["tapeline.lineage"] == {"run": 3}
    inputs = [value.name for value in model.graph.input]
    assert sorted(inputs) == sorted([*names["state"], "lr", "x", "y", "random.0"])
    assert {v.name for v in model.graph.output} == {"loss", *names["state"].values()}
    assert all(value.doc_string for value in model.graph.input)
    about = {value.name: value.doc_string for value in model.graph.input}
    assert about["random.0"] == "uniform on [0, 1), drawn anew for each step"
    assert [str(spec) for spec in made.inputs] == [
        "float64[]", "float32[batch, 64]", "int64[batch]", "float32[batch, 64]",
    ]  # fmt: skip


def test_what_is_not_trained_stays_an_input(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Standardize(4), nn.Linear(4, 4), nn.Linear(4, 2)).freeze("layers.1")
    before = {name: array.copy() for name, array in model.state().items()}
    model.eval()
    x, y = np.ones((8, 4), np.float32), np.ones((8, 2), np.float32)
    path = tmp_path / "step.onnx"
    made = exporter.export_train_step(model, nn.mse_loss, optim.SGD(), x, y, path)
    assert {"layers.0.mean", "layers.1.weight", "layers.1.bias"} <= {*made.fixed}
    assert {*made.state} == {"layers.2.weight", "layers.2.bias", "optimizer.step"}
    assert not model.training
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_step_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(graph: Any) -> Any:
        equations = [e for e in graph.equations if e.op != "Relu"]
        source = next(e for e in graph.equations if e.op == "Relu")
        return renamed(
            replace(graph, equations=tuple(equations)), {source.outputs[0]: source.inputs[0]}
        )

    monkeypatch.setattr("exporter.train_step.optimize", wrong)
    with pytest.raises(VerificationError, match="in the trainer"):
        written(tmp_path, optim.SGD())
    assert not [*tmp_path.iterdir()]


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    model, rows = nn.Linear(4, 2), np.ones((8, 4), np.float32)

    def leaking(prediction: Any, target: Any) -> Any:
        value = nn.mse_loss(prediction, target)
        return value * 2.0 if value > 1.0 else value

    file = tmp_path / "step.onnx"
    with pytest.raises(ExportError, match="no rows"):
        exporter.export_train_step(model, nn.mse_loss, optim.SGD(), rows[:0], rows[:0], file)
    with pytest.raises(CaptureError, match=r"test_train_step\.py:\d+"):
        exporter.export_train_step(model, leaking, optim.SGD(), rows, rows[:, :2], file)
    missing = tmp_path / "nowhere" / "step.onnx"
    with pytest.raises(ExportError, match="Cannot write"):
        exporter.export_train_step(model, nn.mse_loss, optim.SGD(), rows, rows[:, :2], missing)
    assert not [*tmp_path.iterdir()]


RECIPE = """
[data]
source = "iris"
[model]
layers = [{ Linear = [4, 3] }]
[train]
loss = "cross_entropy"
epochs = 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    folder = tmp_path / "flowers"
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE)
    made = Recipe.read(folder)
    run.train(made)
    return made


def test_a_checkpoint_from_elsewhere_is_published(recipe: Recipe) -> None:
    """The weights of a file, not of the newest run, answer afterwards."""
    file = recipe.folder / "tuned.safetensors"
    weight = np.arange(12, dtype=np.float32).reshape(3, 4)
    Checkpoint({"layers.0.weight": weight, "layers.0.bias": np.zeros(3, np.float32)}).save(file)
    version = release(recipe, file)
    x = np.array([[1.0, -1.0, 0.5, 0.1]], np.float32)
    session = onnxruntime.InferenceSession(version.path / "model.onnx")
    scores = np.exp(x @ weight.T)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], scores / scores.sum(), rtol=1e-5)
    lineage = exporter.inspect(version.path).lineage
    assert lineage is not None
    assert len(lineage["checkpoint"]) == 64
    with pytest.raises(CheckpointError, match="another optimizer or another model"):
        release_train_step(recipe, file)


def test_the_state_of_a_written_step_is_the_checkpoint_beside_it(recipe: Recipe) -> None:
    made = release_train_step(recipe)
    assert made.path == recipe.folder / "runs" / "1" / "train_step.onnx"
    saved = Checkpoint.load(made.path.parent / "checkpoint.safetensors")
    names = {*saved.model, *(f"optimizer.{name}" for name in saved.optimizer)}
    assert names == {*made.state, *made.fixed}
    session = onnxruntime.InferenceSession(made.path)
    shapes = {one.name: one.shape for one in session.get_inputs()}
    for name, array in saved.model.items():
        assert shapes[name] == list(array.shape)


def test_a_checkpoint_of_another_model_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    trainer.save(nn.Linear(4, 3), file)
    for publish in (release, release_train_step):
        with pytest.raises(TreeError, match=r"layers\.0\.weight: missing"):
            publish(recipe, file)
