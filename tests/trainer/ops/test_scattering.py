"""Writing at indices against numpy's unbuffered operations."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.core.errors import OperatorError
from trainer.core.tensor import apply

_AT = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([*_AT]),
    st.sampled_from([np.float32, np.float64, np.int32]),
    st.lists(st.integers(-4, 3), max_size=12),
    st.integers(0, 3),
)
def test_scatter_nd_is_ufunc_at(reduction, dtype, rows, width):
    data = np.arange(4 * width, dtype=dtype).reshape(4, width) - 3
    updates = np.arange(len(rows) * width, dtype=dtype).reshape(len(rows), width) % 5 - 2
    indices = np.array(rows, np.int64)
    expected = data.copy()
    _AT[reduction].at(expected, indices, updates)
    y = apply("ScatterND", data, indices[:, None], updates, reduction=reduction)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6, strict=True)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([*_AT]), st.integers(-2, 1), st.integers(0, 99))
def test_scatter_elements_is_ufunc_at(reduction, axis, seed):
    generator = np.random.default_rng(seed)
    data = generator.integers(-3, 4, (3, 4)).astype(np.float32)
    updates = generator.integers(-3, 4, (2, 3)).astype(np.float32)
    indices = generator.integers(-data.shape[axis], data.shape[axis], (2, 3))
    place = [*np.indices((2, 3))]
    place[axis] = indices
    expected = data.copy()
    _AT[reduction].at(expected, tuple(place), updates)
    y = apply("ScatterElements", data, indices, updates, axis=axis, reduction=reduction)
    np.testing.assert_array_equal(y.numpy(), expected, strict=True)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_short_floats_are_added_exactly(dtype):
    ones = np.ones((1000, 2), dtype)
    y = apply("ScatterND", np.zeros((1, 2), dtype), np.zeros((1000, 1), int), ones, reduction="add")
    assert y.dtype == dtype
    assert y.numpy().astype(np.float32).tolist() == [[1000.0, 1000.0]]


def test_data_is_not_written_to():
    data = np.zeros((2, 2), np.float32)
    data.flags.writeable = False
    apply("ScatterND", data, [[0]], np.ones((1, 2), np.float32), reduction="add")
    apply("ScatterElements", data, [[0, 0]], np.ones((1, 2), np.float32))
    assert not data.any()


def test_strings_are_replaced():
    words = np.array(["a", "b"], object)
    assert apply("ScatterND", words, [[1]], np.array(["c"], object)).tolist() == ["a", "c"]


def test_updates_of_another_shape_are_named():
    with pytest.raises(OperatorError, match=r"updates \[2, 3\] should be \[2, 4\]"):
        apply("ScatterND", np.zeros((5, 4)), [[0], [1]], np.zeros((2, 3)))
