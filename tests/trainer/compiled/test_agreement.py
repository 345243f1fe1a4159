"""Eager and compiled steps agree, for every layer, loss, optimizer and schedule there is.

Over 50 steps to 1e-4 in float32 and to 1e-12 in float64: losses each, parameters and the state of the
optimizer each in norm. Where ONNX Runtime has no float64 kernel, ONNX's reference evaluator runs the graph.
"""

import functools
import inspect
from collections.abc import Callable
from types import ModuleType

import numpy as np
import onnx
import pytest

import trainer
from tests.trainer.compiled.graph_step import GraphStep, kernels, reference, runtime
from tests.trainer.layers import LAYERS, made
from trainer import nn, optim
from trainer.compiled import CompiledStep
from trainer.core.errors import CaptureError
from trainer.core.proto import to_model
from trainer.nn import loss as losses
from trainer.optim import schedule
from trainer.optim.base import Optimizer
from trainer.step import EagerStep

STEPS, ROWS = 50, 6
TOLERANCES = {"float32": 1e-4, "float64": 1e-12}


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


def classes(generator: np.random.Generator, rows: int) -> np.ndarray:
    return generator.integers(0, 3, rows)


def shares(generator: np.random.Generator, rows: int) -> np.ndarray:
    return generator.uniform(0.1, 0.9, (rows, 3))


# Per loss what the model ends with, and the targets.
LOSSES = {
    "binary_cross_entropy": (nn.Sigmoid, shares),
    "binary_cross_entropy_with_logits": (nn.Flatten, shares),
    "cross_entropy": (nn.Flatten, classes),
    "l1_loss": (nn.Flatten, shares),
    "mse_loss": (nn.Flatten, shares),
}

# Examples with an operator that ONNX Runtime has no float64 kernel for, and who runs their graphs instead.
NO_FLOAT64 = {
    **dict.fromkeys(
        (
            "AvgPool2d",
            "Conv1d",
            "Conv2d",
            "ConvTranspose2d",
            "ELU",
            "GRU",
            "InstanceNorm1d",
            "InstanceNorm2d",
            "LeakyReLU",
            "Mish",
            "PReLU",
            "RNN",
            "Softplus",
            "Softsign",
            "binary_cross_entropy_with_logits",
        ),
        reference,
    ),
    # The evaluator has constants of these in float32: 1 / sqrt(2), 1 / 6, the slope of SELU.
    **dict.fromkeys(("GELU", "Hardsigmoid", "Hardswish", "SELU"), kernels),
    # Only prediction has the operator; training has a Scan, of which the evaluator knows one direction.
    **dict.fromkeys(("LSTM", "LastState"), runtime),
}

# Per optimizer the settings it is tried with; each setting has to occur.
OPTIMIZERS = {
    "SGD": [{}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, {"momentum": 0.9}],
    "Adam": [{}, {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.01}],
    "AdamW": [{}, {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}],
}

SCHEDULES = {
    "constant": schedule.constant(0.02),
    "cosine": schedule.cosine(0.05, steps=STEPS, warmup=5, final=0.001),
    "step_decay": schedule.step_decay(0.05, every=10, factor=0.5),
}


def kinds(module: ModuleType, base: type) -> list[str]:
    """The classes of a module that derive from a base, and are not it."""
    return sorted(
        name
        for name in module.__all__
        if inspect.isclass(kind := getattr(module, name))
        and issubclass(kind, base)
        and kind is not base
    )


def functions(module: ModuleType) -> list[str]:
    """The public functions that a module defines."""
    return sorted(
        name
        for name, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and not name.startswith("_")
    )


def settings(kind: str) -> set[str]:
    return {*inspect.signature(getattr(optim, kind)).parameters} - {"model", "lr"}


def test_everything_has_an_example() -> None:
    assert sorted(LAYERS) == kinds(nn, nn.Module)
    assert sorted(LOSSES) == functions(losses)
    assert sorted(SCHEDULES) == functions(schedule)
    tried = {name: {s for example in OPTIMIZERS[name] for s in example} for name in OPTIMIZERS}
    assert tried == {name: settings(name) for name in kinds(optim, Optimizer)}


Make = Callable[[], nn.Module]


def trained(kind, make: Make, loss, optimizer, target, row, dtype, *, rate, clip):
    """A step of some engine after so many batches, the last of which is smaller, and its losses."""
    trainer.random.seed(3)
    model = make()
    tensors = model.named_tensors().items()
    model.assign(
        {
            n: trainer.Tensor(t.numpy().astype(dtype), requires_grad=t.requires_grad)
            for n, t in tensors
        }
    )
    step = kind(model, loss, optimizer(), clip)
    trainer.random.seed(4)
    generator = np.random.default_rng(5)
    found = []
    for index in range(STEPS):
        rows = ROWS - 2 if index == STEPS - 1 else ROWS
        x = generator.standard_normal((rows, *row)).astype(dtype)
        y = target(generator, rows)
        y = y.astype(dtype) if y.dtype.kind == "f" else y
        found.append(step.train(x, y, rate(index)))
    step.sync()
    return step, found


def agree(
    make: Make,
    loss,
    optimizer,
    target,
    row: tuple[int, ...],
    dtype: str,
    compiled=CompiledStep,
    rate=SCHEDULES["constant"],
    clip: float | None = None,
) -> None:
    """The same batches to both engines give the same losses, model and state of the optimizer."""
    arguments = (make, loss, optimizer, target, row, dtype)
    eager, expected = trained(EagerStep, *arguments, rate=rate, clip=clip)
    other, found = trained(compiled, *arguments, rate=rate, clip=clip)
    rtol = TOLERANCES[dtype]
    np.testing.assert_allclose(found, expected, rtol=rtol)
    for one, same in ((eager.model.state(), other.model.state()), (eager.state(), other.state())):
        for name, value in one.items():
            apart = np.linalg.norm(same[name] - value)
            assert apart <= rtol * np.linalg.norm(value), (name, apart)
    if isinstance(other, CompiledStep):
        for program in other._programs.values():
            check_plain(to_model(program._graph))
        x = np.random.default_rng(6).standard_normal((3, *row)).astype(dtype)
        np.testing.assert_allclose(other.predict(x), eager.predict(x), rtol=rtol, atol=rtol)


def check_plain(model: onnx.ModelProto) -> None:
    """Any runtime can execute it: valid, and of the default domain alone."""
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain for opset in model.opset_import} == {""}
    assert {node.domain for node in model.graph.node} == {""}


def agree_in_float64(example: str, *arguments) -> None:
    """By ONNX Runtime, which refuses with a reason exactly where it is known to have no kernel."""
    if example not in NO_FLOAT64:
        agree(*arguments, "float64")
        return
    with pytest.raises(CaptureError, match="ONNX Runtime cannot run"):
        agree(*arguments, "float64")
    evaluate = NO_FLOAT64[example]
    agree(*arguments, "float64", compiled=functools.partial(GraphStep, evaluate))


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    _, row = LAYERS[name]

    def make() -> nn.Module:
        return Around(made(name), row, 3)

    arguments = (make, nn.cross_entropy, optim.SGD, classes, row)
    agree(*arguments, "float32")
    agree_in_float64(name, *arguments)


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name: str) -> None:
    end, target = LOSSES[name]

    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), end())

    arguments = (make, getattr(nn, name), optim.Adam, target, (4,))
    agree(*arguments, "float32")
    agree_in_float64(name, *arguments)


def network() -> nn.Module:
    """One parameter is too large to be joined with the others."""
    return nn.Sequential(nn.Linear(90, 60), nn.Tanh(), nn.Linear(60, 3))


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(
    ("name", "given"),
    [(name, given) for name, examples in OPTIMIZERS.items() for given in examples],
    ids=str,
)
def test_optimizer(name: str, given: dict, dtype: str) -> None:
    agree(network, nn.cross_entropy, lambda: getattr(optim, name)(**given), classes, (90,), dtype)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_and_clipping(name: str, clip: float | None, dtype: str) -> None:
    rate = SCHEDULES[name]
    agree(network, nn.cross_entropy, optim.AdamW, classes, (90,), dtype, rate=rate, clip=clip)
