"""Sequences and optional values: lists of Tensors, and what may be absent."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from trainer.core.define import composite
from trainer.core.errors import OperatorError
from trainer.core.tensor import Tensor, apply, wrap

T: TypeAlias = Tensor
S: TypeAlias = list[Tensor]
I: TypeAlias = Tensor  # noqa: E741  (the schema's name)
V: TypeAlias = Any
B: TypeAlias = Tensor
O: TypeAlias = Any  # noqa: E741


@composite("SequenceConstruct")
def sequence_construct(*inputs: T) -> S:
    """The Tensors as a sequence."""
    return list(inputs)


@composite("SequenceEmpty")
def sequence_empty(*, dtype: int | None = None) -> S:
    """A sequence of nothing."""
    return []


@composite("SequenceLength")
def sequence_length(input_sequence: S) -> I:
    """How many Tensors there are."""
    return wrap(np.asarray(len(input_sequence), np.int64))


@composite("SequenceAt")
def sequence_at(input_sequence: S, position: I) -> T:
    """The Tensor at a position; negative counts from the end."""
    return input_sequence[_place(input_sequence, position)]


@composite("SequenceInsert")
def sequence_insert(input_sequence: S, tensor: T, position: I | None = None) -> S:
    """One Tensor more, before a position or at the end."""
    place = len(input_sequence) if position is None else int(position)
    return [*input_sequence[:place], tensor, *input_sequence[place:]]


@composite("SequenceErase")
def sequence_erase(input_sequence: S, position: I | None = None) -> S:
    """One Tensor less, at a position or the last one."""
    place = -1 if position is None else _place(input_sequence, position)
    kept = list(input_sequence)
    del kept[place]
    return kept


def _place(sequence: S, position: I) -> int:
    place = int(position)
    if not -len(sequence) <= place < len(sequence):
        raise OperatorError(
            f"There is no position {place} in a sequence of {len(sequence)} Tensors."
        )
    return place


@composite("SplitToSequence")
def split_to_sequence(input: T, split: I | None = None, *, axis: int = 0, keepdims: int = 1) -> S:
    """The parts of a Tensor along an axis.

    Args:
        input: Any Tensor.
        split: The sizes of the parts, or the one size of all but a smaller last one. Defaults to 1.
        axis: The axis that is split. Defaults to 0.
        keepdims: Whether parts of size 1 by default keep the axis. Defaults to 1.
    """
    size = input.shape[axis]
    if split is None or not split.ndim:
        each = 1 if split is None else int(split)
        sizes = [min(each, size - start) for start in range(0, size, each)]
    else:
        sizes = split.tolist()
    parts = apply("Split", input, sizes, axis=axis)
    return [part.squeeze(axis) for part in parts] if split is None and not keepdims else [*parts]


@composite("ConcatFromSequence")
def concat_from_sequence(input_sequence: S, *, axis: int, new_axis: int = 0) -> T:
    """The Tensors of a sequence joined along an axis, or stacked along a new one."""
    parts = [x.unsqueeze(axis) for x in input_sequence] if new_axis else input_sequence
    return apply("Concat", *parts, axis=axis)


@composite("Optional")
def optional(input: V | None = None, *, type: Any = None) -> O:
    """A value that might have been absent."""
    return input


@composite("OptionalHasElement")
def optional_has_element(input: O | None = None) -> B:
    """Whether the value is there."""
    return wrap(np.asarray(input is not None))


@composite("OptionalGetElement")
def optional_get_element(input: O) -> V:
    """The value that is there."""
    if input is None:
        raise OperatorError("OptionalGetElement: the optional value is absent.")
    return input
