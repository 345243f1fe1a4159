"""Choosing boxes as ONNX Runtime does."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from trainer.core.tensor import apply


@pytest.fixture(scope="module", params=[0, 1], ids=["corners", "centers"])
def session(request):
    node = helper.make_node(
        "NonMaxSuppression",
        ["boxes", "scores", "most", "overlap", "least"],
        ["chosen"],
        center_point_box=request.param,
    )
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64 if name == "most" else 1, None)
        for name in node.input
    ]
    output = helper.make_tensor_value_info("chosen", TensorProto.INT64, None)
    graph = helper.make_graph([node], "boxes", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    runs = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return request.param, runs


@pytest.mark.parametrize("seed", range(10))
def test_the_same_boxes_are_chosen(session, seed):
    center_point_box, runtime = session
    generator = np.random.default_rng(seed)
    inputs = (
        generator.random((2, 12, 4)).astype(np.float32),
        generator.random((2, 3, 12)).round(1).astype(np.float32),  # with ties
        np.array([generator.integers(0, 14)]),
        np.array([generator.choice([0.0, 0.1, 0.5])], np.float32),
        np.array([generator.choice([-1.0, 0.4])], np.float32),
    )
    chosen = apply("NonMaxSuppression", *inputs, center_point_box=center_point_box).numpy()
    names = [value.name for value in runtime.get_inputs()]
    (expected,) = runtime.run(None, dict(zip(names, inputs, strict=True)))
    np.testing.assert_array_equal(chosen, expected, strict=True)
