"""Every operator and its gradient, captured as one graph, in stock ONNX Runtime against eager."""

import numpy as np
import onnxruntime
import pytest

from tests.trainer.ops.case import Case, all_cases, ids
from tests.trainer.ops.differentiation import function_of, pull_back
from trainer.core.proto import to_model
from trainer.core.tensor import Tensor, wrap
from trainer.core.trace import capture

CASES = [case for case in all_cases() if case.order]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # capture varies values, out of a domain, too
@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_captured_gradient_runs_in_onnx_runtime(case: Case) -> None:
    function, x = function_of(case.cast(np.float32))
    generator = np.random.default_rng(0)
    seeds = [wrap(np.asarray(generator.standard_normal(y.shape), y.dtype)) for y in function(*x)]

    def values_and_gradients(x: list[Tensor], seeds: list[Tensor]) -> dict[str, list[Tensor]]:
        gradients = pull_back(function, x, seeds)
        return {"y": function(*x), "g": [g for g in gradients if g is not None]}

    captured = capture(values_and_gradients, x, seeds)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        to_model(captured.graph).SerializeToString(), options, ["CPUExecutionProvider"]
    )
    feeds = {name: value.numpy() for name, value in zip(captured.inputs, [*x, *seeds], strict=True)}
    results = session.run(None, feeds)
    eager = values_and_gradients(x, seeds)
    for given, expected in zip(results, [*eager["y"], *eager["g"]], strict=True):
        assert given.dtype == expected.dtype
        np.testing.assert_allclose(given, expected.numpy(), rtol=1e-4, atol=1e-5, strict=True)
