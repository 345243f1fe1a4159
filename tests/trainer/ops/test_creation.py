"""Constants and ranges against numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.core.errors import OperatorError
from trainer.core.tensor import apply


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        ({"value": np.eye(2, dtype=np.float16)}, np.eye(2, dtype=np.float16)),
        ({"value_float": 1.5}, np.float32(1.5)),
        ({"value_floats": [1.5, 2.5]}, np.array([1.5, 2.5], np.float32)),
        ({"value_int": 3}, np.int64(3)),
        ({"value_ints": [3, 4]}, np.array([3, 4])),
        ({"value_int": 0}, np.int64(0)),
        ({"sparse_value": (np.array([5.0]), np.array([2]), (2, 2))}, np.array([[0, 0], [5.0, 0]])),
        (
            {"sparse_value": (np.array([5, 6]), np.array([[0, 1], [1, 0]]), (2, 3))},
            np.array([[0, 5, 0], [6, 0, 0]]),
        ),
    ],
)
def test_constant_is_what_its_attribute_says(attrs, expected):
    np.testing.assert_array_equal(apply("Constant", **attrs).numpy(), expected, strict=True)


def test_constants_of_strings():
    assert apply("Constant", value_string="a").tolist() == "a"
    assert apply("Constant", value_strings=["a", "b"]).tolist() == ["a", "b"]


def test_a_constant_of_nothing_is_an_error():
    with pytest.raises(OperatorError, match="give one of value, value_float"):
        apply("Constant")


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-4, 4).filter(bool))
def test_range_is_numpys(start, limit, delta):
    y = apply("Range", np.array(start), np.array(limit), np.array(delta)).numpy()
    np.testing.assert_array_equal(y, np.arange(start, limit, delta), strict=True)


def test_a_range_of_floats_does_not_drift():
    y = apply("Range", *(np.array(v, np.float32) for v in (0, 1000, 0.1))).numpy()
    step = float(np.float32(0.1))
    np.testing.assert_array_equal(y, (np.arange(len(y)) * step).astype(np.float32), strict=True)


def test_zeros_take_no_memory():
    y = apply("ConstantOfShape", np.array([1000, 1000]), value=np.array([7], np.int8)).numpy()
    assert y.shape == (1000, 1000)
    assert y.dtype == np.int8
    assert (y == 7).all()
    assert y.base is not None
    assert y.strides == (0, 0)
