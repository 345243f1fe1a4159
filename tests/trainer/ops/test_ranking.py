"""The largest along an axis against sorting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trainer.core.errors import OperatorError
from trainer.core.tensor import apply

MATRICES = arrays.arrays(
    st.sampled_from([np.int64, np.uint8, np.float32]),
    st.tuples(st.integers(1, 3), st.integers(1, 6)),
    elements=st.integers(0, 4),
)


@settings(max_examples=40, deadline=None)
@given(MATRICES, st.booleans(), st.booleans(), st.data())
def test_top_k_is_the_front_of_the_sorted(
    x: np.ndarray, largest: bool, transposed: bool, data: st.DataObject
) -> None:
    k = data.draw(st.integers(0, x.shape[1]))
    given_, axis = (x.T, 0) if transposed else (x, 1)
    values, places = apply("TopK", given_, np.array([k]), axis=axis, largest=int(largest))
    for row, v, p in zip(
        x.tolist(),
        np.moveaxis(values.numpy(), axis, 1).tolist(),
        np.moveaxis(places.numpy(), axis, 1).tolist(),
        strict=True,
    ):
        order = sorted(range(len(row)), key=lambda i, row=row: -row[i] if largest else row[i])[:k]
        assert p == order
        assert v == [row[i] for i in order]


@settings(max_examples=40, deadline=None)
@given(MATRICES, st.sampled_from(["ArgMax", "ArgMin"]), st.booleans(), st.booleans())
def test_the_first_or_the_last_of_equals(
    x: np.ndarray, name: str, last: bool, keepdims: bool
) -> None:
    y = apply(name, x, axis=-1, keepdims=int(keepdims), select_last_index=int(last))
    assert y.dtype == np.int64
    best = max if name == "ArgMax" else min
    wanted = []
    for row in x.tolist():
        places = [i for i, value in enumerate(row) if value == best(row)]
        wanted.append(places[-1 if last else 0])
    assert y.tolist() == ([[place] for place in wanted] if keepdims else wanted)


@pytest.mark.parametrize("columns", [1, 2, 10, 32, 33, 100])
def test_the_largest_of_many_short_rows(columns: int) -> None:
    x = np.random.default_rng(0).standard_normal((9000, columns)).astype(np.float32)
    x[5] = np.nan
    for axis in (1, -1):
        y = apply("ReduceMax", x, [axis], keepdims=0)
        np.testing.assert_array_equal(y.numpy(), np.array([max(row) for row in x]))


def test_the_largest_of_nothing_is_the_lowest_number() -> None:
    for dtype, low, high in [
        (np.float32, -np.inf, np.inf),
        (np.int8, -128, 127),
        (np.uint8, 0, 255),
        (np.bool_, False, True),
    ]:
        nothing = np.zeros((0, 2), dtype)
        assert apply("ReduceMax", nothing, [0], keepdims=0).tolist() == [low, low]
        assert apply("ReduceMin", nothing, [0], keepdims=0).tolist() == [high, high]


@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize("largest", [0, 1])
def test_top_k_counts_no_number_as_the_largest(k: int, largest: int) -> None:
    x = np.random.default_rng(0).standard_normal((4, 20))
    x[0, 3] = x[1, 5] = np.nan
    x[2, :18] = -np.inf
    x[3, :18] = np.inf
    values, places = apply("TopK", x, np.array([k]), largest=largest)
    order = np.argsort(x, axis=1)[:, ::-1] if largest else np.argsort(x, axis=1)
    wanted = np.take_along_axis(x, order[:, :k], 1)
    np.testing.assert_array_equal(values.numpy(), wanted)
    np.testing.assert_array_equal(np.take_along_axis(x, places.numpy(), 1), wanted)
    assert all(len(set(row)) == k for row in places.tolist())


def test_more_than_there_are_is_an_error() -> None:
    with pytest.raises(OperatorError, match="no 4 among 3"):
        apply("TopK", np.zeros((2, 3), np.float32), np.array([4]))
