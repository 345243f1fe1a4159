"""Capture: run a function with real arrays, remember the operators, and make a graph of them.

Two nets catch what must not be frozen into the graph. While a function runs captured, every way out
of a Tensor that depends on an input is refused. And it runs several times, with other values and other
sizes: a constant that differs must be a formula of the sizes; anything else is an error with its line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from trainer.core import tree
from trainer.core.dtypes import describe, is_float
from trainer.core.errors import CaptureError
from trainer.core.graph import Graph, interpret
from trainer.core.lowering import Axes, Draw, Trace, collect, lower
from trainer.core.mode import mode
from trainer.core.node import Node, Spec
from trainer.core.tensor import Array, Tensor, wrap

_running: ContextVar[Trace | None] = ContextVar("trainer_trace", default=None)


@runtime_checkable
class Stateful(Protocol):
    """What holds Tensors by name and can be given others: a Module."""

    def named_tensors(self) -> dict[str, Tensor]:
        """Every parameter and buffer by its dotted name."""
        ...

    def assign(self, tensors: Mapping[str, Tensor]) -> None:
        """Put other Tensors in their places."""
        ...


@dataclass(frozen=True)
class Captured:
    """A function as a graph.

    Attributes:
        graph: Its inputs are the Tensors of the arguments in order, then the random draws.
        inputs: The names of the Tensors of the arguments.
        outputs: The names of the Tensors of the result.
        state: Input name to output name of what the function changed in a Module (running statistics).
        draws: What has to be drawn anew for each run.
    """

    graph: Graph
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    state: dict[str, str]
    draws: tuple[Draw, ...]


def capture(function: Callable[..., Any], *args: Any, dynamic: Axes | None = None) -> Captured:
    """Make a graph of a function.

    Python control flow over shapes and settings stays Python; what depends on values must be said in
    operators.

    Example:
        >>> from trainer.ops import relu
        >>> x = Tensor(np.ones((4, 3, 2), np.float32))
        >>> flat = capture(lambda x: relu(x.reshape(x.shape[0], -1)), x, dynamic={"x": {0: "batch"}})
        >>> [equation.op for equation in flat.graph.equations]
        ['Shape', 'Concat', 'Reshape', 'Relu']

    Args:
        function: Takes trees of Tensors and Modules; anything else in the arguments is a setting.
        *args: Real arguments. A Tensor is named after the parameter and its place in the tree
            (`batch.x`); the Tensors of a Module keep their own names (`layers.0.weight`). Outputs
            are named by their place in the result: `output`, or the keys of a dict.
        dynamic: Per Tensor the axes whose size may vary, with a symbol each:
            `{"x": {0: "batch"}}`. Defaults to none.

    Returns:
        The graph and what belongs to it.

    Raises:
        CaptureError: A value leaked out of a Tensor, the function does not do the same each time, or
            the graph and the function disagree at other sizes. The message names the user's line.
    """
    call = _Call(function, args)
    axes = dynamic or {}
    sizes = _sizes(axes, call.leaves)
    symbols = list(sizes)
    sizes_of_runs = [sizes, *({**sizes, s: n + 5} for s, n in sizes.items())]
    if not symbols:
        sizes_of_runs.append(sizes)
    runs = [_hollowed(call.run(n, axes, seed)) for seed, n in enumerate(sizes_of_runs)]
    graph, draws = lower(runs, symbols, axes)
    _prove(graph, call.run({s: n + 7 for s, n in sizes.items()}, axes, len(runs)))
    names = {name: value.name for name, value in zip(runs[0].outputs, graph.outputs, strict=True)}
    return Captured(
        graph,
        tuple(call.leaves),
        tuple(new for name, new in names.items() if name not in runs[0].values),
        {name: new for name, new in names.items() if name in runs[0].values},
        draws,
    )


def draw(
    distribution: str,
    shape: tuple[int, ...],
    dtype: Any,
    sample: Callable[[np.random.Generator], Array],
) -> Tensor | None:
    """While capturing, make a random draw an input of the graph.

    Args:
        distribution: The name under which it is drawn again for each run.
        shape: The shape of the draw.
        dtype: Its dtype.
        sample: Makes the array with a given generator.

    Returns:
        The Tensor that stands for the draw, or `None` when nothing is being captured.
    """
    trace = _running.get()
    if trace is None:
        return None
    name = f"random.{len(trace.draws)}"
    trace.draws.append(Draw(name, distribution, np.dtype(dtype), tuple(shape)))
    trace.values[name] = np.asarray(sample(trace.generator), dtype)
    return _leaf(trace, name, tracked=False)


class _Call:
    """A function and its arguments, to be run with other values in place of the Tensors."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.function = function
        self.args = dict(zip(_parameter_names(function, len(args)), args, strict=True))
        self.leaves: dict[str, Tensor] = {}
        for name, arg in self.args.items():
            found = arg.named_tensors() if isinstance(arg, Stateful) else _tensors(arg, name)
            twice = found.keys() & self.leaves.keys()
            if twice:
                raise CaptureError(f"Two arguments have Tensors of the same name: {sorted(twice)}.")
            self.leaves |= found

    def run(self, sizes: dict[str, int], axes: Axes, seed: int) -> Trace:
        """Run once, captured; with seed 0 with the given values, else with others."""
        values = {
            name: _variation(
                tensor._data, [(i, sizes[s]) for i, s in axes.get(name, {}).items()], seed
            )
            for name, tensor in self.leaves.items()
        }
        trace = Trace(values, sizes, np.random.default_rng(seed))
        stand_ins = {
            name: _leaf(trace, name, tensor.requires_grad) for name, tensor in self.leaves.items()
        }
        modules = [arg for arg in self.args.values() if isinstance(arg, Stateful)]
        owned = [module.named_tensors() for module in modules]
        token = _running.set(trace)
        try:
            for module, tensors in zip(modules, owned, strict=True):
                module.assign({name: stand_ins[name] for name in tensors})
            args = [_substituted(arg, name, stand_ins) for name, arg in self.args.items()]
            with mode(capture=True, grad=True):
                result = self.function(*args)
            trace.outputs = _tensors(result, "" if isinstance(result, Mapping) else "output")
            for module in modules:
                now = module.named_tensors()
                trace.outputs |= {n: t for n, t in now.items() if t is not stand_ins[n]}
            _forget_computed(trace)
        finally:
            _running.reset(token)
            for module, tensors in zip(modules, owned, strict=True):
                module.assign(tensors)
        return trace


def _forget_computed(trace: Trace) -> None:
    """Keep the constants; of all that was computed on the way shape and dtype will do."""
    for node in collect(trace):
        node.values = tuple(
            value if parent is None else Spec(value.shape, value.dtype)
            for value, parent in zip(node.values, node.parents, strict=True)
        )
        node.results = tuple(Spec(y.shape, y.dtype) for y in node.results)


def _hollowed(trace: Trace) -> Trace:
    """The same run, of whose inputs and outputs only shape and dtype are left."""
    trace.values = {name: _hollow(array) for name, array in trace.values.items()}
    trace.outputs = {
        name: y if y._node is None else wrap(_hollow(y._data), y._node, y._index)
        for name, y in trace.outputs.items()
    }
    return trace


def _hollow(array: Array) -> Array:
    """An array of that shape and dtype that takes no memory."""
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def _leaf(trace: Trace, name: str, tracked: bool) -> Tensor:
    node = Node(tracked=tracked)
    trace.leaves[node] = name
    return wrap(trace.values[name], node)


def _parameter_names(function: Callable[..., Any], count: int) -> list[str]:
    parameters = [
        p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY
    ]
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL][:count]
    return names + [f"{parameters[-1].name}.{i}" for i in range(count - len(names))]


def _tensors(value: Any, prefix: str) -> dict[str, Tensor]:
    return {
        name: leaf for name, leaf in tree.named_leaves(value, prefix) if isinstance(leaf, Tensor)
    }


def _substituted(arg: Any, name: str, stand_ins: dict[str, Tensor]) -> Any:
    if isinstance(arg, Stateful):
        return arg
    return tree.map_named(
        lambda path, leaf: stand_ins.get(f"{name}.{path}" if path else name, leaf), arg
    )


def _sizes(axes: Axes, leaves: dict[str, Tensor]) -> dict[str, int]:
    """The size of each symbol: as given, but not 1, which broadcasts."""
    sizes: dict[str, int] = {}
    for name, symbols in axes.items():
        if name not in leaves:
            raise CaptureError(
                f"dynamic names {name!r}, which is no Tensor of the arguments; these are: {[*leaves]}."
            )
        for axis, symbol in symbols.items():
            if not -leaves[name].ndim <= axis < leaves[name].ndim:
                raise CaptureError(f"dynamic: {name} is {describe(leaves[name])}; no axis {axis}.")
            size = leaves[name].shape[axis]
            if sizes.setdefault(symbol, size) != size:
                raise CaptureError(
                    f"dynamic: {symbol!r} is {sizes[symbol]} in one Tensor and {size} in {name}."
                )
    return {symbol: max(size, 2) for symbol, size in sizes.items()}


def _variation(array: Array, sizes: list[tuple[int, int]], seed: int) -> Array:
    """Other rows, and other values of the same kind, at other sizes."""
    for axis, size in sizes:
        array = np.take(array, (np.arange(size) + seed) % array.shape[axis], axis=axis)
    if seed == 0 or array.dtype == object or not array.size:
        return array
    generator = np.random.default_rng(seed)
    if is_float(array.dtype):
        noise = generator.uniform(0.01, 0.1, array.shape)
        varied = np.where(array == 0, 0.01 * noise, array * (1 + noise))
        return np.asarray(varied, array.dtype)
    if array.ndim == 0 and array.dtype != np.bool_:
        return np.asarray(array + seed, array.dtype)
    return np.roll(array, seed)


def _prove(graph: Graph, run: Trace) -> None:
    """Run the graph where it has not been made, against what the function gave there."""
    results = interpret(graph, run.values)
    for (name, expected), found in zip(run.outputs.items(), results, strict=True):
        a, b = expected._data, found._data
        close = a.shape == b.shape and (
            bool(np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True))
            if is_float(a.dtype) and a.dtype.itemsize > 2
            else a.dtype == b.dtype and (is_float(a.dtype) or np.array_equal(a, b))
        )
        if not close:
            raise CaptureError(
                f"The captured graph and the function disagree on {name!r} at the sizes {run.sizes}: "
                f"{describe(a)} and {describe(b)}. A size or a value is hidden in a constant; pass it "
                "as an argument or compute it with operators."
            )
