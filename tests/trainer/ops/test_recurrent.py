"""What recurrent layers do where ONNX Runtime has no gradient, no such layout, or its own settings."""

from itertools import product
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.trainer.ops.cases_recurrent import CASES
from tests.trainer.ops.differentiation import check_gradients, forward, function_of
from trainer.core.errors import GradientError, OperatorError
from trainer.core.proto import to_model
from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply
from trainer.core.trace import capture

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
PLAIN = [case for case in CASES if "lengths" in case.note or case.note == "bidirectional"]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: f"{case.op}-{case.note}")
def test_the_batch_may_come_first(case) -> None:
    x, w, r, b, lengths, *states = case.inputs
    turned = (x.swapaxes(0, 1), w, r, b, lengths, *(s.swapaxes(0, 1) for s in states))
    other = case._replace(inputs=turned, attrs=case.attrs | {"layout": 1})
    (y, *ends), (expected, *expected_ends) = forward(other), forward(case)
    np.testing.assert_array_equal(y.numpy(), expected.numpy().transpose(2, 0, 1, 3))
    for end, wanted in zip(ends, expected_ends, strict=True):
        np.testing.assert_array_equal(end.numpy(), wanted.numpy().swapaxes(0, 1))
    check_gradients(*function_of(other), order=1)


ACTIVATIONS: dict[str, dict[str, Any]] = {
    "RNN": {"activations": ["LeakyRelu"], "activation_alpha": [0.2]},
    "GRU": {"activations": ["HardSigmoid", "Softsign"], "activation_beta": [0.4]},
    "LSTM": {
        "activations": ["HardSigmoid", "Elu", "ScaledTanh"],
        "activation_alpha": [0.3, 0.7, 1.2],
        "activation_beta": [0.4, 0.9],
    },
}
SETTINGS = [
    (name, direction, lengths, setting)
    for name, direction, lengths in product(GATES, ("forward", "bidirectional"), (False, True))
    for setting in ({"clip": 0.3}, ACTIVATIONS[name], {"input_forget": 1}, {"peepholes": True})
    if name == "LSTM" or not setting.keys() & {"input_forget", "peepholes"}
]


@pytest.mark.parametrize(("name", "direction", "lengths", "setting"), SETTINGS)
def test_settings_without_a_gradient_agree_with_onnx_runtime(
    name: str, direction: str, lengths: bool, setting: dict[str, Any]
) -> None:
    count = 2 if direction == "bidirectional" else 1
    attrs = {
        key: value * count if isinstance(value, list) else value
        for key, value in setting.items()
        if key != "peepholes"
    }
    given = _inputs(name, count, np.array([4, 2, 1], np.int32) if lengths else None)
    if "peepholes" in setting:
        given.append(_x(count, 9))
    present = [Tensor(v) for v in given if v is not None]

    def layer(*found):
        rest = iter(found)
        full = [None if v is None else next(rest) for v in given]
        return apply(
            name,
            *full,
            **attrs,
            direction=direction,
            hidden_size=3,
            outputs=3 if name == "LSTM" else 2,
        )

    captured = capture(layer, *present)
    session = onnxruntime.InferenceSession(
        to_model(captured.graph).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = dict(zip(captured.inputs, (x.numpy() for x in present), strict=True))
    for found, wanted in zip(session.run(None, feeds), layer(*present), strict=True):
        np.testing.assert_allclose(wanted.numpy(), found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "attrs", "attribute"),
    [
        ("RNN", {"activations": ["Softsign"]}, "activations"),
        ("RNN", {"clip": 1.0}, "clip"),
        ("GRU", {"activations": ["Tanh", "Tanh"]}, "activations"),
        ("GRU", {"clip": 1.0}, "clip"),
        ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"]}, "activations"),
        ("LSTM", {"clip": 1.0}, "clip"),
        ("LSTM", {"input_forget": 1}, "input_forget"),
        ("LSTM", {"p": True}, "P"),
    ],
)
def test_settings_without_a_gradient_are_named(name: str, attrs: dict, attribute: str) -> None:
    inputs: list[Any] = _inputs(name, 1)
    if "p" in attrs:
        inputs.append(_x(1, 9))
        attrs = {}

    def loss(x):
        return apply(name, x, *inputs[1:], **attrs).sum()

    with pytest.raises(GradientError, match=f"{name} with {attribute}=.* has no gradient"):
        grad(loss)(Tensor(inputs[0]))


def test_a_gradient_of_the_last_state_alone_is_that_of_the_last_row() -> None:
    inputs = [Tensor(v) for v in _inputs("LSTM", 1) if v is not None]

    def by(pick):
        def loss(given):
            x, w, r, b, h, c = given
            y, end, _ = apply("LSTM", x, w, r, b, None, h, c, outputs=3)
            return (pick(y, end) ** 2.0).sum()

        return grad(loss)(inputs)

    for a, b in zip(by(lambda y, _: y[-1]), by(lambda _, end: end), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("name", GATES)
def test_states_have_the_dtype_of_the_inputs(name: str, dtype: Any) -> None:
    inputs = [None if v is None else v.astype(dtype) for v in _inputs(name, 1)]
    y, end = apply(name, *inputs, outputs=2)
    assert y.dtype == end.dtype == dtype
    wide = apply(name, *[None if v is None else v.astype(np.float32) for v in inputs])
    np.testing.assert_allclose(y.numpy(), wide.numpy(), rtol=2e-3, atol=1e-3)


def test_what_does_not_fit_is_said() -> None:
    inputs = _inputs("RNN", 1)
    with pytest.raises(OperatorError, match="direction='backward' is none of forward, reverse"):
        apply("RNN", *inputs, direction="backward")
    with pytest.raises(OperatorError, match="'bidirectional' wants weights of 2 first"):
        apply("RNN", *inputs, direction="bidirectional")
    with pytest.raises(OperatorError, match="there is no activation 'Swish'"):
        apply("RNN", *inputs, activations=["Swish"])


_R = np.random.default_rng(0)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape).astype(np.float32)


def _inputs(name: str, directions: int, lengths: np.ndarray | None = None) -> list[Any]:
    """x, w, r, b, sequence_lens and initial states of a layer of 3 units."""
    rows = GATES[name] * 3
    states = [_x(directions, 3, 3) for _ in range(2 if name == "LSTM" else 1)]
    weights = [_x(directions, rows, 2), _x(directions, rows, 3), _x(directions, 2 * rows)]
    return [_x(4, 3, 2), *weights, lengths, *states]
