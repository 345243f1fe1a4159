"""Slicing and padding against numpy, and their gradients, at any bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.ops.differentiation import pull_back
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply

_BOUND = st.one_of(
    st.integers(-9, 9), st.sampled_from([np.iinfo(np.int64).min, np.iinfo(np.int64).max])
)
_STEP = st.integers(-4, 4).filter(bool)


def is_adjoint(function, x, seed=0):
    """Whether <function(x), g> = <x, gradient>, exactly: small whole numbers."""
    generator = np.random.default_rng(seed)
    y = function(Tensor(x)).numpy()
    g = generator.integers(-5, 6, y.shape).astype(np.float64)
    (back,) = pull_back(lambda x: [function(x)], [Tensor(x)], [Tensor(g)])
    assert back is not None
    assert back.shape == x.shape
    return np.vdot(y, g) == np.vdot(x, back.numpy())


def whole(shape):
    return np.arange(1.0, np.prod(shape, dtype=int) + 1).reshape(shape)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=3),
    st.lists(st.tuples(_BOUND, _BOUND, _STEP), min_size=2, max_size=2),
)
def test_slice_is_numpys(shape, bounds):
    x = whole(shape)
    starts, ends, steps = (list(values) for values in zip(*bounds, strict=True))
    axes = [-1, 0]

    def function(x):
        return apply("Slice", x, starts, ends, axes, steps)

    expected = x[..., slice(*bounds[0])][slice(*bounds[1])]
    np.testing.assert_array_equal(function(Tensor(x)).numpy(), expected, strict=True)
    assert is_adjoint(function, x)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=2),
    st.lists(st.integers(0, 7), min_size=4, max_size=4),
    st.sampled_from(["constant", "reflect", "edge", "wrap"]),
)
def test_pad_is_numpys(shape, pads, mode):
    x = whole(shape)

    def function(x):
        return apply("Pad", x, pads, mode=mode)

    widths = [(pads[0], pads[2]), (pads[1], pads[3])]
    expected = np.pad(x, widths, mode)
    np.testing.assert_array_equal(function(Tensor(x)).numpy(), expected, strict=True)
    assert is_adjoint(function, x)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-2, 2), min_size=4, max_size=4))
def test_pad_by_less_than_nothing_drops(pads):
    x = whole((4, 5))

    def function(x):
        return apply("Pad", x, pads)

    kept = x[max(-pads[0], 0) : 4 + min(pads[2], 0), max(-pads[1], 0) : 5 + min(pads[3], 0)]
    expected = np.pad(
        kept, [(max(pads[0], 0), max(pads[2], 0)), (max(pads[1], 0), max(pads[3], 0))]
    )
    np.testing.assert_array_equal(function(Tensor(x)).numpy(), expected, strict=True)
    assert is_adjoint(function, x)


def test_pad_of_strings_is_empty():
    words = np.array(["a", "b"], object)
    assert apply("Pad", words, [1, 0]).tolist() == ["", "a", "b"]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9))
def test_center_crop_pad_keeps_the_middle(size, new):
    def function(x):
        return apply("CenterCropPad", x, [new], axes=[0])

    x = whole((size, 2))
    assert is_adjoint(function, x)
    back = apply("CenterCropPad", function(Tensor(x)), [size], axes=[0]).numpy()
    np.testing.assert_array_equal(back[back != 0], x[back != 0])


def test_wrong_pads_are_named():
    with pytest.raises(OperatorError, match=r"Pad\(float32\[2, 3\].*2 axes want 4 pads, not 3"):
        apply("Pad", np.zeros((2, 3), np.float32), [1, 2, 3])
    with pytest.raises(OperatorError, match="mode 'mirror' is none of constant, reflect"):
        apply("Pad", np.zeros(2, np.float32), [1, 1], mode="mirror")
