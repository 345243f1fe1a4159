"""Whole numbers against Python's own, and what does not mix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.ops.differentiation import check_gradients
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply

INTEGERS = [np.int8, np.int32, np.int64, np.uint8, np.uint64]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(INTEGERS), st.data())
def test_integers_divide_towards_zero(dtype: type, data: st.DataObject) -> None:
    info = np.iinfo(dtype)
    numbers = st.integers(int(info.min) + 1, int(info.max))
    a, b = data.draw(numbers), data.draw(numbers.filter(bool))
    quotient = apply("Div", np.array([a], dtype), np.array([b], dtype))
    assert quotient.dtype == dtype
    towards_zero = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    assert quotient.tolist() == [towards_zero]
    rest = apply("Mod", np.array([a], dtype), np.array([b], dtype), fmod=1)
    assert rest.tolist() == [a - towards_zero * b]
    assert apply("Mod", np.array([a], dtype), np.array([b], dtype)).tolist() == [a % b]


def test_the_remainder_with_the_sign_of_the_divisor_has_a_gradient() -> None:
    a, b = Tensor(np.array([5.3, -5.3, 7.1])), Tensor(np.array([2.0, 2.1, -1.9]))
    check_gradients(lambda a, b: [apply("Mod", a, b)], [a, b], order=2)


def test_division_by_zero_gives_infinities_without_a_warning() -> None:
    y = apply("Div", np.array([1.0, -1.0, 0.0]), np.zeros(3)).tolist()
    assert y[:2] == [np.inf, -np.inf]
    assert np.isnan(y[2])
    assert apply("Reciprocal", np.zeros(1)).tolist() == [np.inf]


def test_dtypes_and_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(OperatorError, match=r"Sub\(float32\[2\], float64\[2\]\): .*do not mix"):
        apply("Sub", np.zeros(2, np.float32), np.zeros(2))
    with pytest.raises(OperatorError, match=r"Sum\(float32\[2\], float32\[3\]\): .*broadcast"):
        apply("Sum", np.zeros(2, np.float32), np.zeros(3, np.float32))
