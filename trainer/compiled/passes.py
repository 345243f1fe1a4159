"""What a captured graph goes through before ONNX Runtime sees it: nothing twice, nothing in vain.

A pass is a function from Graph to Graph whose docstring is its specification. None changes a value; the
patterns of training that are written shorter stand in `trainer.compiled.patterns`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from trainer.compiled import patterns
from trainer.compiled.facts import Facts
from trainer.core.dtypes import from_code
from trainer.core.errors import OperatorError
from trainer.core.graph import Equation, Graph, frozen
from trainer.core.passes import replaced, without_dead_ends
from trainer.core.tensor import Array, apply, wrap

# The same inputs give other outputs: never folded and never shared.
_RANDOM = {
    "Bernoulli",
    "Dropout",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
_LARGEST_FOLDED = 1 << 22  # elements; a larger constant is made in each run rather than stored
_NEUTRAL = {"Mul": 1, "Div": 1, "Add": 0, "Sub": 0}


def optimize(graph: Graph) -> Graph:
    """All passes in order, until nothing changes.

    A subgraph stays as it is, and what it reads of the graph around it is there.
    """
    before = -1
    while before != len(graph.equations):
        before = len(graph.equations)
        for one in PASSES:
            graph = one(graph)
    return graph


def fold_constants(graph: Graph) -> Graph:
    """Operators on constants run now, by the eager kernels, and so does Shape of a known shape."""
    facts = Facts(graph)
    constants, kept = dict(graph.constants), []
    for equation in graph.equations:
        fixed = all(name in constants or not name for name in equation.inputs)
        made = None
        if equation.op == "Shape" and facts.shape(equation.inputs[0]) is not None:
            made = _shape(facts, equation)
        elif fixed and not _own(equation) and not facts.results & {*equation.outputs}:
            made = _run(equation, [constants.get(name) for name in equation.inputs])
        if made is None:
            kept.append(equation)
        else:
            constants |= made
    return replace(graph, equations=tuple(kept), constants=constants)


def _own(equation: Equation) -> bool:
    """Whether more than its inputs decides on its outputs: chance, or what a subgraph reads."""
    has_subgraph = any(isinstance(value, Graph) for value in equation.attrs.values())
    return equation.op in _RANDOM or has_subgraph


def _shape(facts: Facts, equation: Equation) -> dict[str, Array] | None:
    """The result of Shape, where it is no output of the graph."""
    if equation.outputs[0] in facts.results:
        return None
    sizes = facts.shape(equation.inputs[0]) or ()
    chosen = sizes[equation.attrs.get("start", 0) : equation.attrs.get("end")]
    return {equation.outputs[0]: np.array(chosen, np.int64)}


def _run(equation: Equation, inputs: list[Array | None]) -> dict[str, Array] | None:
    extra = {"outputs": len(equation.outputs)} if len(equation.outputs) > 1 else {}
    arguments = [None if array is None else wrap(array) for array in inputs]
    try:
        made = apply(equation.op, *arguments, **extra, **equation.attrs)
    except OperatorError:  # it may never be reached; ONNX Runtime shall say what is wrong
        return None
    arrays = [tensor.numpy() for tensor in (made if isinstance(made, tuple) else (made,))]
    small = sum(array.size for array in arrays) <= _LARGEST_FOLDED
    return dict(zip(equation.outputs, arrays, strict=False)) if small else None


def share_constants(graph: Graph) -> Graph:
    """Constants of one dtype, shape and content become one."""
    first: dict[object, str] = {}
    names = {name: first.setdefault(frozen(a), name) for name, a in graph.constants.items()}
    return replaced(graph, {old: new for old, new in names.items() if old != new})


def share_subexpressions(graph: Graph) -> Graph:
    """What was already computed from the same inputs with the same attributes is not computed again."""
    results = Facts(graph).results
    names: dict[str, str] = {}
    first: dict[object, Equation] = {}
    kept = []
    for equation in graph.equations:
        inputs = tuple(names.get(name, name) for name in equation.inputs)
        attrs = tuple(sorted((key, frozen(value)) for key, value in equation.attrs.items()))
        key = (equation.op, equation.domain, inputs, attrs, len(equation.outputs))
        own = _own(equation) or results & {*equation.outputs}
        same = equation if own else first.setdefault(key, equation)
        if same is equation:
            kept.append(equation)
        else:
            names |= zip(equation.outputs, same.outputs, strict=True)
    return replaced(replace(graph, equations=tuple(kept)), names)


def drop_no_ops(graph: Graph) -> Graph:
    """Whoever reads what an operator passed on unchanged reads the operator's input.

    These are Identity; Cast to the same dtype; Reshape, Expand, Squeeze, Unsqueeze and Transpose that
    change nothing; Mul and Div by 1, Add and Sub of 0, where nothing is broadcast.
    """
    facts = Facts(graph)
    names: dict[str, str] = {}
    kept = []
    for equation in graph.equations:
        if equation.outputs[0] in facts.results or not _changes_nothing(facts, equation):
            kept.append(equation)
        else:
            names[equation.outputs[0]] = equation.inputs[0]
    return replaced(replace(graph, equations=tuple(kept)), names)


def _changes_nothing(facts: Facts, equation: Equation) -> bool:
    op = equation.op
    if op == "Identity":
        return True
    if not equation.inputs or len(equation.outputs) > 1:
        return False
    source, result = equation.inputs[0], equation.outputs[0]
    if op == "Cast":
        dtype, to = facts.dtype(source), equation.attrs["to"]
        # To numpy None is float64.
        return dtype is not None and dtype == (from_code(to) if isinstance(to, int) else to)
    if op == "Transpose":
        perm = equation.attrs.get("perm")
        return perm is not None and list(perm) == sorted(perm)
    shape = facts.shape(source)
    if shape is None or shape != facts.shape(result):
        return False
    if op in _NEUTRAL:
        return facts.is_filled(equation.inputs[1], _NEUTRAL[op])
    return op in ("Reshape", "Expand", "Squeeze", "Unsqueeze")


PASSES: tuple[Callable[[Graph], Graph], ...] = (
    fold_constants,
    share_constants,
    share_subexpressions,
    drop_no_ops,
    *patterns.PATTERNS,
    without_dead_ends,
)
