"""Making batches of requests and taking them apart: pure functions, as tables."""

import numpy as np
import pytest

from serve.batching import batch_symbol, divide, join, key_of, padded_size, rows_of, split, take
from serve.signature import Signature
from serve.tensors import TensorSpec


def signature(x: tuple, y: tuple, *more: TensorSpec) -> Signature:
    specs = [TensorSpec(n, "tensor(float)", s) for n, s in (("x", x), ("y", y))]
    return Signature((specs[0], *more), (specs[1],))


TEXTS = signature(("N", "length"), ("N", "length"))


def zeros(*shape: int) -> dict[str, np.ndarray]:
    return {"x": np.zeros(shape, np.float32)}


@pytest.mark.parametrize(
    ("x", "y", "symbol"),
    [
        (("N", 3), ("N",), "N"),
        (("N", 3), ("M",), None),  # who knows how the two hang together
        (("N",), (), None),
        ((None, 3), (None,), None),
        ((1, 3), (1,), None),
        (None, None, None),
    ],
)
def test_only_what_shares_a_free_first_size_is_joined(x: tuple, y: tuple, symbol: str) -> None:
    assert batch_symbol(signature(x, y)) == symbol


def test_rows_are_counted_where_all_inputs_agree() -> None:
    bias = TensorSpec("bias", "tensor(float)", (1,), optional=True)
    given = signature(("N", 3), ("N",), bias)
    assert rows_of(zeros(4, 3), given) == 4
    assert rows_of(zeros(0, 3), given) is None
    assert rows_of({**zeros(4, 3), "bias": np.ones(1)}, given) is None


@pytest.mark.parametrize(
    ("sizes", "limit", "count"),
    [([1], 4, 1), ([1, 1, 1], 2, 2), ([5, 1], 4, 1), ([2, 2, 1], 4, 2), ([2, 3, 1], 4, 1)],
)
def test_a_batch_is_as_large_as_the_limit_lets_it(sizes: list, limit: int, count: int) -> None:
    assert take(sizes, limit) == count


@pytest.mark.parametrize(
    ("rows", "allowed", "size"), [(3, (), 3), (3, (2, 4), 4), (4, (2, 4), 4), (1, (2, 4), 2)]
)
def test_batches_are_padded_to_the_next_allowed_size(rows: int, allowed: tuple, size: int) -> None:
    assert padded_size(rows, allowed) == size


def test_lengths_decide_what_can_be_joined() -> None:
    short, long = zeros(1, 2), zeros(1, 5)
    assert key_of(short, TEXTS, False) != key_of(long, TEXTS, False)
    assert key_of(short, TEXTS, True) == key_of(long, TEXTS, True)
    fixed = signature(("N", 3, "length"), ("N",))
    assert key_of(zeros(1, 3, 2), fixed, True) == key_of(zeros(2, 3, 4), fixed, True)


def test_lengths_are_padded_with_the_first_element_and_cut_again() -> None:
    first = {"x": np.array([[7, 8]], np.float32)}
    second = {"x": np.array([[1, 2, 3], [4, 5, 6]], np.float32)}
    joined = join([first, second], 4)["x"]
    np.testing.assert_array_equal(joined[0], [7, 8, 7])
    np.testing.assert_array_equal(joined[3], joined[0])
    results = divide({"y": joined * 10}, [first, second], TEXTS, 4)
    assert results is not None
    np.testing.assert_array_equal(results[0]["y"], [[70, 80]])
    np.testing.assert_array_equal(results[1]["y"], [[10, 20, 30], [40, 50, 60]])


def test_outputs_that_do_not_follow_the_inputs_are_not_divided() -> None:
    for output in (np.zeros(3), np.float32(0), [1, 2, 3, 4]):
        assert divide({"y": output}, [zeros(4, 2)], TEXTS, 4) is None


def test_what_is_split_is_whole_again() -> None:
    x = np.arange(10, dtype=np.float32).reshape(5, 2)
    parts = split({"x": x}, 5, 2)
    assert [len(part["x"]) for part in parts] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([part["x"] for part in parts]), x)
