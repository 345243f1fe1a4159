"""From recorded nodes to a Graph: what several runs agree on, and sizes where they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np

from trainer.core.dtypes import describe, onnx_code
from trainer.core.errors import CaptureError
from trainer.core.graph import Closure, Equation, Graph, Value, all_names, frozen
from trainer.core.mode import Place, location
from trainer.core.node import Node
from trainer.core.passes import renamed
from trainer.core.sizes import Size, fit
from trainer.core.tensor import Array, Tensor

Axes = Mapping[str, Mapping[int, str]]


@dataclass
class Draw:
    """A random draw that became an input: how to draw it again, and its shape."""

    name: str
    distribution: str
    dtype: np.dtype[Any]
    shape: tuple[int | Size, ...]


@dataclass
class Trace:
    """One run of a captured function.

    Attributes:
        values: The array of every input and draw by name.
        sizes: The size of every symbol in this run.
        generator: Draws random numbers for this run only; the user's generator does not move.
        leaves: The node of every input and draw, with its name.
        draws: The random draws in order.
        outputs: The results by name.
    """

    values: dict[str, Array]
    sizes: dict[str, int]
    generator: np.random.Generator
    leaves: dict[Node, str] = field(default_factory=dict)
    draws: list[Draw] = field(default_factory=list)
    outputs: dict[str, Tensor] = field(default_factory=dict)


def lower(runs: list[Trace], varied: list[str], axes: Axes) -> tuple[Graph, tuple[Draw, ...]]:
    """Make one graph of several runs of the same function.

    Args:
        runs: The first run, then one per symbol with only that size changed (or one with no size
            changed). Values differ in all of them.
        varied: The symbols, in the order of those runs.
        axes: Which axis of which input carries which symbol.

    Returns:
        The graph, whose inputs are the inputs and then the draws, and the draws with their shapes.

    Raises:
        CaptureError: The runs differ in more than sizes.
    """
    return _Lowering(runs, varied, axes).graph()


class _Lowering:
    def __init__(self, runs: list[Trace], varied: list[str], axes: Axes) -> None:
        self.runs, self.varied, self.axes = runs, varied, axes
        self.sizes = {
            symbol: (runs[0].sizes[symbol], run.sizes[symbol])
            for symbol, run in zip(varied, runs[1:], strict=False)
        }
        self.nodes = [collect(run) for run in runs]
        self.index = [{node: k for k, node in enumerate(nodes)} for nodes in self.nodes]
        self.names: dict[tuple[Node, int], str] = {
            (node, 0): name for node, name in runs[0].leaves.items()
        }
        self.equations: list[Equation] = []
        self.constants: dict[str, Array] = {}
        self.known: dict[Any, str] = {}
        self.values: dict[str, Value] = {}
        self.counts: Counter[str] = Counter()
        self.finals = self._final_names()
        self.line: Place | None = None

    def _final_names(self) -> dict[tuple[Node, int], str]:
        """Results that an operator makes carry the output's name where they are made."""
        finals: dict[tuple[Node, int], str] = {}
        for name, tensor in self.runs[0].outputs.items():
            if tensor._node is not None and tensor._node.op is not None:
                finals.setdefault((tensor._node, tensor._index), self._output_name(name))
        return finals

    def _output_name(self, name: str) -> str:
        return f"{name}.next" if name in self.runs[0].values else name

    def graph(self) -> tuple[Graph, tuple[Draw, ...]]:
        base = self.runs[0]
        self._check_draws()
        for k, node in enumerate(self.nodes[0]):
            self._add(node, [nodes[k] if k < len(nodes) else None for nodes in self.nodes[1:]])
        if any(len(nodes) != len(self.nodes[0]) for nodes in self.nodes):
            raise CaptureError(
                "The function runs through a different number of operators when values or sizes "
                f"change: {[len(nodes) for nodes in self.nodes]}. Python must not decide on them."
            )
        outputs = tuple(self._output(name) for name in base.outputs)
        draws = tuple(
            Draw(
                d.name, d.distribution, d.dtype, self._shape([r.draws[k].shape for r in self.runs])
            )
            for k, d in enumerate(base.draws)
        )
        names = [*base.leaves.values()]
        inputs = tuple(
            Value(name, base.values[name].dtype, self._input_shape(name, draws)) for name in names
        )
        equations = tuple(self.equations)
        return Graph(inputs, outputs, equations, self.constants, known=self.values), draws

    # Operators.

    def _add(self, node: Node, others: list[Node | None]) -> None:
        assert node.op is not None
        self.line = node.line
        if node.op.tape_only:
            self._pass_on(node)
            return
        for other in others:
            if other is None or other.op is not node.op or len(other.values) != len(node.values):
                found = "nothing more" if other is None or other.op is None else other.op.name
                at = "" if other is None else f" at {location(other.line)}"
                self._refuse(
                    f"{node.op.name} runs here in one run of the function, but {found}{at} in another. "
                    "A Python decision depends on a value or on a size"
                )
            if frozen(other.attrs) != frozen(node.attrs):
                self._refuse(
                    f"{node.op.name} has the attributes {node.attrs} in one run of the function and "
                    f"{other.attrs} in another. An attribute cannot depend on a value or a size"
                )
        inputs = []
        for i, value in enumerate(node.values):
            if value is None:
                inputs.append("")
            elif node.parents[i] is None:
                arrays = [value, *[other.values[i] for other in others if other is not None]]
                inputs.append(self._constant(arrays, node.op.name))
            else:
                self._check_parents(node, others, i)
                inputs.append(self.names[node.parents[i]])  # type: ignore[index]
        while inputs and not inputs[-1]:
            inputs.pop()
        outputs = []
        for k in range(len(node.results)):
            outputs.append(self.finals.get((node, k)) or self._fresh(node.op.name))
            self.names[node, k] = outputs[-1]
            results = [node.results[k], *[o.results[k] for o in others if o is not None]]
            self.values[outputs[-1]] = _seen(outputs[-1], results)
        attrs = dict(node.attrs)
        for name, closure in node.attrs.items():
            if isinstance(closure, Closure):
                own = len(inputs) - closure.shared
                attrs[name] = _opened(closure, inputs[own:], outputs[0])
                del inputs[own:]
        self.equations.append(
            Equation(node.op.name, tuple(inputs), tuple(outputs), attrs, node.op.domain, node.line)
        )

    def _pass_on(self, node: Node) -> None:
        """Its outputs are known under the names of its first inputs."""
        for k, parent in enumerate(node.parents[: len(node.results)]):
            if parent is None:
                self._refuse("an output of this block depends on none of its inputs")
            self.names[node, k] = self.names[parent]

    def _check_parents(self, node: Node, others: list[Node | None], i: int) -> None:
        for run, other in enumerate([node, *others]):
            parent = None if other is None else other.parents[i]
            place = None
            if parent is not None:
                leaf = self.runs[run].leaves.get(parent[0])
                place = (leaf or self.index[run].get(parent[0]), parent[1])
            if run == 0:
                first = place
            elif place != first:
                self._refuse(
                    f"input {i} of {node.op and node.op.name} comes from different places in two runs. "
                    "A Python decision depends on a value or on a size"
                )

    def _emit(self, op: str, *inputs: str, **attrs: Any) -> str:
        key = (op, inputs, frozen(tuple(attrs.items())))
        if key not in self.known:
            self.known[key] = self._fresh(op)
            self.equations.append(Equation(op, inputs, (self.known[key],), attrs, "", self.line))
        return self.known[key]

    def _fresh(self, stem: str) -> str:
        self.counts[stem] += 1
        return f"{stem}_{self.counts[stem]}"

    # Constants: the same in all runs, or made of sizes.

    def _constant(self, arrays: list[Array], user: str) -> str:
        base = arrays[0]
        if any(a.shape != base.shape or a.dtype != base.dtype for a in arrays):
            return self._filled(arrays, user)
        if all(frozen(a) == frozen(base) for a in arrays[1:]):
            key = ("constant", frozen(base) if base.size <= 64 else id(base))
            if key not in self.known:
                self.known[key] = self._fresh("constant")
                self.constants[self.known[key]] = base
            return self.known[key]
        entries = [self._fit([a.ravel()[i].item() for a in arrays]) for i in range(base.size)]
        if None in entries or not (base.size == 1 or (base.ndim == 1 and base.dtype == np.int64)):
            self._refuse(
                f"{user} takes the constant {_short(base)} in one run of the function and "
                f"{_short(next(a for a in arrays if frozen(a) != frozen(base)))} in another. What "
                "changes from call to call must be an argument or come from trainer.random; a number "
                "made of a size must be a multiple, a sum, a quotient or a product of sizes"
            )
        if base.dtype == np.int64:
            vector = self._vector([entry for entry in entries if entry is not None])
        else:
            assert isinstance(entries[0], Size)
            vector = self._number(entries[0], base.dtype)
        return vector if base.ndim == 1 else self._emit("Squeeze", vector)

    def _filled(self, arrays: list[Array], user: str) -> str:
        """An array of one repeated value whose shape, and perhaps value, is made of sizes."""
        same_kind = len({(a.ndim, a.dtype) for a in arrays}) == 1
        uniform = same_kind and all(a.size and (a == a.flat[0]).all() for a in arrays)
        value = self._fit([a.flat[0].item() for a in arrays]) if uniform else None
        if value is None:
            self._refuse(
                f"{user} takes the constant {describe(arrays[0])} in one run of the function and "
                f"{describe(next(a for a in arrays if a.shape != arrays[0].shape))} in another. "
                "Make it with operators (range, expand ...), pass it as an argument, or draw it with "
                "trainer.random"
            )
        shape = self._vector(list(self._shape([a.shape for a in arrays])))
        if isinstance(value, Size):
            return self._emit("Expand", self._number(value, arrays[0].dtype), shape)
        filled = np.asarray([value], arrays[0].dtype)
        return self._emit("ConstantOfShape", shape, value=filled)

    def _fit(self, numbers: list[Any]) -> int | Size | None:
        base = numbers[0]
        if all(number == base for number in numbers):
            return base
        if isinstance(base, bool | str) or len(self.varied) != len(numbers) - 1:
            return None
        return fit(base, dict(zip(self.varied, numbers[1:], strict=True)), self.sizes)

    def _shape(self, shapes: list[tuple[Any, ...]]) -> tuple[int | Size, ...]:
        entries = [self._fit(list(numbers)) for numbers in zip(*shapes, strict=True)]
        if None in entries:
            self._refuse(
                f"a shape is {list(shapes[0])} in one run of the function and "
                f"{[list(s) for s in shapes[1:]]} in others, which is no formula of the sizes"
            )
        return tuple(entry for entry in entries if entry is not None)

    def _vector(self, entries: list[int | Size]) -> str:
        """An int64 vector whose entries are numbers and formulas."""
        parts: list[str] = []
        plain: list[int] = []
        for entry in [*entries, None]:
            if isinstance(entry, int):
                plain.append(entry)
                continue
            if plain:
                parts.append(self._constant([np.asarray(plain, np.int64)], "Concat"))
                plain = []
            if entry is not None:
                parts.append(self._number(entry, np.dtype(np.int64)))
        return parts[0] if len(parts) == 1 else self._emit("Concat", *parts, axis=0)

    def _number(self, size: Size, dtype: np.dtype[Any]) -> str:
        """A formula as a vector of one element."""

        def number(value: int) -> str:
            return self._constant([np.asarray([value], dtype)], "Mul")

        result = number(size.factor) if size.factor != 1 else ""
        for symbol, power in sorted(size.powers, key=lambda item: -item[1]):
            operand = self._size(symbol, dtype)
            for _ in range(abs(power)):
                if power < 0:
                    result = self._emit("Div", result or number(1), operand)
                else:
                    result = self._emit("Mul", result, operand) if result else operand
        if size.divisor != 1:
            result = self._emit("Div", result, number(size.divisor))
        return self._emit("Add", result, number(size.offset)) if size.offset else result

    def _size(self, symbol: str, dtype: np.dtype[Any]) -> str:
        name, axis = next(
            (name, axis)
            for name, symbols in self.axes.items()
            for axis, given in symbols.items()
            if given == symbol
        )
        size = self._emit("Shape", name, start=axis, end=axis + 1)
        return size if dtype == np.int64 else self._emit("Cast", size, to=onnx_code(dtype))

    # Inputs and outputs.

    def _check_draws(self) -> None:
        kinds = [[(d.distribution, d.dtype) for d in run.draws] for run in self.runs]
        if any(kind != kinds[0] for kind in kinds):
            raise CaptureError(
                "The function draws different random numbers when values or sizes change; the draws "
                "must be the same for each call."
            )

    def _input_shape(self, name: str, draws: tuple[Draw, ...]) -> tuple[int | str, ...]:
        for one in draws:
            if one.name == name:
                return tuple(s if isinstance(s, int) else str(s) for s in one.shape)
        symbols = self.axes.get(name, {})
        return tuple(symbols.get(i, n) for i, n in enumerate(self.runs[0].values[name].shape))

    def _output(self, name: str) -> Value:
        tensors = [run.outputs[name] for run in self.runs]
        first = tensors[0]
        self.line = None if first._node is None else first._node.line
        if first._node is None:
            source = self._constant([t._data for t in tensors], f"the output {name!r}")
        else:
            source = self.names[first._node, first._index]
        shape = tuple(
            s if isinstance(s, int) else str(s) for s in self._shape([t.shape for t in tensors])
        )
        final = self._output_name(name)
        if source != final:
            self.equations.append(Equation("Identity", (source,), (final,)))
        return Value(final, first.dtype, shape)

    def _refuse(self, reason: str) -> NoReturn:
        raise CaptureError(f"{location(self.line)}: {reason}.")


def collect(run: Trace) -> list[Node]:
    """The nodes that the outputs depend on, parents first.

    Raises:
        CaptureError: One of them reads a Tensor that requires a gradient and is no argument.
    """
    stack = [t._node for t in run.outputs.values() if t._node is not None]
    found = set(stack)
    while stack:
        node = stack.pop()
        for parent in node.parents:
            if parent is not None and parent[0] not in found:
                if parent[0].op is None and parent[0] not in run.leaves:
                    raise CaptureError(
                        f"{location(node.line)}: {node.op and node.op.name} uses a Tensor that requires "
                        "a gradient but is no argument of the captured function. Pass it, or the Module "
                        "it belongs to, as an argument; or detach() it outside."
                    )
                found.add(parent[0])
                stack.append(parent[0])
    return sorted((node for node in found if node.op is not None), key=lambda node: node.order)


def _seen(name: str, results: list[Array]) -> Value:
    """Dtype and shape of a result, without the sizes in which the runs differ."""
    first = results[0]
    sizes = zip(*[y.shape for y in results], strict=True) if _same_rank(results) else None
    shape = None if sizes is None else tuple(n[0] if len({*n}) == 1 else None for n in sizes)
    return Value(name, first.dtype, shape)


def _same_rank(results: list[Array]) -> bool:
    return len({y.ndim for y in results}) == 1


def _short(array: Array) -> str:
    return repr(array.item()) if array.size == 1 else f"{array.tolist()}"[:80]


def _opened(closure: Closure, around: list[str], prefix: str) -> Graph:
    """The subgraph with names that nothing else has, reading what is around it by its names."""
    body = closure.graph
    own = len(body.inputs) - closure.shared
    names = {name: f"{prefix}.{name}" for name in all_names(body)}
    names |= {v.name: name for v, name in zip(body.inputs[own:], around, strict=True)}
    return renamed(replace(body, inputs=body.inputs[:own], known={}), names)
