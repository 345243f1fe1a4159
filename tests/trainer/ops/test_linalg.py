"""Products of matrices of any shape and layout against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply

SIDES = st.integers(0, 3)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIDES, st.lists(st.integers(1, 3), max_size=2), st.data())
def test_product_is_that_of_numpy(
    n: int, k: int, m: int, batch: list[int], data: st.DataObject
) -> None:
    generator = np.random.default_rng(0)
    shapes = []
    for matrix, vector in (((n, k), (k,)), ((k, m), (k,))):
        kept = data.draw(st.integers(0, len(batch)))
        narrowed = [data.draw(st.sampled_from([1, size])) for size in batch[len(batch) - kept :]]
        shapes.append(data.draw(st.sampled_from([(*narrowed, *matrix), vector])))
    a, b = (generator.standard_normal(shape) for shape in shapes)
    if a.ndim > 1 and data.draw(st.booleans()):
        a = np.asarray(a.swapaxes(-1, -2), order="C").swapaxes(-1, -2)
    wanted = np.matmul(a, b)
    np.testing.assert_allclose(apply("MatMul", a, b).numpy(), wanted, rtol=1e-12, atol=1e-12)
    assert apply("MatMul", a, b).shape == np.shape(wanted)


def test_half_precision_is_multiplied_in_float32() -> None:
    a = np.full((1, 4096), 1.0, np.float16)
    assert apply("MatMul", a, a.T).tolist() == [[4096.0]]


def test_the_gradient_of_weights_shared_by_a_batch_is_one_product() -> None:
    x = Tensor(np.ones((4, 5, 3), np.float32))
    w = Tensor(np.ones((3, 2), np.float32), requires_grad=True)
    (x @ w).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [[20.0, 20.0]] * 3


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ((3, 4), (5, 6), "inner dimensions 4 and 5 differ"),
        ((4,), (5,), "inner dimensions 4 and 5 differ"),
        ((), (5,), "a scalar is no matrix"),
    ],
)
def test_what_does_not_fit_is_named(a: tuple[int, ...], b: tuple[int, ...], reason: str) -> None:
    with pytest.raises(OperatorError, match=reason):
        apply("MatMul", np.zeros(a, np.float32), np.zeros(b, np.float32))


def test_gemm_wants_matrices_and_what_broadcasts_to_their_product() -> None:
    x = np.zeros((2, 2), np.float32)
    with pytest.raises(OperatorError, match="two matrices"):
        apply("Gemm", x[None], x)
    with pytest.raises(OperatorError, match="broadcast"):
        apply("Gemm", x, x, np.zeros((3, 2, 2), np.float32))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.booleans(), st.booleans(), st.integers(0, 1000))
def test_integers_multiply_exactly(n: int, k: int, per_row: bool, signed: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    dtype = np.int8 if signed else np.uint8
    low = -128 if signed else 0
    a, b = (generator.integers(low, low + 256, shape).astype(dtype) for shape in ((n, k), (k, 3)))
    zero_a = generator.integers(low, low + 256, (n,) if per_row else ()).astype(dtype)
    zero_b = generator.integers(low, low + 256, (3,) if per_row else ()).astype(dtype)
    y = apply("MatMulInteger", a, b, zero_a, zero_b)
    left = a.astype(int) - (zero_a.astype(int)[:, None] if per_row else int(zero_a))
    right = b.astype(int) - zero_b.astype(int)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y.numpy(), left @ right)
