"""Node: one application of an operator. The tape and the trace are made of nothing else."""

from __future__ import annotations

import weakref
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from trainer.core.mode import Place
from trainer.core.op import Op

_orders = count()


class Spec(NamedTuple):
    """Shape and dtype of an array that was not kept."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)


class Node:
    """The fields of a NodeProto, and what the operator's gradient rule reads.

    A node holds arrays, not Tensors: there is no reference cycle, and memory goes with the last Tensor.

    Attributes:
        op: The operator, or `None` for a leaf (a parameter, an input of a captured function).
        parents: Per input the node and the output index it came from; `None` for a constant.
        values: Per input the array, or its `Spec` where the rule does not read it, `None` if absent.
        results: Per output likewise.
        attrs: The attributes as given.
        tracked: Whether gradients flow through.
        order: A number that grows with every node, so parents come before children.
        line: Where it comes from, recorded only while capturing or looking for anomalies.
        tensor: For a leaf a weak reference to its Tensor, which `backward` gives the gradient.
    """

    __slots__ = (
        "attrs",
        "line",
        "op",
        "order",
        "parents",
        "results",
        "tensor",
        "tracked",
        "values",
    )

    def __init__(
        self,
        op: Op | None = None,
        parents: tuple[tuple[Node, int] | None, ...] = (),
        values: tuple[Any, ...] = (),
        results: tuple[Any, ...] = (),
        attrs: dict[str, Any] | None = None,
        tracked: bool = True,
        line: Place | None = None,
        tensor: weakref.ref[Any] | None = None,
    ) -> None:
        self.op, self.parents, self.values, self.results = op, parents, values, results
        self.attrs, self.tracked, self.line = attrs or {}, tracked, line
        self.tensor = tensor
        self.order = next(_orders)
