"""Several batches per step are one large batch, in both engines, across checkpoints, from a recipe."""

import numpy as np
import pytest

import trainer
from tests.oracle import oracle
from trainer import nn, optim, run
from trainer.checkpoint import Checkpoint
from trainer.compiled import AutoStep, CompiledStep
from trainer.config import Recipe
from trainer.core.errors import CheckpointError, ConfigError
from trainer.optim.accumulation import Accumulated
from trainer.step import EagerStep

torch = oracle("torch")
BATCHES, ROWS = 3, 4


def network() -> nn.Module:
    trainer.random.seed(7)
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))


def batches(count: int):
    generator = np.random.default_rng(0)
    for _ in range(count):
        x = generator.standard_normal((ROWS, 5)).astype(np.float32)
        yield x, generator.integers(0, 3, ROWS)


def close(found, expected) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("make", [lambda: optim.SGD(momentum=0.9), optim.Adam, optim.AdamW])
@pytest.mark.parametrize("kind", [EagerStep, CompiledStep, AutoStep])
def test_small_batches_are_the_large_one(kind, make, clip) -> None:
    small = list(batches(3 * BATCHES))
    whole = EagerStep(network(), nn.cross_entropy, make(), clip)
    for k in range(0, len(small), BATCHES):
        x, y = (np.concatenate(parts) for parts in zip(*small[k : k + BATCHES], strict=True))
        whole.train(x, y, 0.1)
    step = kind(network(), nn.cross_entropy, make(), clip, BATCHES)
    for x, y in small:
        step.train(x, y, 0.1)
    step.sync()
    close(step.model.state(), whole.model.state())
    assert int(step.state()["step"]) == 3


def test_steps_are_pytorchs_with_losses_divided_by_their_number() -> None:
    model = network()
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    state = model.state().items()
    theirs.load_state_dict(
        {name.removeprefix("layers."): torch.tensor(np.array(a)) for name, a in state}
    )
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.1)
    step = EagerStep(model, nn.cross_entropy, optim.AdamW(), None, BATCHES)
    for k, (x, y) in enumerate(batches(4 * BATCHES)):
        step.train(x, y, 0.1)
        output = theirs(torch.tensor(x))
        (torch.nn.functional.cross_entropy(output, torch.tensor(y)) / BATCHES).backward()
        if (k + 1) % BATCHES == 0:
            optimizer.step()
            optimizer.zero_grad()
    expected = {f"layers.{n}": t.detach().numpy() for n, t in theirs.named_parameters()}
    for name, value in expected.items():
        np.testing.assert_allclose(model.state()[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", [EagerStep, CompiledStep])
def test_nothing_moves_before_the_last_batch_and_a_checkpoint_between_loses_nothing(kind) -> None:
    data = list(batches(2 * BATCHES))
    whole = kind(network(), nn.cross_entropy, optim.Adam(), None, BATCHES)
    for x, y in data:
        whole.train(x, y, 0.1)
    whole.sync()
    first = kind(network(), nn.cross_entropy, optim.Adam(), None, BATCHES)
    before = {name: array.copy() for name, array in first.model.state().items()}
    for x, y in data[:2]:
        first.train(x, y, 0.1)
    state = first.state()
    for name, array in first.model.state().items():
        np.testing.assert_array_equal(array, before[name])
    assert int(state["pending"]) == 2
    second = kind(network(), nn.cross_entropy, optim.Adam(), None, BATCHES)
    second.load(state)
    for x, y in data[2:]:
        second.train(x, y, 0.1)
    second.sync()
    for name, array in whole.model.state().items():
        np.testing.assert_array_equal(second.model.state()[name], array)


RECIPE = """
[data]
source = "iris"
[model]
layers = [{ Standardize = 4 }, { Linear = [4, 3] }]
[train]
loss = "cross_entropy"
epochs = 2
batch_size = 20
accumulate = 4
schedule = { name = "cosine" }
"""


def test_a_recipe_accumulates_and_its_schedule_counts_steps(tmp_path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    made = run.train(Recipe.read(tmp_path), "eager")
    state = Checkpoint.load(made.checkpoint).optimizer
    assert (int(state["step"]), int(state["pending"])) == (3, 0)  # 12 batches
    # The rate of the last of three steps: (1 + cos(2 pi / 3)) / 2 of the first.
    np.testing.assert_allclose(made.history[-1].lr, 0.001 * 0.25, rtol=1e-6)


def test_a_step_takes_at_least_one_batch(tmp_path) -> None:
    with pytest.raises(ConfigError, match="accumulate = 0"):
        Accumulated(optim.SGD(), 0)
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("accumulate = 4", "accumulate = 0"))
    with pytest.raises(ConfigError, match="accumulate = 0"):
        Recipe.read(tmp_path)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 3)])
@pytest.mark.parametrize("kind", [EagerStep, CompiledStep])
def test_a_state_goes_on_with_another_number_of_batches(kind, before: int, after: int) -> None:
    data = list(batches(2 * before + 2 * after))
    first = kind(network(), nn.cross_entropy, optim.Adam(), None, before)
    for x, y in data[: 2 * before]:
        first.train(x, y, 0.1)
    first.sync()
    model = network()
    model.load({name: array.copy() for name, array in first.model.state().items()})
    second = kind(model, nn.cross_entropy, optim.Adam(), None, after)
    second.load({name: array.copy() for name, array in first.state().items()})
    for x, y in data[2 * before :]:
        second.train(x, y, 0.1)
    second.sync()
    whole = EagerStep(network(), nn.cross_entropy, optim.Adam())
    sizes = [before, before, after, after]
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        x, y = (np.concatenate(parts) for parts in zip(*data[end - size : end], strict=True))
        whole.train(x, y, 0.1)
    close(second.model.state(), whole.model.state())
    assert int(second.state()["step"]) == 4


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("kind", [EagerStep, CompiledStep])
def test_what_is_gathered_is_never_lost_in_silence(kind, after: int) -> None:
    first = EagerStep(network(), nn.cross_entropy, optim.Adam(), None, BATCHES)
    for x, y in batches(2):
        first.train(x, y, 0.1)
    second = kind(network(), nn.cross_entropy, optim.Adam(), None, after)
    with pytest.raises(CheckpointError, match=r"after 2 of the.*Resume with accumulate = 3 or"):
        second.load(first.state())


def test_a_run_is_resumed_with_another_accumulate(tmp_path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("accumulate = 4", ""))
    run.train(Recipe.read(tmp_path), "eager", epochs=1)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    made = run.train(Recipe.read(tmp_path), "eager", resume=True)
    state = Checkpoint.load(made.checkpoint).optimizer
    assert (int(state["step"]), int(state["pending"])) == (6 + 1, 2)  # six batches an epoch


def test_a_state_of_another_optimizer_is_told_what_differs() -> None:
    saved = EagerStep(network(), nn.cross_entropy, optim.SGD(momentum=0.9)).state()
    match = r"lacks moment\.layers.*; it has besides velocity.*another optimizer or another model"
    with pytest.raises(CheckpointError, match=match):
        EagerStep(network(), nn.cross_entropy, optim.Adam()).load(saved)
