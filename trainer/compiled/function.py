"""Any function of Tensors as a graph in ONNX Runtime, captured again when its arguments change in kind."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from trainer import random
from trainer.compiled.passes import optimize
from trainer.compiled.session import failure, session
from trainer.core import tree
from trainer.core.graph import frozen
from trainer.core.lowering import Axes
from trainer.core.mode import capturing, current
from trainer.core.node import Node, Spec
from trainer.core.op import Op
from trainer.core.tensor import Tensor, wrap
from trainer.core.trace import Stateful, capture
from trainer.nn.module import Module


def compile(function: Callable[..., Any], dynamic: Axes | None = None) -> Callable[..., Any]:
    """Make a function that runs as one ONNX graph in ONNX Runtime.

    It is captured at the first call, and again when dtypes, shapes or settings differ from every call
    before. Parameters of a Module are inputs of the graph: they may change between calls. Compile the
    gradient of a function (`compile(value_and_grad(f))`); through a compiled function no gradient flows.
    Within `grad` of one of its arguments and while something else is captured, the function itself runs.

    Example:
        >>> from trainer.ops import tanh
        >>> fast = compile(lambda x: tanh(x) * 2.0)
        >>> fast(Tensor([0.0, 1.0]))
        Tensor([0.      , 1.523...])

    Args:
        function: Takes trees of Tensors and Modules; anything else is a setting. Returns a tree.
        dynamic: Per Tensor the axes whose size may vary without another capture, with a symbol each:
            `{"x": {0: "batch"}}`, as in `trainer.capture`. Defaults to none.

    Returns:
        A function of the same positional arguments.

    Raises:
        CaptureError: From a call: a value leaked out of a Tensor, or ONNX Runtime cannot run an
            operator. The message names the line and the reason.
    """
    axes = dynamic or {}
    names = [p.name for p in inspect.signature(function).parameters.values()]
    known: dict[Any, _Compiled] = {}

    @functools.wraps(function)
    def compiled(*args: Any) -> Any:
        tensors = [tensor for arg in args for tensor in _tensors(arg)]
        if capturing() or any(map(_is_being_differentiated, tensors)):
            return function(*args)
        key = _signature(args, names, axes)
        if key not in known:
            known[key] = _Compiled(function, args, axes)
        return known[key](args, tensors)

    return compiled


class _Compiled:
    """The graph of a function for one kind of arguments."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], axes: Axes) -> None:
        results = []

        @functools.wraps(function)
        def remembered(*args: Any) -> Any:
            results.append(function(*args))
            return results[-1]

        captured = capture(remembered, *args, dynamic=axes)
        prefix = "" if isinstance(results[0], dict) else "output"
        self.form = tree.map_named(
            lambda path, leaf: (
                _Place(".".join(filter(None, (prefix, path)))) if isinstance(leaf, Tensor) else leaf
            ),
            results[0],
        )
        self.inputs, self.draws = captured.inputs, captured.draws
        self.outputs = {name: name for name in captured.outputs} | captured.state
        self.sizes = {
            symbol: (captured.inputs.index(name), axis)
            for name, symbols in axes.items()
            for axis, symbol in symbols.items()
        }
        self.op = Op(f"compiled {function.__name__}", function)
        self.graph = optimize(captured.graph)
        self.session = session(self.graph)

    def __call__(self, args: tuple[Any, ...], tensors: list[Tensor]) -> Any:
        feeds = {name: t._data for name, t in zip(self.inputs, tensors, strict=True)}
        sizes = {symbol: tensors[i].shape[axis] for symbol, (i, axis) in self.sizes.items()}
        for drawn in self.draws:
            shape = tuple(n if isinstance(n, int) else n.at(sizes) for n in drawn.shape)
            feeds[drawn.name] = random.sample(drawn.distribution, shape, drawn.dtype)
        try:
            arrays = self.session.run(list(self.outputs.values()), feeds)
        except Exception as error:  # what the runtime raises has no base class of its own
            raise failure(self.graph, error) from error
        node = self._node(tensors)
        made = {name: wrap(a, node) for name, a in zip(self.outputs, arrays, strict=True)}
        for arg in args:
            if isinstance(arg, Stateful):
                changed = arg.named_tensors().keys() & self.outputs.keys()
                arg.assign({name: made[name].detach() for name in changed})
        return tree.map_tree(
            lambda leaf: made[leaf.name] if isinstance(leaf, _Place) else leaf, self.form
        )

    def _node(self, tensors: list[Tensor]) -> Node | None:
        """What makes a gradient through the result an error instead of zero."""
        tracked = [t for t in tensors if t.requires_grad]
        if not tracked or not current.get().grad:
            return None
        parents = tuple((t._node, t._index) for t in tracked if t._node is not None)
        values = tuple(Spec(t.shape, t.dtype) for t in tracked)
        return Node(self.op, parents, values, values[:1])


class _Place:
    """Where a result stands in the tree that the function returns."""

    def __init__(self, name: str) -> None:
        self.name = name


def _signature(args: tuple[Any, ...], names: list[str], axes: Axes) -> Any:
    """What decides whether a graph fits: dtypes, sizes that are not dynamic, settings, modes."""
    parts: list[Any] = []
    for name, arg in zip(names, args, strict=False):
        if isinstance(arg, Stateful):
            modes = tuple(m.training for _, m in arg.modules()) if isinstance(arg, Module) else ()
            parts += [id(arg), modes]
            leaves: Iterable[tuple[str, Any]] = arg.named_tensors().items()
        else:
            leaves = tree.named_leaves(arg, name)
        for path, leaf in leaves:
            if isinstance(leaf, Tensor):
                free = axes.get(path, {})
                sizes = tuple(None if i in free else n for i, n in enumerate(leaf.shape))
                parts.append((path, leaf.dtype, sizes, leaf.requires_grad))
            else:
                parts.append((path, type(leaf), frozen(leaf)))
    return tuple(parts)


def _tensors(arg: Any) -> list[Tensor]:
    if isinstance(arg, Stateful):
        return list(arg.named_tensors().values())
    return [leaf for leaf in tree.leaves(arg) if isinstance(leaf, Tensor)]


def _is_being_differentiated(tensor: Tensor) -> bool:
    node = tensor._node
    return node is not None and node.op is not None and node.tracked and current.get().grad
