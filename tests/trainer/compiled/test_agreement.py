"""Eager and compiled steps agree, for every layer, every loss and every optimizer there is."""

import inspect

import numpy as np
import pytest

import trainer
from tests.trainer.layers import LAYERS, made
from trainer import nn, optim
from trainer.compiled import CompiledStep
from trainer.nn import loss as losses
from trainer.optim.base import Optimizer
from trainer.step import EagerStep

STEPS, ROWS = 12, 6


def kinds(module, base: type) -> list[str]:
    """The classes of a module that derive from a base, and are not it."""
    return sorted(
        name
        for name in module.__all__
        if inspect.isclass(kind := getattr(module, name))
        and issubclass(kind, base)
        and kind is not base
    )


class Around(nn.Module):
    """A layer between a scale that is trained and a linear layer."""

    def __init__(self, layer: nn.Module, row: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(np.full(row, 1.5, np.float32))
        self.layer = layer
        width = int(
            np.prod(layer.eval()(trainer.Tensor(np.zeros((2, *row), np.float32))).shape[1:])
        )
        self.head = nn.Linear(width, outputs)
        self.train()

    def forward(self, x):
        y = self.layer(x * self.scale)
        return self.head(y.reshape(x.shape[0], -1))


def agree(make, loss, optimizer, target, row: tuple[int, ...], rtol: float = 1e-4) -> None:
    """The same batches to both engines, the last one smaller."""
    steps = []
    for kind in (EagerStep, CompiledStep):
        trainer.random.seed(3)
        steps.append(kind(make(), loss, optimizer(), 5.0))
        trainer.random.seed(4)
        generator = np.random.default_rng(5)
        found = []
        for index in range(STEPS):
            rows = ROWS - 2 if index == STEPS - 1 else ROWS
            x = generator.standard_normal((rows, *row)).astype(np.float32)
            found.append(steps[-1].train(x, target(generator, rows), 0.01))
        steps[-1].sync()
        steps[-1].losses = found
    eager, compiled = steps
    np.testing.assert_allclose(compiled.losses, eager.losses, rtol=rtol, atol=1e-5)
    for name, value in eager.model.state().items():
        np.testing.assert_allclose(
            compiled.model.state()[name], value, rtol=10 * rtol, atol=1e-4, err_msg=name
        )
    x = np.random.default_rng(6).standard_normal((3, *row)).astype(np.float32)
    np.testing.assert_allclose(compiled.predict(x), eager.predict(x), rtol=10 * rtol, atol=1e-4)


def classes(generator: np.random.Generator, rows: int) -> np.ndarray:
    return generator.integers(0, 3, rows)


def shares(generator: np.random.Generator, rows: int) -> np.ndarray:
    return generator.uniform(0.1, 0.9, (rows, 3)).astype(np.float32)


def test_every_layer_is_listed() -> None:
    assert kinds(nn, nn.Module) == sorted(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    _, row = LAYERS[name]

    def make() -> nn.Module:
        return Around(made(name), row, 3)

    agree(make, nn.cross_entropy, optim.SGD, classes, row)


def loss_names() -> list[str]:
    return [name for name in nn.__all__ if inspect.isfunction(getattr(losses, name, None))]


@pytest.mark.parametrize("name", loss_names())
def test_loss(name: str) -> None:
    ends = nn.Sigmoid() if name == "binary_cross_entropy" else nn.Flatten()

    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), ends)

    target = classes if name == "cross_entropy" else shares
    agree(make, getattr(nn, name), optim.Adam, target, (4,))


@pytest.mark.parametrize("name", kinds(optim, Optimizer))
def test_optimizer(name: str) -> None:
    """One parameter is too large to be joined with the others."""

    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(90, 60), nn.ReLU(), nn.Linear(60, 3))

    kind = getattr(optim, name)
    settings = inspect.signature(kind).parameters
    given = {"momentum": 0.9} if "momentum" in settings else {}
    given |= {"weight_decay": 0.01} if "weight_decay" in settings else {}
    agree(make, nn.cross_entropy, lambda: kind(**given), classes, (90,))
