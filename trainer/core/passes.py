"""Rewrites that every graph can go through, written or run; each returns one that computes the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trainer.core.graph import Equation, Graph, Value, reads


def without_identities(graph: Graph) -> Graph:
    """No operator passes a value on unchanged, except from an input or a constant to an output."""
    outputs = {value.name for value in graph.outputs}
    produced = {name for equation in graph.equations for name in equation.outputs}
    names: dict[str, str] = {}
    kept = []
    for equation in graph.equations:
        if equation.op != "Identity":
            kept.append(equation)
            continue
        source, result = equation.inputs[0], equation.outputs[0]
        source = names.get(source, source)
        if result not in outputs:
            names[result] = source
        elif source in produced and source not in outputs:
            names[source] = result
        else:
            kept.append(equation)
    return replaced(replace(graph, equations=tuple(kept)), names)


def without_dead_ends(graph: Graph) -> Graph:
    """Only operators and constants that an output depends on."""
    needed = {value.name for value in graph.outputs}
    kept: list[Equation] = []
    for equation in reversed(graph.equations):
        if needed.intersection(equation.outputs):
            kept.append(equation)
            needed.update(reads(equation))
    constants = {name: array for name, array in graph.constants.items() if name in needed}
    return replace(graph, equations=tuple(reversed(kept)), constants=constants)


def renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The same graph with other names, in subgraphs, too."""

    def of(name: str) -> str:
        return names.get(name, name)

    def value(old: Value) -> Value:
        return replace(old, name=of(old.name))

    def attribute(old: Any) -> Any:
        return renamed(old, names) if isinstance(old, Graph) else old

    return replace(
        graph,
        inputs=tuple(map(value, graph.inputs)),
        outputs=tuple(map(value, graph.outputs)),
        equations=tuple(
            replace(
                equation,
                inputs=tuple(map(of, equation.inputs)),
                outputs=tuple(map(of, equation.outputs)),
                attrs={key: attribute(a) for key, a in equation.attrs.items()},
            )
            for equation in graph.equations
        ),
        constants={of(name): array for name, array in graph.constants.items()},
    )


def replaced(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The same graph with other names, each of which may have another in its turn."""

    def last(name: str) -> str:
        while name in names:
            name = names[name]
        return name

    return renamed(graph, {name: last(name) for name in names}) if names else graph
