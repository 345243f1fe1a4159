"""If, Loop, Scan and SequenceMap from ONNX graphs: values as ONNX Runtime's, gradients by differences."""

import numpy as np
import onnx.parser
import onnxruntime
import pytest

from tests.trainer.ops.differentiation import check_gradients
from trainer.core.errors import CaptureError
from trainer.core.graph import interpret
from trainer.core.proto import from_model
from trainer.core.tensor import Tensor, wrap
from trainer.core.trace import capture

IF = """
  <ir_version: 10, opset_import: ["": 21]>
  choose (double[3] x, bool cond) => (double[3] y) {
    y = If (cond) <
      then_branch = yes () => (double[3] a) { a = Mul (x, x) },
      else_branch = no () => (double[3] b) { b = Add (x, x) }
    >
  }
"""
LOOP = """
  <ir_version: 10, opset_import: ["": 21]>
  powers (double[3] x, int64 n) => (double[3] y, double[k, 3] all) {
    yes = Constant <value = bool {1}> ()
    y, all = Loop (n, yes, x) <
      body = step (int64 k, bool go, double[3] last) => (bool go_on, double[3] next, double[3] kept) {
        go_on = Identity (go)
        next = Mul (last, x)
        kept = Add (next, last)
      }
    >
  }
"""
SCAN = """
  <ir_version: 10, opset_import: ["": 21]>
  sums (double[2] start, double[4, 2] x) => (double[2] y, double[2, 4] all) {
    y, all = Scan <
      num_scan_inputs = 1, scan_input_directions = [1],
      scan_output_axes = [1], scan_output_directions = [1],
      body = step (double[2] state, double[2] row) => (double[2] next, double[2] kept) {
        next = Mul (state, row)
        kept = Add (next, row)
      }
    > (start, x)
  }
"""
X = np.array([0.5, -1.5, 2.0])
ROWS = np.array([[0.5, 1.0], [-1.0, 2.0], [1.5, 0.3], [0.7, -0.4]])
CASES = {
    "then": (IF, [X], [np.array(True)]),
    "else": (IF, [X], [np.array(False)]),
    "three rounds": (LOOP, [X], [np.array(3)]),
    "no round": (LOOP, [X], [np.array(0)]),
    "scan": (SCAN, [ROWS[0], ROWS], []),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_onnx_runtime_and_gradients_those_of_differences(name: str) -> None:
    text, floats, rest = CASES[name]
    model = onnx.parser.parse_model(text)
    graph = from_model(model)
    names = [value.name for value in graph.inputs]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run(None, dict(zip(names, [*floats, *rest], strict=True)))
    results = interpret(graph, [*floats, *rest])
    for y, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(y.numpy(), wanted, strict=True)

    def function(*x: Tensor) -> list[Tensor]:
        return interpret(graph, [*x, *rest])

    check_gradients(function, [wrap(x) for x in floats], order=2)


def test_a_condition_that_depends_on_an_input_is_not_frozen_into_a_captured_graph() -> None:
    graph = from_model(onnx.parser.parse_model(IF))
    with pytest.raises(CaptureError, match="truth of a bool"):
        capture(lambda x, cond: interpret(graph, [x, cond]), wrap(X), wrap(np.array(True)))


def test_a_branch_taken_by_a_constant_is_captured_as_what_it_ran() -> None:
    graph = from_model(onnx.parser.parse_model(IF))
    captured = capture(lambda x: interpret(graph, [x, np.array(True)]), wrap(X))
    assert [equation.op for equation in captured.graph.equations] == ["Mul"]
