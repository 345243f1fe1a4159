"""Reshaping, tiling, joining and splitting against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.ops.test_slicing import is_adjoint, whole
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply

_SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@settings(max_examples=50, deadline=None)
@given(_SHAPES, st.data())
def test_transpose_and_reshape_are_numpys(shape, data):
    x = whole(shape)
    perm = data.draw(st.permutations(range(len(shape))))

    def function(x):
        return apply("Reshape", apply("Transpose", x, perm=perm), [x.size], allowzero=1)

    expected = x.transpose(perm).reshape(-1)
    np.testing.assert_array_equal(function(Tensor(x)).numpy(), expected, strict=True)
    assert is_adjoint(function, x)


@settings(max_examples=50, deadline=None)
@given(_SHAPES, st.data())
def test_tile_is_numpys(shape, data):
    x = whole(shape)
    repeats = data.draw(st.lists(st.integers(0, 3), min_size=len(shape), max_size=len(shape)))
    np.testing.assert_array_equal(
        apply("Tile", x, repeats).numpy(), np.tile(x, repeats), strict=True
    )
    assert is_adjoint(lambda x: apply("Tile", x, repeats), x)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(-2, 1))
def test_what_is_split_joins_again(parts, axis):
    shape = [2, 2]
    shape[axis] = sum(parts)
    x = whole(shape)
    pieces = apply("Split", x, parts, axis=axis)
    assert [piece.shape[axis] for piece in pieces] == parts
    np.testing.assert_array_equal(apply("Concat", *pieces, axis=axis).numpy(), x, strict=True)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_split_by_number_makes_the_last_part_smaller(number):
    x = np.arange(10)
    pieces = [piece.numpy() for piece in apply("Split", x, num_outputs=number)]
    np.testing.assert_array_equal(np.concatenate(pieces), x)
    assert len(pieces) == number
    assert {len(piece) for piece in pieces[:-1]} <= {-(-10 // number)}


@pytest.mark.parametrize(
    ("name", "inputs", "attrs", "reason"),
    [
        (
            "Reshape",
            ([2, 3], [4, 2]),
            {},
            r"Reshape\(float32\[2, 3\], int64\[2\]\): cannot reshape",
        ),
        ("Split", ([6, 1], [1, 2]), {}, r"the parts \[1, 2\] do not add up to 6"),
        ("Split", ([6, 1],), {}, "give the sizes of the parts, split, or their number"),
        ("Unsqueeze", ([2], [5]), {}, r"the axes \[5\] are not 1 different ones of 2"),
        ("Unsqueeze", ([2], [0, 0]), {}, r"the axes \[0, 0\] are not 2 different ones of 3"),
        ("Squeeze", ([2, 1], [0]), {}, "cannot select an axis to squeeze out"),
    ],
)
def test_errors_say_what_is_wrong(name, inputs, attrs, reason):
    shape, *rest = inputs
    with pytest.raises(OperatorError, match=reason):
        apply(name, np.zeros(shape, np.float32), *rest, **attrs)
