"""Scan as one operator of a captured graph: beside the loop that runs slice by slice, in ONNX Runtime."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from trainer.compiled.passes import optimize
from trainer.core.graph import Graph
from trainer.core.proto import to_model
from trainer.core.tensor import Array, Tensor, wrap
from trainer.core.trace import Captured, capture
from trainer.ops import control
from trainer.ops.recorded_scan import scan

generator = np.random.default_rng(0)
SHAPES = {"start": (3, 4), "rows": (5, 3, 4), "first": (4, 4), "second": (4, 4)}
GIVEN = {name: generator.standard_normal(shape) for name, shape in SHAPES.items()}
TENSORS = [wrap(array) for array in GIVEN.values()]


def body(state: Tensor, row: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    after = (state @ weights + row).tanh()
    return after, after * row, state


def run(graph: Graph, feeds: dict[str, Array]) -> list[Any]:
    model = to_model(graph)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, {v.name: feeds[v.name] for v in graph.inputs}))


def ops(captured: Captured) -> list[str]:
    return [equation.op for equation in captured.graph.equations]


@pytest.mark.parametrize("backwards", [False, True])
def test_it_is_one_operator_and_does_what_the_loop_does(backwards: bool) -> None:
    def function(start: Tensor, rows: Tensor, first: Tensor) -> list[Tensor]:
        return list(scan(body, [start], [rows], [first], backwards))

    start, rows, first, _ = TENSORS
    captured = capture(function, start, rows, first)
    assert ops(captured) == ["Scan"]
    expected = control.scan(
        start,
        rows,
        body=lambda *values: list(body(*values, first)),
        num_scan_inputs=1,
        scan_input_directions=[int(backwards)],
        scan_output_directions=[int(backwards)] * 2,
    )
    for found, wanted in zip(run(captured.graph, GIVEN), expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-12)


def test_the_batch_may_vary() -> None:
    def function(start: Tensor, rows: Tensor, first: Tensor) -> Tensor:
        return scan(body, [start], [rows], [first])[1]

    batch = {"start": {0: "batch"}, "rows": {1: "batch"}}
    graph = capture(function, *TENSORS[:3], dynamic=batch).graph
    for size in (1, 7):
        given = {
            "start": generator.standard_normal((size, 4)),
            "rows": generator.standard_normal((5, size, 4)),
            "first": GIVEN["first"],
        }
        wanted = function(*[wrap(array) for array in given.values()])
        (found,) = run(graph, given)
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-12)


def test_passes_see_what_the_body_reads_around_it() -> None:
    def function(start: Tensor, rows: Tensor, first: Tensor, second: Tensor) -> Tensor:
        one, same, other = (
            scan(body, [start * 1.0], [rows], [weights.T])[0] for weights in (first, first, second)
        )
        return one + same - other

    captured = capture(function, *TENSORS)
    graph = optimize(captured.graph)
    assert "Mul" not in [equation.op for equation in graph.equations]
    assert [equation.op for equation in graph.equations].count("Transpose") == 2
    (found,) = run(graph, GIVEN)
    (wanted,) = run(captured.graph, GIVEN)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_what_a_body_reads_has_a_reader() -> None:
    def function(start: Tensor, rows: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        negative = -weights  # once; the mean of it is not worth another Neg
        return *scan(body, [start], [rows], [negative]), negative.mean()

    graph = optimize(capture(function, *TENSORS[:3]).graph)
    assert [equation.op for equation in graph.equations].count("Neg") == 1
