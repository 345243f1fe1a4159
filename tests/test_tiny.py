"""The whole product in one file: train, export, serve and ask one tiny model, in seconds."""

import csv
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import trainer
from exporter.release import release
from exporter.serving import ask, server
from serve.servable import load
from trainer import run
from trainer.config import Recipe

RECIPES = Path(__file__).resolve().parent.parent / "models"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    folder = tmp_path / "iris-mlp"
    folder.mkdir()
    text = (RECIPES / "iris-mlp" / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(text)
    return Recipe.read(folder)


def flowers() -> tuple[list[list[float]], list[str]]:
    """The rows as they stand in the file, read by nobody of ours."""
    text = (files("trainer.data.builtin") / "iris.csv").read_text()
    head, *rows = [row for row in csv.reader(text.splitlines()) if row]
    assert len(head) == 5
    return [[float(value) for value in row[:4]] for row in rows], [row[4] for row in rows]


def test_train_export_serve_ask(recipe: Recipe) -> None:
    trained = run.train(recipe)
    assert trained.history[-1].validation["accuracy"] >= 0.93
    published = release(recipe)
    assert published.signature.classes == ("setosa", "versicolor", "virginica")
    measurements, species = flowers()
    with server(recipe.folder.parent, recipe.name) as address:
        url = f"{address}/v1/models/{recipe.name}"
        predictions = ask(f"{url}:predict", {"instances": measurements})["predictions"]
        answer = ask(f"{address}/v2/models/{recipe.name}/infer", v2(measurements))
    probabilities = np.array(predictions)
    assert probabilities.shape == (150, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    guesses = [published.signature.classes[i] for i in probabilities.argmax(axis=1)]
    assert np.mean([a == b for a, b in zip(guesses, species, strict=True)]) >= 0.93
    assert answer["outputs"][0]["shape"] == [150, 3]
    np.testing.assert_allclose(
        np.array(answer["outputs"][0]["data"]), probabilities.ravel(), rtol=1e-6
    )


def v2(rows: list[list[float]]) -> dict[str, object]:
    data = [value for row in rows for value in row]
    tensor = {"name": "x", "datatype": "FP32", "shape": [len(rows), 4], "data": data}
    return {"inputs": [tensor]}


def test_what_is_served_is_what_was_trained(recipe: Recipe) -> None:
    model = run.train(recipe, epochs=2).model.eval()
    served = load(release(recipe).path)
    rows = np.array(flowers()[0], np.float32)
    logits = model(trainer.Tensor(rows)).numpy().astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(served.run({"x": rows})["probabilities"], expected, rtol=1e-5)


@pytest.mark.parametrize("engine", ["eager", "onnx"])
def test_both_engines_reach_the_goal(recipe: Recipe, engine: str) -> None:
    assert run.train(recipe, engine).history[-1].validation["accuracy"] >= 0.93


def test_logistic_regression_reaches_its_goal(tmp_path: Path) -> None:
    folder = tmp_path / "iris-logistic"
    folder.mkdir()
    (folder / "recipe.toml").write_text((RECIPES / "iris-logistic" / "recipe.toml").read_text())
    assert run.train(Recipe.read(folder)).history[-1].validation["accuracy"] >= 0.93
