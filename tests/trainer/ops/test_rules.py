"""Gradient rules are written in operators, and fit the kernels they belong to."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import trainer.ops
from tests.trainer.ops.case import operators
from trainer.core.op import Op

FILES = sorted(Path(trainer.ops.__path__[0]).glob("*.py"))
WITH_RULE = [op for op in operators() if op.rule is not None]

# What a Tensor answers without its values.
KNOWN_WITHOUT_VALUES = {"shape", "ndim", "dtype", "size"}
VALUES = {"data", "_data", "numpy", "__array__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rules_compute_with_operators_only(path: Path) -> None:
    functions = {
        node.name: node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    complaints = [
        f"{path.name}:{line}: {what}"
        for function in rules_and_helpers(functions)
        for line, what in values_read(function)
    ]
    assert not complaints


def rules_and_helpers(functions: dict[str, ast.FunctionDef]) -> list[ast.FunctionDef]:
    """The rules, and the private functions that nothing but rules call."""
    found = {name for name, node in functions.items() if decorated(node, "vjp")}
    callers: dict[str, set[str]] = {name: set() for name in functions}
    for name, node in functions.items():
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id in callers and inner.id != name:
                callers[inner.id].add(name)
    while True:
        more = {
            name
            for name, by in callers.items()
            if name.startswith("_") and by and by <= found and name not in found
        }
        if not more:
            return [functions[name] for name in sorted(found)]
        found |= more


def decorated(function: ast.FunctionDef, name: str) -> bool:
    return any(
        isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id == name
        for d in function.decorator_list
    )


def values_read(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Where a function takes the values out of a Tensor or gives one to numpy."""
    arguments = function.args
    tensors = {a.arg for a in [*arguments.posonlyargs, *arguments.args]}
    if arguments.vararg:
        tensors.add(arguments.vararg.arg)
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in VALUES:
            yield node.lineno, f".{node.attr} in {function.name}"
        if isinstance(node, ast.Call) and root(node.func) in ("np", "special", "scipy"):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if decorated(function, "vjp") and any(mentions(value, tensors) for value in given):
                yield node.lineno, f"numpy on a Tensor in {function.name}"


def root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def mentions(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression reads one of these, other than its shape and dtype."""
    if isinstance(node, ast.Attribute) and node.attr in KNOWN_WITHOUT_VALUES:
        return False
    if isinstance(node, ast.Call) and root(node.func) == "len":
        return False
    if isinstance(node, ast.Name):
        return node.id in names
    return any(mentions(child, names) for child in ast.iter_child_nodes(node))


@pytest.mark.parametrize("op", WITH_RULE, ids=repr)
def test_rule_takes_what_the_kernel_takes(op: Op) -> None:
    assert op.rule is not None
    kernel = inspect.signature(op.kernel).parameters.values()
    rule = inspect.signature(op.rule)
    positional = [p for p in kernel if p.kind is not p.KEYWORD_ONLY]
    required = [p for p in positional if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    named = dict.fromkeys(op.rule_attrs or ())
    assert set(named) <= set(op.defaults)
    most = len(positional) + 2 * op.variadic
    for count in range(len(required), most + 1):
        rule.bind("g", "y", *range(count), **named)
    if not op.variadic:
        with pytest.raises(TypeError, match="too many"):
            rule.bind("g", "y", *range(most + 1), **named)
