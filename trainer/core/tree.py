"""Trees of Tensors: nested dicts, lists, tuples and Modules whose leaves have one dotted name each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trainer.core.errors import TreeError

Tree = Any


class Container:
    """Base of classes that are trees of their own, as a Module is one of its trainable parameters."""

    def tree_children(self) -> dict[str, Any]:
        """The children by name, in a fixed order; every such class defines its own."""
        raise TreeError(f"{type(self).__name__} does not define tree_children(self).")


def children(tree: Tree) -> dict[str, Any] | None:
    """The children of a branch by name, or `None` for a leaf."""
    if isinstance(tree, Mapping):
        return {str(key): value for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return {str(index): value for index, value in enumerate(tree)}
    if isinstance(tree, Container):
        return tree.tree_children()
    return None


def replace(tree: Tree, new: dict[str, Any]) -> Tree:
    """The same branch with other children, in the same order; a Module becomes a plain dict."""
    values = list(new.values())
    if isinstance(tree, Mapping):
        return dict(zip(tree, values, strict=True))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*values)
    if isinstance(tree, list | tuple):
        return type(tree)(values)
    return new


def named_leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its dotted name, in order.

    Example:
        >>> list(named_leaves({"a": [1, 2], "b": 3}))
        [('a.0', 1), ('a.1', 2), ('b', 3)]
    """
    below = children(tree)
    if below is None:
        yield prefix, tree
        return
    for name, child in below.items():
        yield from named_leaves(child, f"{prefix}.{name}" if prefix else name)


def leaves(tree: Tree) -> list[Any]:
    """Every leaf, in order."""
    return [leaf for _, leaf in named_leaves(tree)]


def map_tree(function: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """A tree of the same form whose leaves are `function(leaf, *leaves of the others)`.

    Raises:
        TreeError: The trees do not have the same names.

    Example:
        >>> map_tree(lambda a, b: a + b, {"w": 1, "b": [2]}, {"w": 10, "b": [20]})
        {'w': 11, 'b': [22]}
    """
    return _map(function, "", tree, rest)


def map_named(function: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """Like `map_tree`, but the function is given the leaf's dotted name first."""
    return _map(function, "", tree, rest, named=True)


def _map(
    function: Callable[..., Any], path: str, tree: Tree, rest: tuple[Tree, ...], named: bool = False
) -> Tree:
    below = children(tree)
    if below is None:
        return function(path, tree, *rest) if named else function(tree, *rest)
    others = [children(other) or {} for other in rest]
    for other in others:
        if other.keys() != below.keys():
            where = f" at {path!r}" if path else ""
            raise TreeError(
                f"Two trees differ{where}: {sorted(below)} in one, {sorted(other)} in the other."
            )
    return replace(
        tree,
        {
            name: _map(
                function,
                f"{path}.{name}" if path else name,
                child,
                tuple(other[name] for other in others),
                named,
            )
            for name, child in below.items()
        },
    )
