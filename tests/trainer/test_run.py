"""Runs: repeatable to the bit, resumable, the same in both engines."""

import json

import numpy as np
import pytest

from trainer import run
from trainer.checkpoint import Checkpoint
from trainer.config import Recipe
from trainer.core.errors import CheckpointError, ConfigError, DataError

RECIPE = """
[data]
source = "iris"
[model]
layers = [{ Standardize = 4 }, { Linear = [4, 10] }, "ReLU", { Dropout = 0.1 }, { Linear = [10, 3] }]
[train]
loss = "cross_entropy"
epochs = 6
batch_size = 16
optimizer = { name = "Adam", lr = 0.02 }
schedule = { name = "cosine" }
clip = 5.0
metrics = ["accuracy"]
"""


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return Recipe.read(tmp_path)


@pytest.mark.parametrize("engine", ["eager", "onnx"])
def test_a_run_repeats_to_the_bit(recipe, engine) -> None:
    first, second = (run.train(recipe, engine) for _ in range(2))
    assert first.folder.name == "1"
    assert second.folder.name == "2"
    a, b = Checkpoint.load(first.checkpoint), Checkpoint.load(second.checkpoint)
    assert a.model.keys() == b.model.keys()
    assert all(np.array_equal(a.model[name], b.model[name]) for name in a.model)
    assert all(np.array_equal(a.optimizer[name], b.optimizer[name]) for name in a.optimizer)


@pytest.mark.parametrize("engine", ["eager", "onnx"])
def test_an_interrupted_run_ends_where_a_whole_one_does(recipe, engine) -> None:
    whole = run.train(recipe, engine)

    class Interrupted(Exception):
        pass

    def stop(epoch) -> None:
        if epoch.number == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        run.train(recipe, engine, listeners=[stop])
    resumed = run.train(recipe, engine, resume=True)
    assert resumed.folder.name == "2"
    history = json.loads((resumed.folder / "history.json").read_text())
    assert [epoch["number"] for epoch in history] == [1, 2, 3, 4, 5, 6]
    expected = whole.model.state()
    for name, array in resumed.model.state().items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_both_engines_learn_the_same(recipe) -> None:
    eager, compiled = run.train(recipe, "eager"), run.train(recipe, "onnx")
    for a, b in zip(eager.history, compiled.history, strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-3)
    assert eager.history[-1].validation["accuracy"] >= 0.8


def test_what_was_trained_is_read_back_and_measured(recipe) -> None:
    with pytest.raises(CheckpointError, match=r"was not trained yet. Run: tapeline train"):
        run.load(recipe)
    trained = run.train(recipe)
    read, checkpoint = run.load(recipe)
    assert read.folder == trained.folder
    assert checkpoint.meta["classes"] == ["setosa", "versicolor", "virginica"]
    assert checkpoint.meta["metrics"]["accuracy"] == trained.history[-1].validation["accuracy"]
    assert run.assess(recipe) == pytest.approx(trained.history[-1].validation, rel=1e-6)


def test_a_loss_that_is_no_number_ends_the_run_with_advice(recipe, tmp_path) -> None:
    text = RECIPE.replace("lr = 0.02", "lr = 1e30").replace("Adam", "SGD")
    (tmp_path / "recipe.toml").write_text(text)
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            DataError, match=r"The loss is (nan|inf) at step \d+.*Lower the learning rate"
        ),
    ):
        run.train(Recipe.read(tmp_path))


def test_an_output_that_is_too_narrow_is_said_before_anything_is_written(tmp_path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("[10, 3]", "[10, 2]"))
    with pytest.raises(ConfigError, match=r"float32\[2, 2\] for two rows, but iris has 3 classes"):
        run.train(Recipe.read(tmp_path))
    assert not list((tmp_path / "runs").glob("*"))
