"""Reverse mode over recorded nodes. Rules are written in operators, so backward is more forward."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from trainer.core import tensor as tensor_module
from trainer.core import tree
from trainer.core.dtypes import describe, is_float
from trainer.core.errors import GradientError
from trainer.core.mode import capturing, current, location, mode
from trainer.core.node import Node, Spec
from trainer.core.op import find
from trainer.core.tensor import Tensor, apply, source, wrap

Link = tuple[Node, int]

_depth: ContextVar[int] = ContextVar("trainer_gradient_depth", default=0)


def value_and_grad(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Make a function that returns the value of `function` and its gradient by the first argument.

    Example:
        >>> x = Tensor([1.0, 3.0])
        >>> value_and_grad(lambda x: (x * x).sum())(x)
        (Tensor(10.), Tensor([2., 6.]))

    Args:
        function: Takes a tree first (a Module is the tree of its trainable parameters) and returns a
            scalar Tensor, or a tuple whose first item is that scalar.

    Returns:
        A function of the same arguments that returns what `function` returns and the tree of
        gradients, zero where the value does not depend on a leaf.

    Raises:
        GradientError: The value is not a floating point scalar, or an operator has no gradient.
    """

    def differentiated(first: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        watched = first if isinstance(first, tree.Container) else tree.map_tree(watch, first)
        leaves = tree.leaves(watched)
        depth = _depth.get()
        token = _depth.set(depth + 1)
        try:
            with mode(grad=True):
                value = function(watched, *args, **kwargs)
                loss = value[0] if isinstance(value, tuple) else value
                _check_scalar(loss)
                links = [_link(leaf) for leaf in leaves]
                further = depth > 0 or _reaches_others(loss, links)
                gradients = walk([loss], [_ones(loss)], links, record=further)
        finally:
            _depth.reset(token)
        return value, _fill(first, leaves, gradients)

    return differentiated


def grad(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that returns the gradient of `function` by its first argument.

    Example:
        >>> cube = lambda x: x * x * x
        >>> grad(grad(cube))(Tensor(2.0))
        Tensor(12.)
    """

    def differentiated(*args: Any, **kwargs: Any) -> Any:
        return value_and_grad(function)(*args, **kwargs)[1]

    return differentiated


def jvp(function: Callable[..., Any], x: Any, v: Any) -> tuple[Any, Any]:
    """The value of `function` at `x` and its derivative in the direction `v`: forward mode.

    Two reverse passes: the product u J is linear in a dummy u, so J v is the gradient of <u J, v>
    with respect to u, and no operator needs a forward rule.

    Example:
        >>> jvp(lambda x: x * x, Tensor([1.0, 3.0]), Tensor([1.0, 0.5]))
        (Tensor([1., 9.]), Tensor([2., 3.]))

    Args:
        function: From a tree of Tensors to a tree of Tensors.
        x: Where; any tree.
        v: The direction; a tree of the same form.
    """
    watched = tree.map_tree(watch, x)
    inputs = tree.leaves(watched)
    with mode(grad=True):
        y = function(watched)
        outputs = tree.leaves(y)
        dummies = [watch(_zeros(leaf)) for leaf in outputs]
        products = walk(outputs, dummies, [_link(leaf) for leaf in inputs], record=True)
        terms = [
            (g * direction).sum()
            for g, direction in zip(products, tree.leaves(v), strict=True)
            if g is not None
        ]
        tangents: list[Tensor | None] = [None] * len(dummies)
        if terms:
            inner = functools.reduce(operator.add, terms)
            tangents = walk([inner], [_ones(inner)], [_link(u) for u in dummies], record=True)
    return y, _fill(y, dummies, tangents)


def differentiating_once() -> bool:
    """Whether a function runs whose gradient follows, and nobody asks for the gradient of that."""
    return _depth.get() == 1 and current.get().grad


def watch(x: Tensor) -> Tensor:
    """The same value, from here on a place that gradients can be asked for."""
    if not is_float(x.dtype):
        raise GradientError(
            f"There is no gradient with respect to {describe(x)}: it is not floating point."
        )
    spec = Spec(x.shape, x.dtype)
    value = x._data if capturing() else spec
    return wrap(x._data, Node(find("Identity"), (source(x),), (value,), (spec,)))


def walk(
    outputs: list[Tensor], seeds: list[Tensor], asked: list[Link], record: bool
) -> list[Tensor | None]:
    """Go back from `outputs` and collect the gradients at `asked`.

    Args:
        outputs: Where to start.
        seeds: The gradient of each output.
        asked: Nodes and output indices. Nothing behind them is visited.
        record: Whether the gradients will be differentiated again.

    Returns:
        Per place asked for a gradient, or `None` where no path leads to it.
    """
    gradients: dict[Link, Tensor] = {}
    for y, seed in zip(outputs, seeds, strict=True):
        if y._node is not None:
            _add(gradients, (y._node, y._index), seed)
    stops = {node for node, _ in asked}
    nodes = _between([y._node for y in outputs if y._node is not None], stops)
    useful = set(nodes)
    with mode(grad=record):
        while nodes:
            node = nodes.pop()
            if node not in stops and node.line is not None:
                with mode(origin=node.line):
                    _go_back(node, useful, gradients, record or capturing())
            elif node not in stops:
                _go_back(node, useful, gradients, record or capturing())
    return [gradients.get(link) for link in asked]


def _between(starts: list[Node], stops: set[Node]) -> list[Node]:
    """The nodes on a path from the starts to a stop, parents first."""
    useful = set(stops)
    order = _reachable(starts, stops)
    for node in order:
        if any(parent is not None and parent[0] in useful for parent in node.parents):
            useful.add(node)
    return [node for node in order if node in useful]


def _reachable(starts: list[Node], stops: set[Node]) -> list[Node]:
    """The tracked nodes that the starts depend on, parents first; nothing behind a stop."""
    found = {node for node in starts if node.tracked}
    stack = list(found)
    while stack:
        node = stack.pop()
        if node in stops:
            continue
        for parent in node.parents:
            if parent is not None and parent[0].tracked and parent[0] not in found:
                found.add(parent[0])
                stack.append(parent[0])
    return sorted(found, key=lambda node: node.order)


def _reaches_others(y: Tensor, links: list[Link]) -> bool:
    """Whether something tracked lies beyond what is asked for: an outer derivative may follow."""
    stops = {node for node, _ in links}
    if any(p is not None and p[0].tracked for node in stops for p in node.parents):
        return True
    starts = [] if y._node is None else [y._node]
    return any(node.op is None and node not in stops for node in _reachable(starts, stops))


def _go_back(node: Node, useful: set[Node], gradients: dict[Link, Tensor], linked: bool) -> None:
    """Run one node's gradient rule and add what it gives to the gradients of its parents."""
    outputs = [gradients.pop((node, index), None) for index in range(len(node.results))]
    if node.op is None or all(g is None for g in outputs):
        return
    op = node.op
    if op.rule is None:
        raise GradientError(
            f"{op.name} ({location(node.line)}) has no gradient rule. Put detach() before it if no "
            "gradient should flow, or add a rule with @vjp."
        )
    inputs = [
        wrap(value, *(parent if parent and linked else ()))
        if isinstance(value, np.ndarray)
        else value
        for value, parent in zip(node.values, node.parents, strict=True)
    ]
    results = [
        wrap(y, node if linked else None, index) if isinstance(y, np.ndarray) else y
        for index, y in enumerate(node.results)
    ]
    if not op.variadic:
        inputs += [None] * (len(op.types) - len(inputs))
    attrs = op.attributes_for_rule(node.attrs)
    if op.several:
        given = op.rule(tuple(outputs), tuple(results), *inputs, **attrs)
    else:
        given = op.rule(outputs[0], results[0], *inputs, **attrs)
    given = given if isinstance(given, tuple | list) else (given,)
    for value, parent, g in zip(node.values, node.parents, given, strict=False):
        if parent is not None and parent[0] in useful and g is not None:
            made = g if isinstance(g, Tensor) else g()
            if made is not None:
                _add(gradients, parent, _unbroadcast(made, value, op.name))


def _add(gradients: dict[Link, Tensor], link: Link, g: Tensor) -> None:
    before = gradients.get(link)
    gradients[link] = g if before is None else before + g


def _unbroadcast(g: Tensor, value: Any, name: str) -> Tensor:
    """Sum over the axes along which an input was broadcast."""
    if g.shape == value.shape:
        return g
    extra = g.ndim - len(value.shape)
    axes = [*range(extra)]
    axes += [extra + i for i, size in enumerate(value.shape) if size == 1 != g.shape[extra + i]]
    if extra < 0 or not axes:
        raise GradientError(
            f"The gradient rule of {name} made {describe(g)} for an input {describe(value)}."
        )
    summed: Tensor = apply("ReduceSum", g, np.asarray(axes, np.int64), keepdims=1)
    return summed if not extra else apply("Squeeze", summed, np.arange(extra, dtype=np.int64))


def _backward(loss: Tensor) -> None:
    _check_scalar(loss)
    if loss._node is None or not loss._node.tracked:
        raise GradientError(
            "backward(): nothing this value depends on requires a gradient. Make the parameters with "
            "Tensor(..., requires_grad=True) or in a Module, and do not run under no_grad()."
        )
    leaves = [node for node in _reachable([loss._node], set()) if node.op is None]
    gradients = walk([loss], [_ones(loss)], [(node, 0) for node in leaves], record=False)
    for node, g in zip(leaves, gradients, strict=True):
        tensor = None if node.tensor is None else node.tensor()
        if tensor is not None and g is not None:
            tensor.grad = g if tensor.grad is None else wrap(tensor.grad._data + g._data)


def _link(x: Tensor) -> Link:
    if x._node is None:
        raise GradientError(f"{describe(x)} does not require a gradient.")
    return x._node, x._index


def _check_scalar(loss: Any) -> None:
    if not isinstance(loss, Tensor) or loss.size != 1 or not is_float(loss.dtype):
        given = describe(loss) if isinstance(loss, Tensor) else type(loss).__name__
        raise GradientError(
            f"A gradient starts from one floating point number, the loss; this is {given}. "
            "Reduce it with .mean() or .sum()."
        )


def _fill(form: Any, places: list[Tensor], gradients: list[Tensor | None]) -> Any:
    """A tree of that form holding the gradients; one that is absent is zero."""
    made = iter(_zeros(x) if g is None else g for x, g in zip(places, gradients, strict=True))
    return tree.map_tree(lambda _: next(made), form)


def _ones(x: Tensor) -> Tensor:
    return _filled(x, 1)


def _zeros(x: Tensor) -> Tensor:
    return _filled(x, 0)


def _filled(x: Tensor, value: int) -> Tensor:
    """One number in the shape of x; while capturing by operators, for the shape may be dynamic."""
    if not capturing():
        return wrap(np.full(x.shape, value, x.dtype))
    return apply("Expand", x.dtype.type(value), apply("Shape", x))


tensor_module.backward_hook = _backward
