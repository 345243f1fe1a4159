"""Operators without a kernel of their own: run as what ONNX says they are made of, or by onnx's kernels.

An operator that ONNX defines as a function of other operators runs through that function, forward and
backward. Any other runs through the reference kernels of the `onnx` package, which are complete and
slow; a gradient through it is an error. Importing this module makes `find` know them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import RuntimeImplementationError

from trainer.core import op as op_module
from trainer.core.dtypes import describe, is_float
from trainer.core.errors import OperatorError
from trainer.core.graph import Equation, Graph, Value, frozen, interpret
from trainer.core.mode import current, mode
from trainer.core.op import Op
from trainer.core.proto import OPSET, from_model, to_model
from trainer.core.tape import walk, watch

Schema: TypeAlias = Any  # onnx.defs.OpSchema, whose stubs do not know function bodies


def lookup(name: str) -> Op | None:
    """Make an operator of what the `onnx` package has, or `None` if it has nothing of that name.

    Example:
        >>> lookup("Scaler"), lookup("NoSuchOperator")
        (Op(Scaler), None)
    """
    schemas = _schemas().get(name)
    if schemas is None:
        return None
    newest = schemas[-1]
    made = newest.has_function or newest.has_context_dependent_function
    run = _Function(newest) if made else _Reference(newest)
    since = newest.since_version if newest.domain else max(OPSET, schemas[0].since_version)
    found = Op(name, run.kernel, newest.domain, since)
    found.types = tuple(formal.type_str for formal in newest.inputs)
    if isinstance(run, _Function):
        found.differentiate_by(run.rule)
    return found


@lru_cache
def _schemas() -> dict[str, list[Schema]]:
    """Every version of every operator that is in use, oldest first. No name is in two domains."""
    found: dict[str, list[Schema]] = {}
    for schema in sorted(onnx.defs.get_all_schemas_with_history(), key=lambda s: s.since_version):
        if not schema.deprecated:
            found.setdefault(schema.name, []).append(schema)
    return found


class _Function:
    """The kernel and the gradient rule of an operator that is a function of others."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.bodies: dict[Any, Graph | None] = {}

    def kernel(self, *inputs: Any, outputs: int = 1, **attrs: Any) -> tuple[Any, ...]:
        return tuple(y._data for y in self.run(inputs, outputs, attrs))

    def rule(self, g: tuple[Any, ...], _y: Any, *inputs: Any, **attrs: Any) -> list[Any]:
        """Run the function again, recorded, and go back through it."""
        again = current.get().grad
        places = [i for i, x in enumerate(inputs) if x is not None and is_float(x.dtype)]
        given = list(inputs)
        with mode(grad=True):
            for i in places:
                given[i] = watch(inputs[i])
            results = self.run(given, len(g), attrs)
        reached = [(y, seed) for y, seed in zip(results, g, strict=True) if seed is not None]
        links = [(given[i]._node, 0) for i in places]
        made = walk([y for y, _ in reached], [seed for _, seed in reached], links, record=again)
        gradients: list[Any] = [None] * len(inputs)
        for i, gradient in zip(places, made, strict=True):
            gradients[i] = gradient
        return gradients

    def run(self, inputs: Any, outputs: int, attrs: dict[str, Any]) -> list[Any]:
        graph = self.body(inputs, outputs, attrs, sizes=False)
        if graph is None:
            graph = self.body(inputs, outputs, attrs, sizes=True)
        if graph is None:
            raise OperatorError(
                f"{self.schema.name}({', '.join(map(describe, inputs))}): ONNX does not say what it is "
                "made of for such inputs."
            )
        absent = [None] * (len(graph.inputs) - len(inputs))
        return interpret(graph, [*inputs, *absent])

    def body(self, inputs: Any, outputs: int, attrs: dict[str, Any], sizes: bool) -> Graph | None:
        """What it is made of; some operators say so only if they are told the sizes of the inputs."""
        key = _key(inputs, outputs, attrs, sizes)
        if key not in self.bodies:
            model = _single(self.schema, inputs, outputs, attrs, sizes)
            self.bodies[key] = _body(self.schema, model)
        return self.bodies[key]


class _Reference:
    """The kernel of an operator that only the `onnx` package has."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.evaluators: dict[Any, ReferenceEvaluator] = {}

    def kernel(self, *inputs: Any, outputs: int = 1, **attrs: Any) -> tuple[Any, ...]:
        key = _key(inputs, outputs, attrs, sizes=False)
        if key not in self.evaluators:
            model = _single(self.schema, inputs, outputs, attrs, sizes=False)
            try:
                self.evaluators[key] = ReferenceEvaluator(model)
            except RuntimeImplementationError:
                raise OperatorError(
                    f"{self.schema.name} has no kernel here, and none in the onnx package."
                ) from None
        feeds = {f"x{i}": x for i, x in enumerate(inputs) if x is not None}
        return tuple(map(_array, self.evaluators[key].run(None, feeds)))


def _key(inputs: Any, outputs: int, attrs: dict[str, Any], sizes: bool) -> Any:
    """What a function body depends on."""
    kinds = tuple(None if x is None else (x.dtype, x.shape if sizes else x.ndim) for x in inputs)
    return kinds, outputs, frozen(tuple(sorted(attrs.items())))


def _array(value: Any) -> Any:
    array = np.asarray(value)
    return array.astype(object) if array.dtype.kind == "U" else array


def _single(
    schema: Schema, inputs: Any, outputs: int, attrs: dict[str, Any], sizes: bool
) -> ModelProto:
    """A model of this one operator."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    given = [
        Value(name, x.dtype, x.shape if sizes else (None,) * x.ndim)
        for name, x in zip(names, inputs, strict=True)
        if x is not None
    ]
    results = [Value(f"y{k}", np.dtype(np.float32), None) for k in range(outputs)]
    equation = Equation(
        schema.name, tuple(names), tuple(y.name for y in results), attrs, schema.domain
    )
    model = to_model(Graph(tuple(given), tuple(results), (equation,), {}))
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid(schema.domain, schema.since_version))
    return model


def _body(schema: Schema, model: ModelProto) -> Graph | None:
    """What an operator is made of, with the attributes that it was given; `None` if it does not say."""
    node = model.graph.node[0]
    if schema.has_function:
        function = schema.function_body
    else:
        types = {info.name: info.type for info in model.graph.input}
        absent = onnx.TypeProto()
        given = [types.get(name, absent).SerializeToString() for name in node.input]
        function = FunctionProto.FromString(
            schema.get_context_dependent_function(node.SerializeToString(), given)
        )
    if not function.node:
        return None
    attributes = {
        name: attribute.default_value
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }
    attributes |= {attribute.name: attribute for attribute in function.attribute_proto}
    attributes |= {attribute.name: attribute for attribute in node.attribute}
    graph = GraphProto(name=schema.name)
    graph.input.extend(onnx.ValueInfoProto(name=name) for name in function.input)
    graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in function.output[: len(node.output)]
    )
    graph.node.extend(_resolved(inner, attributes) for inner in function.node)
    return from_model(ModelProto(graph=graph))


def _resolved(node: NodeProto, attributes: dict[str, AttributeProto]) -> NodeProto:
    """A node of a function body with the function's attributes in their places."""
    copy = NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        if attribute.ref_attr_name and attribute.ref_attr_name not in attributes:
            continue
        made = copy.attribute.add()
        made.CopyFrom(attributes.get(attribute.ref_attr_name, attribute))
        made.name = attribute.name
        if made.type == AttributeProto.GRAPH:
            inner = [_resolved(n, attributes) for n in made.g.node]
            del made.g.node[:]
            made.g.node.extend(inner)
    return copy


op_module.fallback = lookup
