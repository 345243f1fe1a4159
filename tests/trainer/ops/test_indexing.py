"""Taking at indices against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.ops.test_slicing import is_adjoint, whole
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply


@settings(max_examples=50, deadline=None)
@given(st.integers(-3, 2), st.integers(0, 2), st.data())
def test_gather_is_take(axis, rank, data):
    x = whole((3, 4, 2))
    size = x.shape[axis]
    count = st.lists(st.integers(-size, size - 1), min_size=2**rank, max_size=2**rank)
    indices = np.array(data.draw(count)).reshape((2,) * rank)

    def function(x):
        return apply("Gather", x, indices, axis=axis)

    expected = np.take(x, indices, axis)
    np.testing.assert_array_equal(function(Tensor(x)).numpy(), expected, strict=True)
    assert is_adjoint(function, x)


@settings(max_examples=30, deadline=None)
@given(st.integers(-2, 1), st.integers(0, 99))
def test_gather_elements_is_take_along_axis(axis, seed):
    x = whole((3, 4))
    indices = np.random.default_rng(seed).integers(-x.shape[axis], x.shape[axis], (3, 4))

    def function(x):
        return apply("GatherElements", x, indices, axis=axis)

    expected = np.take_along_axis(x, indices, axis)
    np.testing.assert_array_equal(function(Tensor(x)).numpy(), expected, strict=True)
    assert is_adjoint(function, x)


@pytest.mark.parametrize("batch_dims", [0, 1, 2])
@pytest.mark.parametrize("k", [1, 2])
def test_gather_nd_is_what_a_loop_takes(batch_dims, k):
    x = whole((2, 3, 4, 2))
    generator = np.random.default_rng(k)
    taken = x.shape[batch_dims : batch_dims + k]
    indices = np.stack(
        [generator.integers(-n, n, (*x.shape[:batch_dims], 5)) for n in taken], axis=-1
    )

    def function(x):
        return apply("GatherND", x, indices, batch_dims=batch_dims)

    places = np.ndindex(indices.shape[:-1])
    expected = np.array([x[(*at[:batch_dims], *indices[at])] for at in places])
    expected = expected.reshape(indices.shape[:-1] + x.shape[batch_dims + k :])
    np.testing.assert_array_equal(function(Tensor(x)).numpy(), expected, strict=True)
    assert is_adjoint(function, x)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=0, max_size=4), st.sampled_from([None, 0, 1, -1]))
def test_compress_is_numpys(condition, axis):
    x = whole((4, 4))
    condition = np.array(condition, np.bool_)

    def function(x):
        return apply("Compress", x, condition, axis=axis)

    expected = np.compress(condition, x, axis)
    np.testing.assert_array_equal(function(Tensor(x)).numpy(), expected, strict=True)
    assert is_adjoint(function, x)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("sorted", [0, 1])
def test_unique_can_be_undone(axis, sorted):
    x = np.array([[2, 0, 2], [1, 1, 1], [2, 0, 2]])
    y, first, inverse, counts = (
        part.numpy() for part in apply("Unique", x, axis=axis, sorted=sorted, outputs=4)
    )
    flat = x.reshape(-1) if axis is None else x
    np.testing.assert_array_equal(y.take(inverse, axis or 0), flat)
    np.testing.assert_array_equal(flat.take(first, axis or 0), y)
    np.testing.assert_array_equal(counts, np.bincount(inverse))
    if not sorted:
        assert (np.diff(first) > 0).all()


def test_gradient_of_unique_goes_where_each_appears_first():
    x = Tensor(np.array([3.0, 1.0, 3.0]), requires_grad=True)
    (apply("Unique", x) * np.array([10.0, 20.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [20.0, 10.0, 0.0]


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_out_of_bounds_is_named(index):
    x = np.zeros((3, 2), np.float32)
    for name, indices in (
        ("Gather", [index]),
        ("GatherElements", [[index]]),
        ("GatherND", [[index]]),
    ):
        with pytest.raises(
            OperatorError, match=rf"{name}\(float32\[3, 2\].*{index} is out of bounds"
        ):
            apply(name, x, np.array(indices))
