"""ONNX Runtime's Resize crops no axis that keeps its size.

Seen with 1.31.1. Our operator follows the specification, so a graph with such a Resize gives other values in
ONNX Runtime than eagerly.
"""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from trainer.ops import resize

_ATTRS = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
_ROI = np.array([0, 0.25, 1, 0.75], np.float32)


def resized(x: np.ndarray, size: int) -> np.ndarray:
    """The middle half of two rows in ONNX Runtime, as so many elements each."""
    rows = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 5])
    constants = {"roi": _ROI, "sizes": np.array([2, size])}
    initializers = [
        helper.make_tensor(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape, value.tolist()
        )
        for name, value in constants.items()
    ]
    node = helper.make_node("Resize", ["x", "roi", "", "sizes"], ["y"], **_ATTRS)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "resize", [rows], [y], initializers)
    opset = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": x})[0]


def test_an_axis_that_keeps_its_size_is_not_cropped() -> None:
    x = np.tile(np.arange(5, dtype=np.float32), (2, 1))
    for size, wanted in ((5, [1, 1.5, 2, 2.5, 3]), (3, [1, 2, 3])):
        y = resize(x, _ROI, None, np.array([2, size]), **_ATTRS)
        np.testing.assert_allclose(y.numpy(), [wanted, wanted])
        defective = size == 5
        np.testing.assert_allclose(resized(x, size), x if defective else [wanted, wanted])
