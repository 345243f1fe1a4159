"""How requests become batches: what may be joined, how it is padded, and how it is taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serve.errors import SettingsError
from serve.signature import Signature

Array = np.ndarray[Any, Any]
Feeds = Mapping[str, Array]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Batching:
    """What an operator wants of the queue of each model.

    Attributes:
        enabled: Whether requests are joined at all.
        max_batch_size: The most examples of one run; larger requests are split.
        delay: Seconds that an incomplete batch waits for more, from its first request on.
        allowed_sizes: Sizes that batches are padded to, increasing, the last one being the
            largest batch; empty where every size goes.
        pad_lengths: Whether inputs that differ in a free size other than the first are padded to
            the longest, with their first element.
        max_queue: The most requests of one model that wait.
        queue_seconds: The most work of one model that waits, by its measured time.
    """

    enabled: bool = False
    max_batch_size: int = 32
    delay: float = 0.0
    allowed_sizes: tuple[int, ...] = ()
    pad_lengths: bool = False
    max_queue: int = 1000
    queue_seconds: float = 0.3

    def __post_init__(self) -> None:
        sizes = self.allowed_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            raise SettingsError(
                f"Allowed batch sizes {list(sizes)} must increase and end with the maximum batch "
                f"size, {self.max_batch_size}."
            )


def batch_symbol(signature: Signature) -> str | None:
    """The free first size that all inputs and outputs share; None where there is no such size.

    Example:
        >>> from serve.tensors import TensorSpec
        >>> x, y = (TensorSpec(name, "tensor(float)", ("N", 3)) for name in "xy")
        >>> batch_symbol(Signature((x,), (y,)))
        'N'
    """
    specs = [spec for spec in signature.inputs if not spec.optional] + list(signature.outputs)
    first = {spec.shape[0] if spec.element and spec.shape else None for spec in specs}
    symbol = first.pop() if len(first) == 1 else None
    return symbol if isinstance(symbol, str) else None


def rows_of(feeds: Feeds, signature: Signature) -> int | None:
    """How many examples a request has; None where it cannot be joined with others."""
    symbol = batch_symbol(signature)
    if symbol is None or not feeds:
        return None
    sizes = set()
    for name, array in feeds.items():
        shape = signature.input[name].shape
        if not shape or shape[0] != symbol:
            return None  # an input of the whole batch
        sizes.add(array.shape[0])
    rows = sizes.pop()
    return None if sizes or rows == 0 else rows


def key_of(feeds: Feeds, signature: Signature, pad_lengths: bool) -> Key:
    """What two requests must have in common to be joined."""
    return tuple(
        (name, *_fixed_sizes(feeds[name], signature.input[name].shape, pad_lengths))
        for name in sorted(feeds)
    )


def take(sizes: Sequence[int], limit: int) -> int:
    """How many of the first requests make up a batch: at least one, else while they fit.

    Example:
        >>> take([2, 1, 4], limit=6)
        2
    """
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if count and total > limit:
            return count
    return len(sizes)


def padded_size(rows: int, allowed: Sequence[int]) -> int:
    """The size that a batch is padded to.

    Example:
        >>> padded_size(5, [1, 4, 8])
        8
    """
    return next((size for size in allowed if size >= rows), rows)


def split(feeds: Feeds, rows: int, limit: int) -> list[Feeds]:
    """Cut a request into parts that fit into a batch."""
    return [
        {name: array[start : start + limit] for name, array in feeds.items()}
        for start in range(0, rows, limit)
    ]


def join(requests: Sequence[Feeds], size: int) -> dict[str, Array]:
    """Make one input of several requests, padded to a size by copies of the first example.

    Args:
        requests: Inputs by name, with the same key.
        size: The number of examples of the result.
    """
    joined = {}
    for name in requests[0]:
        arrays = [feeds[name] for feeds in requests]
        longest = tuple(map(max, zip(*(array.shape[1:] for array in arrays), strict=True)))
        arrays = [_pad_lengths(array, longest) for array in arrays]
        missing = size - sum(map(len, arrays))
        if missing:
            arrays.append(np.repeat(arrays[0][:1], missing, axis=0))
        joined[name] = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return joined


def divide(
    outputs: Mapping[str, Any], requests: Sequence[Feeds], signature: Signature, size: int
) -> list[dict[str, Array]] | None:
    """Give each request its examples of the outputs, free sizes cut back to those it came with.

    Returns:
        The outputs of each request; None where an output does not have an example for each input.
    """
    if any(not isinstance(o, np.ndarray) or not o.ndim or len(o) != size for o in outputs.values()):
        return None
    results = []
    start = 0
    for feeds in requests:
        end = start + len(next(iter(feeds.values())))
        lengths = _symbols(feeds, signature)
        results.append(
            {
                name: _cut(output[start:end], signature.output[name].shape, lengths)
                for name, output in outputs.items()
            }
        )
        start = end
    return results


def _fixed_sizes(
    array: Array, shape: Sequence[int | str | None] | None, pad_lengths: bool
) -> tuple[int, ...]:
    """The sizes, but for the first, that must be equal; free ones count as -1."""
    free = [pad_lengths and not isinstance(size, int) for size in (shape or array.shape)[1:]]
    return tuple(-1 if f else size for f, size in zip(free, array.shape[1:], strict=True))


def _pad_lengths(array: Array, longest: tuple[int, ...]) -> Array:
    if array.shape[1:] == longest or array.size == 0:
        return array
    padded = np.full((len(array), *longest), array.flat[0], array.dtype)
    padded[tuple(map(slice, array.shape))] = array
    return padded


def _symbols(feeds: Feeds, signature: Signature) -> dict[str, int]:
    """What the free sizes, but for the first, are in a request."""
    return {
        symbol: size
        for name, array in feeds.items()
        for symbol, size in zip(
            (signature.input[name].shape or ())[1:], array.shape[1:], strict=False
        )
        if isinstance(symbol, str)
    }


def _cut(
    output: Array, shape: Sequence[int | str | None] | None, lengths: Mapping[str, int]
) -> Array:
    if shape is None or len(shape) != output.ndim:
        return output
    limits = (lengths.get(s) if isinstance(s, str) else None for s in shape[1:])
    return output[(slice(None), *map(slice, limits))]
