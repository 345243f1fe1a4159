"""Casting: what is no number, what does not fit, and what carries a gradient."""

import ml_dtypes
import numpy as np
import pytest

from trainer.core.tensor import Tensor, apply


def cast(values, dtype, **attrs):
    return apply("Cast", np.asarray(values), to=dtype, **attrs).numpy()


def test_what_does_not_fit_is_no_warning():
    huge = np.array([1e30, -np.inf, np.nan])
    assert cast(huge, np.int64).dtype == np.int64
    assert cast(huge, np.float16).tolist()[:2] == [np.inf, -np.inf]


def test_strings_are_read_and_written():
    words = np.array(["1.5", "1e-3", "NaN", "-INF"], object)
    np.testing.assert_array_equal(
        cast(words, np.float32), np.array([1.5, 1e-3, np.nan, -np.inf], np.float32), strict=True
    )
    assert cast(words[:2], ml_dtypes.bfloat16).astype(float).tolist() == [1.5, 0.00099945068359375]
    assert cast(np.array(["7", "-3"], object), np.int32).tolist() == [7, -3]
    assert cast(np.array([1, -2]), 8).tolist() == ["1", "-2"]
    assert cast(np.array([0.1], np.float32), 8).tolist() == ["0.1"]


@pytest.mark.parametrize("saturate", [0, 1])
def test_small_floats_saturate(saturate):
    y = cast(np.array([1e6, -1e6, 1.0], np.float32), 17, saturate=saturate).astype(np.float32)
    largest = float(ml_dtypes.finfo(ml_dtypes.float8_e4m3fn).max)
    expected = [largest, -largest, 1.0] if saturate else [np.nan, np.nan, 1.0]
    np.testing.assert_array_equal(y, np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("round_mode", "expected"), [("up", [4, 2, 4]), ("down", [2, 2, 2]), ("nearest", [2, 2, 4])]
)
def test_powers_of_two_round_as_told(round_mode, expected):
    y = cast(np.array([2.5, 2.0, 3.5], np.float32), 24, round_mode=round_mode)
    assert y.astype(np.float32).tolist() == expected


def test_the_same_dtype_is_no_copy():
    x = Tensor(np.ones(3, np.float32))
    assert np.shares_memory(x.cast(np.float32).numpy(), x.numpy())


def test_gradient_keeps_the_dtype_of_what_was_cast():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    (x.cast(np.float16) * 2).cast(np.float32).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == np.float32
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_no_gradient_flows_through_integers():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    (x.cast(np.int64).cast(np.float32) + x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0, 1.0]
