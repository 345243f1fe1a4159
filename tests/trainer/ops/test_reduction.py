"""Reductions over any axes of any shape against numpy."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.trainer.ops.differentiation import check_gradients
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
PEERS: dict[str, Callable[..., np.ndarray]] = {
    "ReduceSum": np.sum,
    "ReduceProd": np.prod,
    "ReduceL1": lambda x, **options: np.sum(np.abs(x), **options),
    "ReduceL2": lambda x, **options: np.sqrt(np.sum(x * x, **options)),
    "ReduceSumSquare": lambda x, **options: np.sum(x * x, **options),
}


@st.composite
def reductions(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...]]:
    x = draw(arrays.arrays(np.float64, SHAPES, elements=st.floats(-3, 3)))
    axes = draw(st.lists(st.integers(0, x.ndim - 1), unique=True)) if x.ndim else []
    return x, tuple(axis - x.ndim * draw(st.booleans()) for axis in axes)


@settings(max_examples=40, deadline=None)
@given(reductions(), st.booleans(), st.sampled_from(sorted(PEERS)))
def test_reduction_is_that_of_numpy(
    given_: tuple[np.ndarray, tuple[int, ...]], keepdims: bool, name: str
) -> None:
    x, axes = given_
    y = apply(name, x, np.array(axes, np.int64), keepdims=int(keepdims))
    wanted = PEERS[name](x, axis=axes or None, keepdims=keepdims)
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-12, atol=1e-12, strict=True)


@pytest.mark.parametrize("length", [1, 9, 1023, 1024, 1025, 100_000, 1_000_003])
def test_sum_of_many_is_as_exact_as_that_of_numpy(length: int) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (3, length)).astype(np.float32)
    wanted = x.sum(1, dtype=np.float64)
    for y in (
        apply("ReduceSum", x, [1], keepdims=0),
        apply("ReduceSum", x[:, ::-1], [1], keepdims=0),
    ):
        np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-6)
    total = apply("ReduceSum", x, keepdims=0)
    np.testing.assert_allclose(total.numpy(), wanted.sum(), rtol=1e-6)


@pytest.mark.parametrize("length", [127, 128, 129, 1000])
def test_product_of_long_rows(length: int) -> None:
    x = np.random.default_rng(0).uniform(0.98, 1.02, (3, 2, length))
    for axes in ([2], [1, 2], [0, 1, 2]):
        y = apply("ReduceProd", x, axes, keepdims=1)
        wanted = np.exp(np.log(x).sum(tuple(axes), keepdims=True))
        np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-10, strict=True)


def test_half_precision_is_summed_in_float32() -> None:
    x = np.full((1, 4096), 1.0, np.float16)
    assert apply("ReduceSum", x, [1], keepdims=0).tolist() == [4096.0]
    assert apply("ReduceMean", np.full(70_000, 2.0, np.float16), keepdims=0).item() == 2.0


@pytest.mark.parametrize("name", [*PEERS, "ReduceMean", "ReduceLogSum", "ReduceMax", "ReduceMin"])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_axes_may_be_an_attribute_as_before_opset_18(name: str, keepdims: int) -> None:
    x = Tensor(np.random.default_rng(1).permutation(12).reshape(3, 4) + 0.5)

    def function(x: Tensor) -> list[Tensor]:
        return [apply(name, x, axes=[-1], keepdims=keepdims)]

    wanted = apply(name, x, np.array([1]), keepdims=keepdims)
    np.testing.assert_array_equal(function(x)[0].numpy(), wanted.numpy(), strict=True)
    check_gradients(function, [x], order=2)


def test_an_axis_that_is_not_there_is_named() -> None:
    with pytest.raises(OperatorError, match=r"ReduceSum\(float32\[2, 3\].*no axis 2 among 2"):
        apply("ReduceSum", np.zeros((2, 3), np.float32), [2])


@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(
        np.int64,
        arrays.array_shapes(max_dims=3, min_side=0, max_side=4),
        elements=st.integers(-9, 9),
    ),
    st.data(),
)
def test_cumulative_sum_is_the_sum_of_what_comes_before(x: np.ndarray, data: st.DataObject) -> None:
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    exclusive, reverse = data.draw(st.booleans()), data.draw(st.booleans())
    y = apply("CumSum", x, np.array(axis), exclusive=int(exclusive), reverse=int(reverse))
    rows, sums = np.moveaxis(x, axis, -1), np.moveaxis(y.numpy(), axis, -1)
    for place in np.ndindex(rows.shape):
        row, i = rows[place[:-1]], place[-1]
        part = row[i + exclusive :] if reverse else row[: i + 1 - exclusive]
        assert sums[place] == part.sum()
