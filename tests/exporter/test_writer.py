"""Exported files, against PyTorch with the same weights, and what cannot be exported."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import exporter
from exporter.errors import ExportError
from exporter.signature import LINEAGE, SIGNATURE, Signature
from tests.limits import file_size_limit
from trainer import Tensor, nn, random
from trainer.core.errors import CaptureError
from trainer.core.tensor import apply

ROWS = np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(np.float32)


def network() -> nn.Sequential:
    random.seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64, 3),
    )


def torch_network(weights: dict[str, Any]) -> torch.nn.Module:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(64, 3),
    )
    state = {n.removeprefix("layers."): torch.tensor(a) for n, a in weights.items()}
    model.load_state_dict(state | {"1.num_batches_tracked": torch.tensor(0)})
    return model.eval()


def run(path: Path, *inputs: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_the_file_computes_what_pytorch_computes(tmp_path: Path, rows: int) -> None:
    model = network()
    generator = np.random.default_rng(1)
    statistics = {
        "layers.1.running_mean": generator.standard_normal(4).astype(np.float32),
        "layers.1.running_var": generator.uniform(0.5, 2.0, 4).astype(np.float32),
    }
    model.load(model.state() | statistics)
    exporter.export(model, ROWS, tmp_path / "m.onnx")
    (found,) = run(tmp_path / "m.onnx", ROWS[:rows])
    with torch.no_grad():
        expected = torch_network(model.state())(torch.tensor(ROWS[:rows])).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_file_has_the_agreed_form(tmp_path: Path) -> None:
    model = network()
    signature = exporter.export(
        model, ROWS[:1], tmp_path / "m.onnx", task="classify", classes="abc", lineage={"seed": 3}
    )
    written = onnx.load(tmp_path / "m.onnx")
    assert written.ir_version == 10
    assert [(o.domain, o.version) for o in written.opset_import] == [("", 21)]
    assert {t.name for t in written.graph.initializer} >= model.named_tensors().keys()
    assert not {"Identity", "Dropout"} & {node.op_type for node in written.graph.node}
    metadata = {entry.key: entry.value for entry in written.metadata_props}
    assert Signature.from_json(metadata[SIGNATURE]) == signature
    assert metadata[LINEAGE] == '{"seed": 3}'
    assert signature.inputs[0].shape == ("batch", 1, 8, 8)
    assert (signature.outputs[0].name, signature.outputs[0].shape) == ("y", ("batch", 3))
    assert signature.classes == ("a", "b", "c")


def test_the_module_stays_as_it_was(tmp_path: Path) -> None:
    model = network()
    model[5].training = False
    before = model.state()
    exporter.export(model, ROWS, tmp_path / "m.onnx")
    modes = [part.training for _, part in model.modules()]
    assert modes == [True, True, True, True, True, True, False, True]
    assert all(np.array_equal(before[name], array) for name, array in model.state().items())


class Two(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        return {"total": a + b, "first": a}


def test_several_inputs_and_outputs_have_names(tmp_path: Path) -> None:
    a, b = np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32)
    signature = exporter.export(Two(), (a, b), tmp_path / "m.onnx", input_names=["left", "right"])
    assert [spec.name for spec in signature.inputs] == ["left", "right"]
    assert [spec.name for spec in signature.outputs] == ["total", "first"]
    total, first = run(tmp_path / "m.onnx", a, b)
    assert (total == 3).all()
    assert (first == 1).all()


def test_dynamic_says_which_sizes_vary(tmp_path: Path) -> None:
    rows = np.ones((2, 6, 4), np.float32)
    layer = nn.Linear(4, 2)
    dynamic = {"x": {0: "batch", 1: "length"}}
    some = exporter.export(layer, rows, tmp_path / "some.onnx", dynamic=dynamic)
    assert some.outputs[0].shape == ("batch", "length", 2)
    assert run(tmp_path / "some.onnx", np.ones((3, 9, 4), np.float32))[0].shape == (3, 9, 2)
    none = exporter.export(layer, rows, tmp_path / "none.onnx", dynamic={})
    assert none.inputs[0].shape == (2, 6, 4)


def test_a_head_becomes_part_of_the_file(tmp_path: Path) -> None:
    model = nn.Linear(4, 3)
    rows = np.ones((2, 4), np.float32)
    exporter.export(model, rows, tmp_path / "m.onnx", head=lambda y: apply("Softmax", y, axis=1))
    (found,) = run(tmp_path / "m.onnx", rows)
    logits = torch.nn.functional.linear(
        torch.tensor(rows), *(torch.tensor(a) for a in model.state().values())
    )
    np.testing.assert_allclose(found, logits.softmax(1).numpy(), rtol=1e-6)


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + random.normal(x.shape)


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", Tensor([0.0]))
        self.count: Tensor

    def forward(self, x: Tensor) -> Tensor:
        self.count = self.count + 1.0
        return x * self.count


class Peeking(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.sum()) > 0 else -x


@pytest.mark.parametrize(
    ("module", "options", "sentence"),
    [
        (Noisy(), {}, "draws random numbers in inference"),
        (Counting(), {}, "changes count in inference"),
        (nn.ReLU(), {"input_names": ["a", "b"]}, "1 example inputs were given for .* a, b"),
        (nn.ReLU(), {"output_names": ["a", "b"]}, "has 1 outputs .*: a, b"),
        (nn.ReLU(), {"output_names": ["x"]}, r"names \['x'\] cannot be given"),
        (nn.ReLU(), {"dynamic": {"z": {0: "n"}}}, "dynamic names z; the inputs are: x"),
        (nn.Linear(4, 4), {"output_names": ["weight"]}, r"names \['weight'\] cannot be given"),
        (nn.ReLU(), {"classes": ["a"], "task": "classify"}, "1 class names do not fit"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(
    tmp_path: Path, module: nn.Module, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ExportError, match=sentence):
        exporter.export(module, np.ones((2, 4), np.float32), tmp_path / "m.onnx", **options)
    assert not [*tmp_path.iterdir()]


def test_examples_need_rows(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"x has the shape \[0, 4\]"):
        exporter.export(nn.ReLU(), np.ones((0, 4), np.float32), tmp_path / "m.onnx")


def test_a_value_that_leaks_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"test_writer\.py:\d+"):
        exporter.export(Peeking(), np.ones((2, 4), np.float32), tmp_path / "m.onnx")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "m.onnx"
    exporter.export(nn.Linear(2, 2), np.ones((2, 2), np.float32), target)
    before = target.read_bytes()
    with (
        file_size_limit(1000),
        pytest.raises(ExportError, match=r"Cannot write .*m\.onnx: File too large"),
    ):
        exporter.export(nn.Linear(99, 99), np.ones((2, 99), np.float32), target)
    assert [*tmp_path.iterdir()] == [target]
    assert target.read_bytes() == before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"nowhere/m\.onnx: No such file or directory"):
        exporter.export(nn.ReLU(), np.ones((2, 2), np.float32), tmp_path / "nowhere" / "m.onnx")
