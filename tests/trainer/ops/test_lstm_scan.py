"""LSTM by Scan: the gradients that ONNX Runtime finds, against the operator's eager rule."""

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest

from trainer import nn
from trainer.compiled.passes import optimize
from trainer.core.graph import interpret
from trainer.core.proto import to_model
from trainer.core.tape import grad, value_and_grad
from trainer.core.tensor import Array, Tensor, apply, wrap
from trainer.core.trace import Captured, capture
from trainer.ops import lstm_scan

TIME, BATCH, INPUTS, HIDDEN = 5, 3, 4, 6
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "of everything": lambda y, h, c: (y * y).sum() + (h * c).sum(),
    "of the states": lambda y, h, c: (y * y).sum(),
    "of the last state": lambda y, h, c: (h * h).sum(),
    "of the last memory": lambda y, h, c: (c * c).sum(),
}


def inputs(direction: str, absent: str = "", requires_grad: bool = False) -> dict[str, Tensor]:
    generator = np.random.default_rng(1)
    count = 2 if direction == "bidirectional" else 1
    shapes = {
        "x": (TIME, BATCH, INPUTS),
        "w": (count, 4 * HIDDEN, INPUTS),
        "r": (count, 4 * HIDDEN, HIDDEN),
        "b": (count, 8 * HIDDEN),
        "h": (count, BATCH, HIDDEN),
        "c": (count, BATCH, HIDDEN),
    }
    return {
        name: Tensor(generator.standard_normal(shape), requires_grad=requires_grad)
        for name, shape in shapes.items()
        if name not in absent
    }


def layer(given: dict[str, Tensor], direction: str, loss: Loss) -> Tensor:
    """By Scan where that is said to be faster, else by the operator."""
    x, w, r, b, h, c = (given.get(name) for name in "xwrbhc")
    if lstm_scan.is_faster():
        return loss(*lstm_scan.lstm(x, w, r, b, h, c, direction))
    attrs = {"direction": direction, "hidden_size": HIDDEN, "outputs": 3}
    return loss(*apply("LSTM", x, w, r, b, None, h, c, **attrs))


def ops(captured: Captured) -> list[str]:
    return [equation.op for equation in captured.graph.equations]


def run(captured: Captured, given: dict[str, Array]) -> dict[str, Array]:
    model = to_model(optimize(captured.graph))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in captured.graph.outputs]
    return dict(zip(names, session.run(None, given), strict=True))


@pytest.mark.parametrize("absent", ["", "b", "hc"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_gradients_are_those_of_the_operator(direction: str, loss: str, absent: str) -> None:
    def function(given: dict[str, Tensor]) -> dict[str, Tensor]:
        value, gradients = value_and_grad(layer)(given, direction, LOSSES[loss])
        return {"value": value, **gradients}

    given = inputs(direction, absent)
    captured = capture(function, given)
    directions = 2 if direction == "bidirectional" else 1
    assert ops(captured).count("Scan") == 2 * directions
    assert "LSTM" not in ops(captured)
    feeds = {f"given.{name}": t.numpy() for name, t in given.items()}
    found, expected = run(captured, feeds), function(given)
    for name, wanted in expected.items():
        np.testing.assert_allclose(found[name], wanted.numpy(), rtol=1e-10, atol=1e-12)


def test_a_gradient_that_may_be_differentiated_takes_the_operators_rule() -> None:
    """Parameters that are watched themselves, and not only within the gradient that is asked for."""
    given = inputs("bidirectional", requires_grad=True)

    def function(given: dict[str, Tensor]) -> dict[str, Tensor]:
        return grad(layer)(given, "bidirectional", LOSSES["of everything"])

    captured = capture(function, given)
    assert ops(captured).count("Scan") == 2
    found = interpret(optimize(captured.graph), [t.numpy() for t in given.values()])
    for name, y in zip(captured.outputs, found, strict=True):
        np.testing.assert_allclose(y.numpy(), function(given)[name].numpy(), rtol=1e-10)


def test_gradients_of_gradients_take_the_operator() -> None:
    given = inputs("forward")

    def slope(inner: dict[str, Tensor]) -> Tensor:
        by_x = grad(layer)(inner, "forward", LOSSES["of everything"])["x"]
        return (by_x * by_x).sum()

    captured = capture(lambda given: grad(slope)(given), given)
    assert "Scan" not in ops(captured)
    found = interpret(optimize(captured.graph), [t.numpy() for t in given.values()])
    for y, wanted in zip(found, grad(slope)(given).values(), strict=True):
        np.testing.assert_allclose(y.numpy(), wanted.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("lengths", [False, True])
def test_a_layer_is_the_operator_in_inference_and_for_sequences_of_several_lengths(
    lengths: bool,
) -> None:
    model = nn.LSTM(INPUTS, HIDDEN)
    x = wrap(np.zeros((TIME, BATCH, INPUTS), np.float32))
    given = wrap(np.array([5, 2, 1], np.int32)) if lengths else None

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        return model(x, None, given)[0].sum()

    assert "LSTM" in ops(capture(loss, model, x))
    trained = ops(capture(lambda model, x: value_and_grad(loss)(model, x)[1], model, x))
    assert ("Scan" in trained, "LSTM" in trained) == (not lengths, lengths)
