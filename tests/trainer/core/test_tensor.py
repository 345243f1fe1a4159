"""Tensor: a value with Python's operators, numpy's indexing and no silent promotion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trainer import Tensor, ops
from trainer.core.errors import OperatorError

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "expression",
    [
        lambda x: x + 2,
        lambda x: 2 - x,
        lambda x: x * 0.5,
        lambda x: 1.0 / (x + 1),
        lambda x: x**2,
        lambda x: 2.0**x,
        lambda x: -x,
        lambda x: abs(x - 5),
        lambda x: x % 3,
        lambda x: (x - 7) % 3,
        lambda x: (x - 7) // 3,
        lambda x: x > 3,
        lambda x: x <= 3,
        lambda x: x == 3,
        lambda x: x != 3,
        lambda x: (x > 2) & (x < 9),
        lambda x: (x > 2) | (x < 9),
        lambda x: (x > 2) ^ (x < 9),
        lambda x: ~(x > 2),
    ],
)
def test_python_operators_do_what_numpy_does(expression) -> None:
    expected = expression(X)
    found = expression(Tensor(X)).numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("expression", [lambda x: x // 3, lambda x: x % 3, lambda x: 7 // x])
def test_whole_number_division_has_pythons_sign(expression) -> None:
    values = np.array([-7, -3, -1, 1, 2, 8])
    np.testing.assert_array_equal(expression(Tensor(values)).numpy(), expression(values))


def test_a_number_takes_the_dtype_of_the_tensor_beside_it() -> None:
    for dtype in ("float16", "float32", "float64", "int8", "int64"):
        assert (Tensor([1], dtype) + 1).dtype == np.dtype(dtype)
    assert (Tensor([1.0], "float32") * np.float64(0.5)).dtype == np.float32


def test_a_float_beside_integers_is_refused_and_named() -> None:
    with pytest.raises(OperatorError, match=r"Add: the number 0\.5 .* int64"):
        Tensor([1, 2]) + 0.5


def test_two_tensors_never_promote() -> None:
    with pytest.raises(OperatorError, match=r"Add\(float32\[1\], float64\[1\]\).*do not mix"):
        Tensor([1.0]) + Tensor([1.0], "float64")


def test_dividing_integers_names_the_ways_out() -> None:
    with pytest.raises(OperatorError, match=r"//.*cast"):
        Tensor([1, 2]) / 2


def test_arrays_become_tensors() -> None:
    y = np.ones((2, 3), np.float32) @ Tensor(np.ones((3, 2), np.float32))
    assert isinstance(y, Tensor)
    np.testing.assert_array_equal(y.numpy(), np.full((2, 2), 3, np.float32))


def test_a_tensor_is_a_value() -> None:
    source = np.zeros(2, np.float32)
    x = Tensor(source)
    source[0] = 1
    assert x.tolist() == [0, 0]
    with pytest.raises(ValueError, match="read-only"):
        x.numpy()[0] = 1
    with pytest.raises(OperatorError, match=r"where.*scatter_nd"):
        x[0] = 1.0


def test_equality_is_elementwise_and_hashing_by_identity() -> None:
    a, b = Tensor([1.0]), Tensor([1.0])
    assert len({a, b}) == 2
    assert (a == b).tolist() == [True]


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(OperatorError, match=r"Add\(float32\[3\], float32\[4\]\): .*broadcast"):
        Tensor([1.0] * 3) + Tensor([1.0] * 4)
    with pytest.raises(
        OperatorError, match=r"MatMul\(float32\[3, 4\], float32\[5, 6\]\).* 4 and 5"
    ):
        Tensor(np.ones((3, 4), np.float32)) @ Tensor(np.ones((5, 6), np.float32))


def test_unknown_operator_and_attribute_name_the_nearest() -> None:
    from trainer import apply

    with pytest.raises(OperatorError, match="Did you mean 'Sigmoid'"):
        apply("Sigmoyd", Tensor([1.0]))
    with pytest.raises(OperatorError, match=r"Softmax.*axes.*attributes are: axis"):
        ops.softmax(Tensor([1.0]), axes=1)


@given(arrays.basic_indices(X.shape, allow_newaxis=True))
@settings(max_examples=200, deadline=None)
def test_basic_indexing_is_numpys(index) -> None:
    expected = X[index]
    found = Tensor(X)[index].numpy()
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "index",
    [
        np.array([0, 1, 1]),
        (slice(None), np.array([2, 0])),
        (Ellipsis, np.array([[0, 3], [1, -1]])),
        (np.array([0, 1]), np.array([2, 0])),
        (np.array([0, 1]), slice(None), np.array([2, 0])),
        (slice(None), np.array([2, 0]), np.array([1, 3])),
        (0, np.array([2, 0])),
        (slice(None), np.array([[2], [0]]), np.array([1, 3])),
        X > 10,
        X[..., 0] > 5,
        (1, np.array([True, False, True])),
        (slice(None), np.array([True, False, True]), slice(1, 3)),
    ],
)
def test_index_arrays_are_numpys(index) -> None:
    expected = X[index]
    as_tensors = tuple(
        Tensor(i) if isinstance(i, np.ndarray) else i
        for i in (index if isinstance(index, tuple) else (index,))
    )
    for key in (index, as_tensors):
        np.testing.assert_array_equal(Tensor(X)[key].numpy(), expected)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_lists_index_like_arrays(rows) -> None:
    values = np.arange(4.0)
    np.testing.assert_array_equal(Tensor(values)[rows].numpy(), values[rows])


def test_too_many_indices_and_no_index() -> None:
    with pytest.raises(OperatorError, match="4 indices were given for 3"):
        Tensor(X)[0, 0, 0, 0]
    with pytest.raises(OperatorError, match="is no index"):
        Tensor(X)["row"]
