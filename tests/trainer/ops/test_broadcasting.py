"""Arrays of long rows broadcast as numpy says, and numpy is left as it was."""

import contextvars

import numpy as np
import pytest

from trainer.core.tensor import apply
from trainer.ops.broadcasting import combine, row_by_row

SHAPES = [
    ((80, 1000), (80, 1)),
    ((1000,), (80, 1000)),
    ((1, 1000), (80, 1)),
    ((4, 5, 64, 64), (5, 1, 1)),
    ((70_000,), ()),
    ((7, 1, 600), (1, 40, 600)),
    ((3, 40, 1), (3, 1, 600)),
    ((7000, 10), (7000, 1)),
    ((0, 70_000), (1, 70_000)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["Add", "Sub", "Mul", "Div"])
def test_long_rows_give_what_repeated_operands_give(
    name: str, shapes: tuple[tuple[int, ...], ...]
) -> None:
    generator = np.random.default_rng(0)
    operands = [generator.uniform(1, 2, shape).astype(np.float32) for shape in shapes]
    repeated = [np.array(x) for x in np.broadcast_arrays(*operands)]
    for given, wanted in ((operands, repeated), (operands[::-1], repeated[::-1])):
        np.testing.assert_array_equal(apply(name, *given).numpy(), apply(name, *wanted).numpy())


def test_the_buffer_of_numpy_is_left_as_it_was() -> None:
    def compute() -> int:
        np.setbufsize(4096)
        combine(np.add, np.zeros((80, 1000)), np.zeros((80, 1)))
        with pytest.raises(ValueError, match="broadcast"):
            combine(np.add, np.zeros((80, 1000)), np.zeros((70, 1000)))
        with row_by_row():
            assert np.getbufsize() < 1000
        return np.getbufsize()

    assert contextvars.copy_context().run(compute) == 4096


def test_the_result_goes_where_it_is_told() -> None:
    x = np.ones((80, 1000))
    assert combine(np.add, x, np.ones((80, 1)), out=x) is x
    assert (x == 2).all()
