"""Facts about a graph that passes ask for: who makes a value, who reads it, its dtype and shape."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from trainer.core.graph import Equation, Graph, Value, reads
from trainer.core.tensor import Array


class Facts:
    """One graph, indexed.

    Attributes:
        made_by: Name to the equation that makes it.
        readers: How often each name is read, by equations and as an output.
        results: The names of the outputs.
    """

    def __init__(self, graph: Graph) -> None:
        self.made_by = {name: e for e in graph.equations for name in e.outputs}
        self.results = {value.name for value in graph.outputs}
        self.readers = Counter(name for e in graph.equations for name in reads(e))
        self.readers.update(self.results)
        self._constants = graph.constants
        self._values: dict[str, Value] = {v.name: v for v in (*graph.inputs, *graph.outputs)}
        self._values |= graph.known

    def maker(self, name: str, *ops: str) -> Equation | None:
        """The equation that makes a value, if it applies one of these operators."""
        equation = self.made_by.get(name)
        return equation if equation is not None and equation.op in ops else None

    def constant(self, name: str) -> Array | None:
        """The array of a constant."""
        return self._constants.get(name)

    def is_filled(self, name: str, value: float) -> bool:
        """Whether every element is a constant of this value."""
        array = self.constant(name)
        return array is not None and array.dtype.kind in "fiu" and bool((array == value).all())

    def dtype(self, name: str) -> np.dtype[Any] | None:
        """The dtype, where it is known."""
        if name in self._constants:
            return self._constants[name].dtype
        return self._values[name].dtype if name in self._values else None

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape, where all of it is known."""
        if name in self._constants:
            return self._constants[name].shape
        return self._values[name].sizes if name in self._values else None

    def rank(self, name: str) -> int | None:
        """The number of axes, where it is known."""
        if name in self._constants:
            return self._constants[name].ndim
        shape = self._values[name].shape if name in self._values else None
        return None if shape is None else len(shape)
