"""The gradient of a large array, block by block, is the gradient that is recorded as a whole."""

import numpy as np
import pytest

from tests.oracle import oracle
from tests.trainer.ops.test_closure import operators_behind
from trainer.core.tape import walk, watch
from trainer.core.tensor import Tensor, apply, wrap
from trainer.ops import blocks
from trainer.ops.rowwise import over_rows

torch = oracle("torch")

_R = np.random.default_rng(0)
MANY = 4 * blocks.BLOCK + 5


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((1001, 600), 1), ((8, 300, 300), 2), ((40, 300, 6, 10), 2), ((3, 200_000), 1)],
    ids=str,
)
def test_layer_normalization_of_many_rows_is_that_of_torch(
    shape: tuple[int, ...], axis: int
) -> None:
    x, g = ((_R.standard_normal(shape) * 3 + 5).astype(np.float32) for _ in range(2))
    scale, b = (_R.standard_normal(shape[axis:]).astype(np.float32) for _ in range(2))
    given = [watch(Tensor(v)) for v in (x, scale, b)]
    y = apply("LayerNormalization", *given, axis=axis)
    gradients = walk([y], [wrap(g)], [(v._node, 0) for v in given], record=False)
    theirs = [torch.tensor(v, requires_grad=True) for v in (x, scale, b)]
    torch.nn.functional.layer_norm(theirs[0], shape[axis:], *theirs[1:]).backward(torch.tensor(g))
    for found, wanted in zip(gradients, theirs, strict=True):
        largest = np.abs(wanted.grad.numpy()).max()
        np.testing.assert_allclose(found.numpy(), wanted.grad, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize(
    "name",
    [
        "HardSwish",
        "Gelu",
        "Softsign",
        "Mish",
        "Elu",
        "Celu",
        "Selu",
        "Asin",
        "Acos",
        "Asinh",
        "Erf",
    ],
)
def test_gradients_of_many_elements_are_those_of_few(name: str) -> None:
    x = _R.uniform(-0.9, 0.9, (5, MANY // 4)).astype(np.float32)
    g = _R.standard_normal(x.shape).astype(np.float32)

    def gradient(part: slice) -> np.ndarray:
        given = watch(wrap(x[:, part]))
        seed = wrap(g[:, part])
        (found,) = walk([apply(name, given)], [seed], [(given._node, 0)], record=False)
        return found.numpy()

    whole = gradient(slice(None))
    assert whole.shape == x.shape
    for part in (slice(0, 99), slice(MANY // 8, MANY // 8 + 99), slice(-99, None)):
        np.testing.assert_allclose(whole[:, part], gradient(part), rtol=1e-5, atol=1e-6)


def test_what_is_recorded_is_the_rule_of_whole_tensors() -> None:
    seen = []

    def double(x: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(x.shape)
        return x * 2.0, x.sum(axis=0)

    x = _R.standard_normal((MANY // 8, 8)).astype(np.float32)
    whole = over_rows(double, watch(wrap(x)))
    assert seen == [x.shape]
    in_blocks = over_rows(double, wrap(x))
    assert len(seen) > 3
    assert sum(rows for rows, _ in seen[1:]) == len(x)
    np.testing.assert_array_equal(in_blocks[0].numpy(), whole[0].numpy())
    np.testing.assert_allclose(in_blocks[1].numpy(), x.sum(0, dtype=np.float64), atol=0.01)


def test_a_large_gradient_that_is_recorded_is_not_reshaped() -> None:
    x = watch(wrap(_R.uniform(-0.9, 0.9, (5, MANY // 4)).astype(np.float32)))
    y = apply("Asin", x)
    (found,) = walk([y], [wrap(np.ones(x.shape, np.float32))], [(x._node, 0)], record=True)
    assert "Reshape" not in operators_behind([found])


def test_the_same_rows_give_the_same_bits_whichever_thread_took_them() -> None:
    x = wrap(_R.standard_normal((MANY // 16, 16)).astype(np.float32))
    found = {over_rows(lambda x: (x, x.sum(axis=0)), x)[1].numpy().tobytes() for _ in range(20)}
    assert len(found) == 1


def test_a_block_that_fails_fails_the_rule() -> None:
    def refuse(x: Tensor) -> tuple[Tensor]:
        raise ValueError("not this one")

    with pytest.raises(ValueError, match="not this one"):
        over_rows(refuse, wrap(np.zeros((MANY, 1), np.float32)))
