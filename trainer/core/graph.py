"""Graph: names, equations and constants. What is captured, written to ONNX, read back and run again."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainer.core.errors import OperatorError
from trainer.core.mode import Place
from trainer.core.op import COMPOSITES, find
from trainer.core.tensor import Array, apply, as_tensor

Dimension = int | str | None


@dataclass(frozen=True)
class Value:
    """An input or output: its name, dtype and shape (a name or `None` where a size may vary)."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[Dimension, ...] | None

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """The shape, where all of it is known."""
        sizes = tuple(size for size in self.shape or () if isinstance(size, int))
        return sizes if self.shape is not None and len(sizes) == len(self.shape) else None


@dataclass(frozen=True)
class Equation:
    """One operator applied to names. An absent input is the empty name, as in ONNX."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    line: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Graph:
    """Equations in an order in which they can run.

    Attributes:
        inputs: What has to be given.
        outputs: What comes out.
        equations: The operators.
        constants: Arrays by name: parameters and other values that are part of the graph.
        name: The name it carries in ONNX.
        known: Dtype and shape of what the operators make, as far as capture saw them.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    equations: tuple[Equation, ...]
    constants: dict[str, Array]
    name: str = "tapeline"
    known: Mapping[str, Value] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {len(self.equations)} equations)"

    @functools.cached_property
    def spent(self) -> dict[int, list[str]]:
        """What no equation reads after that one, by its index: its memory can go."""
        last = {name: k for k, e in enumerate(self.equations) for name in (*reads(e), *e.outputs)}
        for value in self.outputs:
            last.pop(value.name, None)
        spent: dict[int, list[str]] = {}
        for name, index in last.items():
            spent.setdefault(index, []).append(name)
        return spent

    def canonical(self) -> tuple[Any, ...]:
        """The structure without the names: two graphs are the same if these are equal."""
        number: dict[str, int] = {"": -1}

        def of(name: str) -> int:
            return number.setdefault(name, len(number))

        inputs = [(of(v.name), v.dtype, v.shape) for v in self.inputs]
        equations = []
        constants = []
        for equation in self.equations:
            for name in equation.inputs:
                if name in self.constants and name not in number:
                    constants.append((of(name), frozen(self.constants[name])))
            equations.append(
                (
                    equation.op,
                    equation.domain,
                    tuple(map(of, equation.inputs)),
                    tuple(map(of, equation.outputs)),
                    tuple(sorted((key, frozen(a)) for key, a in equation.attrs.items())),
                )
            )
        outputs = [(of(v.name), v.dtype, v.shape) for v in self.outputs]
        return tuple(inputs), tuple(equations), tuple(outputs), tuple(constants)


def all_names(graph: Graph) -> set[str]:
    """Every name that a graph uses, the absent input's empty name excepted."""
    found = {value.name for value in (*graph.inputs, *graph.outputs)} | graph.constants.keys()
    for equation in graph.equations:
        found.update(reads(equation), equation.outputs)
    return found - {""}


def reads(equation: Equation) -> Iterator[str]:
    """The names an operator uses, those that its subgraphs take from around them included."""
    yield from equation.inputs
    for attribute in equation.attrs.values():
        if isinstance(attribute, Graph):
            yield from all_names(attribute)


@dataclass(frozen=True)
class Closure:
    """A subgraph whose last inputs are values around it: each run of it sees the same ones.

    ONNX has no inputs for these, the body reads them by their names; so what is recorded lists them
    after the operator's inputs, and lowering gives the body their names.

    Attributes:
        graph: What runs, with names of its own.
        shared: How many of its inputs are such values.
    """

    graph: Graph
    shared: int


@dataclass(frozen=True)
class Branch:
    """A subgraph of If, Loop or Scan together with the values around it that it may read."""

    graph: Graph
    scope: Mapping[str, Any]

    def __call__(self, *inputs: Any) -> list[Any]:
        """Run it."""
        return interpret(self.graph, inputs, self.scope)


def interpret(
    graph: Graph, inputs: Sequence[Any] | Mapping[str, Any], scope: Mapping[str, Any] | None = None
) -> list[Any]:
    """Run a graph through `apply`, so that it can be recorded, differentiated and captured again.

    Args:
        graph: What to run.
        inputs: A value per input, in order or by name. A name of `graph.constants` replaces that
            constant, which is how an imported graph is fine-tuned. A sequence is a list, an absent
            optional `None`.
        scope: What a subgraph may read besides. Defaults to nothing.

    Returns:
        A Tensor per output, or a list of Tensors where it is a sequence.

    Raises:
        OperatorError: An input is missing, or an operator cannot take what it is given.
    """
    given = (
        dict(inputs)
        if isinstance(inputs, Mapping)
        else dict(zip([value.name for value in graph.inputs], inputs, strict=False))
    )
    missing = [value.name for value in graph.inputs if value.name not in given]
    if missing:
        raise OperatorError(
            f"The graph {graph.name!r} needs the inputs {[v.name for v in graph.inputs]}; "
            f"missing: {missing}."
        )
    values: dict[str, Any] = dict(scope or {})
    values |= {name: as_tensor(array) for name, array in graph.constants.items()}
    values |= {name: _as_value(value) for name, value in given.items()}
    values[""] = None
    spent = graph.spent
    for index, equation in enumerate(graph.equations):
        composite = equation.op in COMPOSITES
        if equation.domain != ("" if composite else find(equation.op).domain):
            raise OperatorError(
                f"The graph {graph.name!r} uses {equation.op} of the operator set "
                f"{equation.domain!r}, which is not known here."
            )
        attrs: dict[str, Any] = {
            name: Branch(value, values) if composite and isinstance(value, Graph) else value
            for name, value in equation.attrs.items()
        }
        if len(equation.outputs) > 1:
            attrs["outputs"] = len(equation.outputs)
        result = apply(equation.op, *[values[name] for name in equation.inputs], **attrs)
        results = result if isinstance(result, tuple) else (result,)
        values |= dict(zip(equation.outputs, results, strict=False))
        values[""] = None
        for name in spent.get(index, ()):
            values.pop(name, None)
    return [values[value.name] for value in graph.outputs]


def _as_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_value(item) for item in value]
    return None if value is None else as_tensor(value)


def frozen(value: Any) -> Any:
    """A value that can be compared and hashed: arrays by dtype, shape and bytes."""
    if isinstance(value, np.ndarray):
        body = tuple(value.ravel().tolist()) if value.dtype == object else value.tobytes()
        return str(value.dtype), value.shape, body
    if isinstance(value, list | tuple):
        return tuple(map(frozen, value))
    if isinstance(value, Graph):
        return value.canonical()
    if isinstance(value, Closure):
        return value.graph.canonical(), value.shared
    return value
