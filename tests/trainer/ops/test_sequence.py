"""Sequences against Python's lists, whose meaning they have."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.ops.differentiation import check_gradients
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply, wrap

ITEMS = [wrap(np.full(2, float(k))) for k in range(4)]


def numbers(sequence: list[Tensor]) -> list[float]:
    return [x.numpy()[0].item() for x in sequence]


@given(st.integers(-4, 3))
def test_at_insert_and_erase_mean_what_they_mean_for_lists(position: int) -> None:
    wanted = [0.0, 1.0, 2.0, 3.0]
    assert apply("SequenceAt", ITEMS, wrap(np.asarray(position))).numpy()[0] == wanted[position]
    longer = apply("SequenceInsert", ITEMS, wrap(np.full(2, 9.0)), wrap(np.asarray(position)))
    shorter = apply("SequenceErase", ITEMS, wrap(np.asarray(position)))
    inserted, erased = list(wanted), list(wanted)
    inserted.insert(position, 9.0)
    del erased[position]
    assert numbers(longer) == inserted
    assert numbers(shorter) == erased
    assert numbers(ITEMS) == wanted


@pytest.mark.parametrize("position", [-5, 4])
def test_a_position_outside_is_refused(position: int) -> None:
    for name in ("SequenceAt", "SequenceErase"):
        with pytest.raises(OperatorError, match=f"position {position} .* 4 Tensors"):
            apply(name, ITEMS, wrap(np.asarray(position)))


@pytest.mark.parametrize("each", [1, 2, 3, 7])
def test_split_into_parts_of_one_size_is_that_of_torch(each: int) -> None:
    x = np.arange(14.0).reshape(7, 2)
    parts = apply("SplitToSequence", wrap(x), wrap(np.asarray(each)), axis=0)
    for part, wanted in zip(parts, torch.split(torch.tensor(x), each), strict=True):
        np.testing.assert_array_equal(part.numpy(), wanted.numpy(), strict=True)


def test_gradients_go_through_a_sequence() -> None:
    def function(x: Tensor) -> list[Tensor]:
        parts = apply("SplitToSequence", x, wrap(np.asarray([1, 2])), axis=1)
        parts = apply("SequenceInsert", parts, parts[0] * parts[0])
        return [apply("ConcatFromSequence", parts, axis=1)]

    check_gradients(function, [wrap(np.arange(6.0).reshape(2, 3))], order=2)


def test_an_absent_optional_has_no_element() -> None:
    assert not apply("OptionalHasElement", apply("Optional"))
    assert apply("OptionalHasElement", ITEMS[0])
    with pytest.raises(OperatorError, match="absent"):
        apply("OptionalGetElement", None)
