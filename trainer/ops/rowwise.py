"""Gradient rules that work through large arrays block by block, in as many threads as kernels do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from trainer.core.mode import capturing
from trainer.core.op import Rule
from trainer.core.tensor import Tensor, wrap
from trainer.ops import blocks

# Elements. Larger than a kernel's blocks, for threads that meet after every operator wait for each
# other; small enough that no kernel divides it again.
_BLOCK = 2 * blocks.BLOCK - 1


def elementwise(rule: Rule) -> Rule:
    """A gradient rule of one input, made of element-wise operators, that goes by `over_rows`."""

    @functools.wraps(rule)
    def in_blocks(*given: Any, **attrs: Any) -> Any:
        if not _divides(given):
            return rule(*given, **attrs)
        flat = [v.reshape(-1) if isinstance(v, Tensor) else v for v in given]
        (made,) = over_rows(lambda *block: (rule(*block, **attrs),), *flat)
        return made.reshape(*given[0].shape)

    return in_blocks


def over_rows(function: Callable[..., tuple[Any, ...]], *rows: Any) -> tuple[Any, ...]:
    """`function(*rows)`, for large arrays that nobody records block by block.

    Intermediate results of a block stay in the cache. What is recorded or captured is the function of
    whole Tensors, so there is one rule for both.

    Args:
        function: Takes `rows` and returns first a Tensor with as many rows, then sums over rows.
        *rows: Tensors with the same number of rows, and what is given to every block as it is.
    """
    tensors = [x for x in rows if isinstance(x, Tensor)]
    size, count = tensors[0].size, tensors[0].shape[0]
    if not _divides(rows) or any(x.shape[:1] != (count,) for x in tensors):
        return function(*rows)
    made, sums = np.empty(tensors[0].shape, tensors[0].dtype), {}

    def work(part: slice) -> None:
        block = [wrap(x.data[part]) if isinstance(x, Tensor) else x for x in rows]
        first, *others = function(*block)
        made[part] = first.data
        sums[part.start] = [y.data for y in others]

    pairs = -(-size // (2 * _BLOCK))
    blocks.for_each_block(work, count, -(-count // (2 * pairs)))
    in_order = [sums[start] for start in sorted(sums)]
    totals = [functools.reduce(np.add, terms) for terms in zip(*in_order, strict=True)]
    return tuple(map(wrap, (made, *totals)))


def _divides(given: Iterable[Any]) -> bool:
    """Whether a rule of these goes block by block."""
    tensors = [x for x in given if isinstance(x, Tensor)]
    large = max(x.size for x in tensors) >= 2 * _BLOCK
    return large and not capturing() and all(x._node is None for x in tensors)
