"""Operators without a kernel of their own, against PyTorch, differences and ONNX Runtime."""

from typing import Any

import numpy as np
import onnx.parser
import onnxruntime
import pytest

import trainer.core.reference  # noqa: F401  (so that operators without a kernel of ours are found)
from tests.oracle import oracle
from tests.trainer.ops.differentiation import check_gradients, pull_back
from trainer.core.errors import GradientError, OperatorError
from trainer.core.graph import interpret
from trainer.core.proto import from_model, to_model
from trainer.core.tensor import Tensor, apply, wrap
from trainer.core.trace import capture

torch = oracle("torch")
functional = torch.nn.functional


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


# Name, inputs, attributes, the same in PyTorch (inputs that it can differentiate by come first).
FUNCTIONS: list[tuple[str, list[np.ndarray], dict[str, Any], Any]] = [
    ("Swish", [normal(3, 4)], {}, functional.silu),
    (
        "RMSNormalization",
        [normal(3, 4), normal(4)],
        {},
        lambda x, w: functional.rms_norm(x, [4], w, 1e-5),
    ),
    (
        "Attention",
        [normal(2, 3, 4, 5), normal(2, 3, 6, 5), normal(2, 3, 6, 7)],
        {},
        functional.scaled_dot_product_attention,
    ),
    (
        "Attention",
        [normal(2, 3, 4, 5), normal(2, 3, 4, 5), normal(2, 3, 4, 7)],
        {"is_causal": 1, "scale": 0.5},
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.5),
    ),
]
IDS = [name for name, *_ in FUNCTIONS]


@pytest.mark.parametrize(("name", "arrays", "attrs", "same"), FUNCTIONS, ids=IDS)
def test_a_function_of_operators_has_the_value_and_gradient_of_torch(
    name: str, arrays: list[np.ndarray], attrs: dict[str, Any], same: Any
) -> None:
    given = [torch.tensor(x, requires_grad=True) for x in arrays]
    expected = same(*given)
    seed = normal(*expected.shape)
    wanted = torch.autograd.grad(expected, given, torch.tensor(seed))
    inputs = [wrap(x) for x in arrays]
    np.testing.assert_allclose(
        apply(name, *inputs, **attrs).numpy(), expected.detach(), rtol=1e-5, atol=1e-6
    )
    gradients = pull_back(lambda *x: [apply(name, *x, **attrs)], inputs, [wrap(seed)])
    for g, expected_g in zip(gradients, wanted, strict=True):
        assert g is not None
        np.testing.assert_allclose(g.numpy(), expected_g, rtol=1e-5, atol=1e-6)


def test_its_second_derivative_is_what_differences_say() -> None:
    check_gradients(lambda x: [apply("Swish", x, alpha=1.5)], [wrap(normal(3))], order=2)


def test_captured_it_keeps_its_name_and_the_graph_the_opset_that_has_it() -> None:
    x = wrap(normal(3).astype(np.float32))
    captured = capture(lambda x: apply("Swish", x), x)
    assert [equation.op for equation in captured.graph.equations] == ["Swish"]
    assert to_model(captured.graph).opset_import[0].version == 24


def test_its_captured_gradient_runs_in_onnx_runtime() -> None:
    def gradient(x: Tensor, seed: Tensor) -> Tensor | None:
        return pull_back(lambda x: [apply("Swish", x)], [x], [seed])[0]

    x, seed = (wrap(normal(n)[:3].astype(np.float32)) for n in (3, 4))
    captured = capture(gradient, x, seed)
    session = onnxruntime.InferenceSession(to_model(captured.graph).SerializeToString())
    (given,) = session.run(None, {"x": x.numpy(), "seed": seed.numpy()})
    expected = gradient(x, seed)
    assert expected is not None
    np.testing.assert_allclose(given, expected.numpy(), rtol=1e-5, atol=1e-6)


POOLED = """
  <ir_version: 10, opset_import: ["": 21]>
  pooled (float[1, 1, 4, 4] x, float[2, 4] boxes, int64[2] batch) => (float[2, 1, 2, 2] y) {
    y = RoiAlign <output_height = 2, output_width = 2> (x, boxes, batch)
  }
"""
SCALED = """
  <ir_version: 10, opset_import: ["": 21, "ai.onnx.ml": 1]>
  scaled (float[2, 3] x) => (float[2, 3] y) {
    y = ai.onnx.ml.Scaler <offset = [1.0, 2.0, 3.0], scale = [0.5, 2.0, 4.0]> (x)
  }
"""
BOXES = np.array([[0, 0, 3, 3], [1, 0, 2.5, 2]], np.float32)


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        (POOLED, [normal(1, 1, 4, 4).astype(np.float32), BOXES, np.zeros(2, np.int64)]),
        (SCALED, [normal(2, 3).astype(np.float32)]),
    ],
    ids=["RoiAlign", "Scaler"],
)
def test_a_graph_with_an_operator_that_only_onnx_has_agrees_with_onnx_runtime(
    text: str, inputs: list[np.ndarray]
) -> None:
    model = onnx.parser.parse_model(text)
    graph = from_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [value.name for value in graph.inputs]
    (expected,) = session.run(None, dict(zip(names, inputs, strict=True)))
    (y,) = interpret(graph, inputs)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-6, strict=True)


def test_a_gradient_through_it_is_refused_by_name() -> None:
    x = Tensor(normal(1, 1, 4, 4), dtype=np.float32, requires_grad=True)
    y = apply("RoiAlign", x, BOXES, np.zeros(2, np.int64))
    with pytest.raises(GradientError, match="RoiAlign"):
        (y * y).sum().backward()


def test_an_operator_of_an_unknown_set_is_refused() -> None:
    text = SCALED.replace("ai.onnx.ml.Scaler", "com.example.Scaler")
    with pytest.raises(OperatorError, match=r"Scaler of the operator set 'com\.example'"):
        interpret(from_model(onnx.parser.parse_model(text)), [np.zeros((2, 3), np.float32)])
