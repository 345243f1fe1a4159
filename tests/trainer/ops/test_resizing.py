"""Resizing against ONNX's reference, in every combination of its attributes."""

from itertools import product

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from tests.trainer.ops.differentiation import pull_back
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply

_COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
_ROI = np.array([0, 0, 0.1, -0.2, 1, 1, 1.2, 0.7], np.float32)
_X = np.random.default_rng(0).standard_normal((1, 2, 4, 5)).astype(np.float32)


def reference(x, roi, scales, sizes, attrs):
    inputs = {"x": x, "roi": roi, "scales": scales, "sizes": sizes}
    names = [name if value is not None else "" for name, value in inputs.items()]
    node = helper.make_node("Resize", names, ["y"], **attrs)
    values = {name: value for name, value in inputs.items() if value is not None}
    declared = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), None)
        for name, v in values.items()
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "resize", declared, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    return ReferenceEvaluator(onnx.load_from_string(model.SerializeToString())).run(None, values)[0]


@pytest.mark.parametrize("coordinates", _COORDINATES)
@pytest.mark.parametrize(
    "attrs",
    [
        *({"nearest_mode": f"{name}"} for name in ("floor", "ceil")),
        *({"nearest_mode": f"round_prefer_{name}"} for name in ("floor", "ceil")),
        {"mode": "linear"},
        {"mode": "cubic", "cubic_coeff_a": -0.5},
        {"mode": "cubic", "exclude_outside": 1},
        {"mode": "linear", "antialias": 1},
        {"mode": "cubic", "antialias": 1, "exclude_outside": 1},
    ],
    ids=lambda attrs: " ".join(map(str, attrs.values())),
)
def test_resize_is_that_of_the_reference(coordinates, attrs):
    attrs = {**attrs, "coordinate_transformation_mode": coordinates, "extrapolation_value": 9.0}
    roi = _ROI if coordinates == "tf_crop_and_resize" else np.zeros(0, np.float32)
    for height, width in product((3, 4, 7), (2, 5, 10)):
        sizes = np.array([1, 2, height, width])
        y = apply("Resize", _X, roi, None, sizes, **attrs).numpy()
        expected = reference(_X, roi, None, sizes, attrs)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5, strict=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float64])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_every_dtype_is_resized(dtype, mode):
    x = (_X * 100 + 99).clip(0, 250).astype(dtype)
    scales = np.array([1, 1, 1.5, 0.6], np.float32)
    y = apply("Resize", x, None, scales, mode=mode).numpy()
    expected = reference(x, None, scales, None, {"mode": mode})
    np.testing.assert_allclose(
        y.astype(np.float64), expected.astype(np.float64), rtol=2e-3, atol=dtype == np.int32
    )
    assert y.dtype == dtype


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_the_aspect_ratio_is_kept(policy):
    sizes, attrs = np.array([7, 6]), {"axes": [-2, -1], "keep_aspect_ratio_policy": policy}
    y = apply("Resize", _X, None, None, sizes, mode="linear", **attrs).numpy()
    attrs = {**attrs, "mode": "linear", "axes": [2, 3]}
    np.testing.assert_allclose(y, reference(_X, None, None, sizes, attrs), rtol=1e-5, atol=1e-6)


def test_ten_times_seven_tenths_is_seven():
    x = np.zeros((1, 10), np.float32)
    assert apply("Resize", x, None, np.array([1, 0.7], np.float32)).shape == (1, 7)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gradient_is_the_transpose(mode, axis):
    x = np.random.default_rng(1).standard_normal((3, 4, 2))
    for size in (1, 2, 6, 8, 9):

        def function(x):
            return apply("Resize", x, None, None, np.array([size]), mode=mode, axes=[axis])  # noqa: B023

        y = function(Tensor(x)).numpy()
        g = np.random.default_rng(2).standard_normal(y.shape)
        (back,) = pull_back(lambda x: [function(x)], [Tensor(x)], [Tensor(g)])
        assert back is not None
        np.testing.assert_allclose(np.vdot(y, g), np.vdot(x, back.numpy()), rtol=1e-10)


def test_what_is_missing_is_named():
    with pytest.raises(OperatorError, match="give scales or sizes"):
        apply("Resize", _X)
    with pytest.raises(OperatorError, match="unknown coordinate_transformation_mode 'middle'"):
        apply("Resize", _X, None, None, [1, 2, 3, 3], coordinate_transformation_mode="middle")
