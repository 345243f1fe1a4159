"""A profile tells where a step's time goes, and leaves everything else as it was."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainer
from trainer import nn, optim, random, run
from trainer.compiled import AutoStep, CompiledStep
from trainer.config import Recipe
from trainer.core.errors import ConfigError
from trainer.core.op import REGISTRY
from trainer.profile import Entry, Recording, fit
from trainer.step import EagerStep, Step

RECIPE = """
[data]
source = "digits"
[model]
definition = "model.py:Net"
[train]
loss = "cross_entropy"
epochs = 1
batch_size = 32
clip = 1.0
"""
MODEL = """
from trainer import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 20)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(20, 10)
    def forward(self, x):
        y = self.hidden(x.reshape(x.shape[0], -1) / 16.0).relu()
        return self.head(self.drop(y))
"""
HIDDEN, HEAD = "model.py:10 y = self.hidden", "model.py:11 return self.head(self.drop(y))"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "model.py").write_text(MODEL)
    return Recipe.read(tmp_path)


@pytest.mark.parametrize("engine", ["eager", "onnx"])
def test_the_weights_are_the_same_to_the_bit(recipe: Recipe, engine: str) -> None:
    plain = run.train(recipe, engine)
    seen = run.train(recipe, engine, profile=True)
    assert plain.profile is None
    assert [e.loss for e in plain.history] == [e.loss for e in seen.history]
    for name, array in plain.model.state().items():
        np.testing.assert_array_equal(seen.model.state()[name], array, err_msg=name)
    assert (seen.folder / "profile.html").is_file()
    assert not (plain.folder / "profile.html").exists()


@pytest.mark.parametrize("engine", ["eager", "onnx"])
def test_it_names_parts_layers_and_lines(recipe: Recipe, engine: str) -> None:
    seen = run.train(recipe, engine, epochs=3, profile=True).profile
    assert seen is not None
    assert seen.steps == 50
    parts = seen.parts()
    assert sum(parts.values()) == pytest.approx(seen.total, rel=0.05)
    assert {"forward", "backward", "optimizer", "random draws", "Python", "data and loop"} <= {
        *parts
    }
    assert (seen.between is None) == (engine == "eager")
    assert all(seconds >= 0.0 for seconds in parts.values())
    lines = seen.lines()
    found = {(e.part, e.layer, lines[e][:26]) for e in seen.entries}
    for part in ("forward", "backward"):
        assert (part, "hidden Linear", HIDDEN[:26]) in found
        assert (part, "head Linear", HEAD[:26]) in found
        assert any(p == part and layer == "loss" for p, layer, _ in found)
    assert ("optimizer", "optimizer", "") in found


def step_of(kind: type, model: nn.Module) -> Step:
    random.seed(0)
    return kind(model, nn.mse_loss, optim.SGD())


def batch(rows: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return np.ones((rows, 3), np.float32), np.zeros((rows, 2), np.float32)


@trainer.op("Slow", domain="tests.profile")
def _slow(x):
    time.sleep(0.02)
    return np.asarray(x)


@trainer.vjp("Slow")
def _slow_vjp(g, _y, _x):
    return g


class Slow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        return trainer.apply("Slow", self.linear(x))


def test_what_is_slow_comes_first() -> None:
    with Recording(step_of(EagerStep, Slow())) as step:
        for _ in range(4):
            step.train(*batch(), 0.1)
    first = step.profile().entries[0]
    assert (first.operator, first.layer, first.part, first.calls) == ("Slow", "Slow", "forward", 1)
    assert first.seconds > 0.5 * step.profile().total


@given(st.lists(st.floats(0.0, 1.0)), st.floats(0.0, 1.0))
def test_operators_take_at_most_the_room_they_have(seconds: list[float], room: float) -> None:
    entries, rest = fit([Entry("Gemm", None, each, 1) for each in seconds], room)
    assert all(entry.seconds >= 0.0 for entry in entries)
    assert rest >= 0.0
    assert sum(entry.seconds for entry in entries) + rest == pytest.approx(room)


def test_a_model_that_falls_back_to_eager_is_profiled_all_the_same(caplog) -> None:
    with Recording(step_of(AutoStep, Slow())) as step:
        for _ in range(3):
            step.train(*batch(), 0.1)
    assert step.profile().between is None
    assert step.profile().entries[0].operator == "Slow"


@pytest.mark.parametrize("kind", [EagerStep, CompiledStep])
def test_afterwards_everything_runs_as_before(kind: type) -> None:
    kernels = {name: op.kernel for name, op in REGISTRY.items()}
    samplers = dict(random.SAMPLERS)
    recording = Recording(step_of(kind, nn.Linear(3, 2)), steps=2)
    with recording as step:
        assert REGISTRY["Gemm"].kernel is not kernels["Gemm"]
        for _ in range(3):
            step.train(*batch(), 0.1)
        assert REGISTRY["Gemm"].kernel is kernels["Gemm"]  # two steps were seen
    with pytest.raises(ValueError, match="out"), Recording(step_of(kind, nn.Linear(3, 2))):
        raise ValueError("out")
    assert {name: op.kernel for name, op in REGISTRY.items()} == kernels
    assert samplers == random.SAMPLERS


def test_a_step_that_is_captured_does_not_count() -> None:
    with Recording(step_of(CompiledStep, nn.Linear(3, 2))) as step:
        for rows in (4, 4, 4, 3, 3):  # the first and the fourth make a graph
            step.train(*batch(rows), 0.1)
    assert step.profile().steps == 3


def test_one_step_is_too_few() -> None:
    with Recording(step_of(CompiledStep, nn.Linear(3, 2))) as step:
        step.train(*batch(), 0.1)
    with pytest.raises(ConfigError, match="second step"):
        step.profile()


def test_without_draws_there_is_no_row_for_them() -> None:
    with Recording(step_of(EagerStep, nn.Linear(3, 2))) as step:
        for _ in range(3):
            step.train(*batch(), 0.1)
    assert "random draws" not in step.profile().parts()
