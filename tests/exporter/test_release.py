"""What is published follows from the recipe's loss: names, task, classes, and the last operator."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import exporter
from exporter.release import release
from trainer import run
from trainer.config import Recipe

FORM = """
[data]
source = "rows.npz"
options = {{ task = "{task}" }}
[model]
layers = [{{ Linear = [2, {outputs}] }}{last}]
[train]
loss = "{loss}"
epochs = 1
"""
X = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)
CHANCE = (X[:, :1] > 0).astype(np.float32)


def published(folder: Path, loss: str, y: Any, task: str, last: str = "") -> Any:
    (folder / "m").mkdir()
    outputs = 3 if task == "classify" else 1
    text = FORM.format(loss=loss, task=task, outputs=outputs, last=last)
    (folder / "m" / "recipe.toml").write_text(text)
    np.savez(folder / "m" / "rows.npz", x=X, y=y)
    recipe = Recipe.read(folder / "m")
    run.train(recipe)
    return release(recipe)


def operators(version: Any) -> list[str]:
    return [node.op_type for node in onnx.load(version.path / "model.onnx").graph.node]


def test_cross_entropy_becomes_probabilities_of_classes(tmp_path: Path) -> None:
    version = published(tmp_path, "cross_entropy", np.arange(40) % 3, "classify")
    assert version.signature.task == "classify"
    assert [str(spec) for spec in version.signature.inputs] == ["float32[batch, 2]"]
    assert [spec.name for spec in version.signature.outputs] == ["probabilities"]
    assert operators(version) == ["Gemm", "Softmax"]
    with np.load(version.path / "golden.npz") as golden:
        np.testing.assert_allclose(golden["output/probabilities"].sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("loss", ["mse_loss", "l1_loss"])
def test_amounts_are_called_y(tmp_path: Path, loss: str) -> None:
    version = published(tmp_path, loss, X.sum(axis=1), "regress")
    assert version.signature.task == "regress"
    assert [f"{s.name} {s}" for s in version.signature.outputs] == ["y float32[batch, 1]"]
    assert operators(version) == ["Gemm"]


@pytest.mark.parametrize(
    ("loss", "last"),
    [("binary_cross_entropy", ', "Sigmoid"'), ("binary_cross_entropy_with_logits", "")],
)
def test_chances_are_probabilities_either_way(tmp_path: Path, loss: str, last: str) -> None:
    version = published(tmp_path, loss, CHANCE, "regress", last)
    assert version.signature.task == "predict"
    assert [spec.name for spec in version.signature.outputs] == ["probabilities"]
    assert operators(version) == ["Gemm", "Sigmoid"]


def test_the_lineage_says_where_the_weights_come_from(tmp_path: Path) -> None:
    version = published(tmp_path, "mse_loss", X.sum(axis=1), "regress")
    lineage = exporter.inspect(version.path).lineage
    assert lineage is not None
    assert {"recipe", "data", "engine", "seed", "code", "versions", "metrics"} <= lineage.keys()
    assert lineage["run"] == 1
    assert len(lineage["recipe"]) == 64
    assert "random" not in lineage
