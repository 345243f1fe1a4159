"""Reads numpy's index notation into operator calls: Slice, Gather, GatherND, Compress, Unsqueeze ...

Nothing is normalised against a size: -1 stays -1, so a captured index holds for every size.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np

from trainer.core.errors import OperatorError

_LAST = np.iinfo(np.int64).max
_BEFORE_FIRST = np.iinfo(np.int64).min


class Call(NamedTuple):
    """An operator to run on the result so far: its name, further inputs, attributes."""

    name: str
    inputs: tuple[Any, ...] = ()
    attrs: dict[str, Any] = {}  # noqa: RUF012  (never changed)


class Plan(NamedTuple):
    """The basic part of an index as operator calls, then what has to be gathered."""

    calls: list[Call]
    gathers: dict[int, Any]


def read_index(key: Any, ndim: int, is_array: Any) -> Plan:
    """Split an index into basic calls and gathers.

    Args:
        key: What stands between the brackets.
        ndim: The number of dimensions of what is indexed.
        is_array: A predicate: whether an item is an index array (a Tensor, an array, a list).

    Returns:
        A plan. Its gathers map an axis, counted after the basic calls, to an index array.

    Raises:
        OperatorError: Too many indices, or an item that is none.
    """
    items = list(key) if isinstance(key, tuple) else [key]
    taken = sum(_width(item, is_array) for item in items)
    if taken > ndim:
        raise OperatorError(f"{taken} indices were given for {ndim} dimensions.")
    if not any(isinstance(item, EllipsisType) for item in items):
        items.append(...)
    axis = place = 0
    sliced: list[tuple[int, int, int, int]] = []  # start, end, axis, step
    dropped: list[int] = []
    added: list[int] = []
    gathers: dict[int, Any] = {}
    for item in items:
        if isinstance(item, EllipsisType):
            axis += ndim - taken
            place += ndim - taken
        elif item is None:
            added.append(place)
            place += 1
        elif isinstance(item, slice):
            start, end, step = _bounds(item)
            if (start, end, step) != (0, _LAST, 1):
                sliced.append((start, end, axis, step))
            axis += 1
            place += 1
        elif is_array(item):
            gathers[place] = item
            width = _width(item, is_array)
            axis += width
            place += width
        elif isinstance(item, int | np.integer) and not isinstance(item, bool):
            index = int(item)
            sliced.append((index, index + 1 if index != -1 else _LAST, axis, 1))
            dropped.append(axis)
            axis += 1
        else:
            raise OperatorError(
                f"{item!r} is no index: use integers, slices, None, ..., or integer and boolean Tensors."
            )
    calls = []
    if sliced:
        calls.append(
            Call("Slice", tuple(_int64(list(column)) for column in zip(*sliced, strict=True)))
        )
    if dropped:
        calls.append(Call("Squeeze", (_int64(dropped),)))
    if added:
        calls.append(Call("Unsqueeze", (_int64(added),)))
    return Plan(calls, gathers)


def _int64(values: list[int]) -> Any:
    return np.asarray(values, np.int64)


def _width(item: Any, is_array: Any) -> int:
    """How many dimensions an item consumes: a boolean array as many as it has."""
    if item is None or isinstance(item, EllipsisType):
        return 0
    return max(item.ndim, 1) if is_array(item) and item.dtype == np.bool_ else 1


def _bounds(item: slice) -> tuple[int, int, int]:
    step = 1 if item.step is None else int(item.step)
    if step == 0:
        raise OperatorError("A slice cannot have step 0.")
    first, last = (0, _LAST) if step > 0 else (_LAST, _BEFORE_FIRST)
    start = first if item.start is None else int(item.start)
    end = last if item.stop is None else int(item.stop)
    return start, end, step
