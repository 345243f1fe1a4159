"""Every operator of a captured step knows the user's line, the layer, and the part of the step."""

import inspect
from collections.abc import Iterator

import numpy as np
import pytest

import trainer
from trainer import nn, optim
from trainer.core.graph import Equation
from trainer.core.mode import Place
from trainer.core.tensor import wrap
from trainer.core.trace import capture
from trainer.step import training_step


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = [nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 3))]

    def forward(self, x):
        y = self.parts[0](x).sigmoid()
        return self.parts[1](y) * 2.0


def loss(prediction, target):
    return (prediction - target).tanh().mean()


FIRST = inspect.getsourcelines(Net.forward)[1] + 1
LOSS = inspect.getsourcelines(loss)[1] + 1


@pytest.fixture(scope="module")
def equations() -> tuple[Equation, ...]:
    x, y = wrap(np.ones((5, 4), np.float32)), wrap(np.zeros((5, 3), np.float32))
    model, optimizer = Net(), optim.Adam()
    state = optimizer.init(model.tree_children())
    step = training_step(loss, optimizer, clip=1.0)
    return capture(step, model, state, wrap(np.float64(0.1)), x, y).graph.equations


def places(equations: tuple[Equation, ...], phase: str) -> Iterator[tuple[str, int, str]]:
    for equation in equations:
        assert equation.line is not None
        assert equation.line.file == __file__
        if equation.line.phase == phase:
            yield equation.op, equation.line.number, equation.line.layer


def test_forward_operators_have_their_line_and_layer(equations) -> None:
    assert {*places(equations, "forward")} >= {
        ("Gemm", FIRST, "parts.0 Linear"),
        ("Sigmoid", FIRST, "Net"),
        ("Gemm", FIRST + 1, "parts.1.layers.0 Linear"),
        ("Mul", FIRST + 1, "Net"),
        ("Tanh", LOSS, ""),
        ("ReduceMean", LOSS, ""),
    }


def test_backward_operators_have_those_of_what_they_differentiate(equations) -> None:
    found = {*places(equations, "backward")}
    assert {(number, layer) for _, number, layer in found} >= {
        (FIRST, "parts.0 Linear"), (FIRST, "Net"), (FIRST + 1, "Net"), (LOSS, ""),
        (FIRST + 1, "parts.1.layers.0 Linear"),
    }  # fmt: skip
    assert ("Gemm", FIRST, "parts.0 Linear") in found


def test_clipping_and_the_update_are_the_optimizer_s(equations) -> None:
    optimizer = [op for op, _, _ in places(equations, "optimizer")]
    assert optimizer.count("Div") >= 4
    assert {"Min", "Sqrt"} <= {*optimizer}


def test_places_of_eager_operators_are_recorded_on_demand_only() -> None:
    x = trainer.Tensor(np.ones((2, 4), np.float32), requires_grad=True)
    assert Net()(x)._node.line is None
    with trainer.detect_anomaly():
        y = Net()(x)
    assert y._node.line == Place(__file__, FIRST + 1, "Net")
