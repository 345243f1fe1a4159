"""Graph to ONNX's protobuf and back: one of two modules of the trainer that know protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from trainer.core.dtypes import from_code, onnx_code
from trainer.core.errors import DataError, OperatorError
from trainer.core.graph import Dimension, Equation, Graph, Value
from trainer.core.op import REGISTRY
from trainer.core.tensor import Array

IR_VERSION = 10
OPSET = 21
_ATTRIBUTE_TYPES = {
    AttributeProto.FLOAT: float,
    AttributeProto.INT: int,
    AttributeProto.FLOATS: float,
    AttributeProto.INTS: int,
}


def to_model(graph: Graph, metadata: Mapping[str, str] | None = None) -> ModelProto:
    """A graph as an ONNX model: IR version 10, and opset 21 or the lowest above it that has all operators.

    Args:
        graph: What to write.
        metadata: Entries of `metadata_props`. Defaults to none.
    """
    since = [REGISTRY[e.op].since for e in graph.equations if not e.domain and e.op in REGISTRY]
    domains = sorted({e.domain for e in graph.equations if e.domain})
    opsets = [helper.make_opsetid("", max([OPSET, *since]))]
    opsets += [helper.make_opsetid(domain, 1) for domain in domains]
    model = helper.make_model(
        _graph_proto(graph),
        opset_imports=opsets,
        ir_version=IR_VERSION,
        producer_name="tapeline",
    )
    helper.set_model_props(model, dict(metadata or {}))
    return model


def from_model(model: ModelProto) -> Graph:
    """The graph of an ONNX model. Optional inputs that carry an initializer become constants."""
    return _graph(model.graph)


def _graph_proto(graph: Graph) -> onnx.GraphProto:
    return helper.make_graph(
        [_node_proto(equation) for equation in graph.equations],
        graph.name,
        [_value_info(value) for value in graph.inputs],
        [_value_info(value) for value in graph.outputs],
        [_tensor_proto(array, name) for name, array in graph.constants.items()],
    )


def _node_proto(equation: Equation) -> NodeProto:
    """An operator, called after its first output: in messages and profiles the name leads back to it."""
    node = NodeProto(op_type=equation.op, name=equation.outputs[0], domain=equation.domain)
    node.input.extend(equation.inputs)
    node.output.extend(equation.outputs)
    known = (
        onnx.defs.get_schema(equation.op, equation.domain).attributes
        if onnx.defs.has(equation.op, equation.domain)
        else {}
    )
    for name, value in equation.attrs.items():
        if value is not None:
            kind = known[name].type if name in known else None
            node.attribute.append(_attribute(name, value, kind))
    return node


def _attribute(name: str, value: Any, kind: Any) -> AttributeProto:
    if isinstance(value, Graph):
        return helper.make_attribute(name, _graph_proto(value))
    if isinstance(value, np.ndarray) and kind != onnx.defs.OpSchema.AttrType.INTS:
        return helper.make_attribute(name, _tensor_proto(value, ""))
    if name == "to" or (name == "dtype" and not isinstance(value, int)):
        value = onnx_code(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if kind is not None and kind.value in _ATTRIBUTE_TYPES:
        convert = _ATTRIBUTE_TYPES[kind.value]
        value = [convert(v) for v in value] if isinstance(value, list | tuple) else convert(value)
        return helper.make_attribute(name, value, attr_type=kind.value)
    return helper.make_attribute(name, value)


def _tensor_proto(array: Array, name: str) -> onnx.TensorProto:
    if array.dtype == object:
        proto = onnx.TensorProto(name=name, data_type=onnx.TensorProto.STRING, dims=array.shape)
        proto.string_data.extend(
            v if isinstance(v, bytes) else str(v).encode() for v in array.ravel()
        )
        return proto
    return numpy_helper.from_array(np.asarray(array, order="C"), name)


def _value_info(value: Value) -> ValueInfoProto:
    shape = None if value.shape is None else list(value.shape)
    return helper.make_tensor_value_info(value.name, onnx_code(value.dtype), shape)


def _graph(proto: onnx.GraphProto) -> Graph:
    constants = {t.name: _array(t) for t in proto.initializer}
    return Graph(
        tuple(_value(info) for info in proto.input if info.name not in constants),
        tuple(_value(info) for info in proto.output),
        tuple(_equation(node) for node in proto.node),
        constants,
        proto.name,
    )


def _array(tensor: onnx.TensorProto) -> Array:
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"The constant {tensor.name} of shape {list(tensor.dims)} does not hold what it says: {error}."
        ) from error
    return array.astype(object) if array.dtype.kind in "USO" else array


def _value(info: ValueInfoProto) -> Value:
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type"):
        return Value(info.name, np.dtype(object), None)
    shape = tuple(_dimension(d) for d in kind.shape.dim) if kind.HasField("shape") else None
    return Value(info.name, from_code(kind.elem_type), shape)


def _dimension(dim: Any) -> Dimension:
    if dim.HasField("dim_value") and dim.dim_value >= 0:  # some write -1 for what is free
        return int(dim.dim_value)
    return str(dim.dim_param) or None


def _equation(node: NodeProto) -> Equation:
    attrs = {attribute.name: _attribute_value(attribute) for attribute in node.attribute}
    domain = "" if node.domain == "ai.onnx" else node.domain
    if node.op_type == "Split" and not domain and not any(node.input[1:]):
        attrs.setdefault("num_outputs", len(node.output))  # implied until opset 17
    return Equation(node.op_type, tuple(node.input), tuple(node.output), attrs, domain)


def _attribute_value(attribute: AttributeProto) -> Any:
    if attribute.ref_attr_name:
        raise OperatorError(f"The attribute {attribute.name!r} refers to a function's attribute.")
    value = helper.get_attribute_value(attribute)
    if attribute.type == AttributeProto.TENSOR:
        return _array(value)
    if attribute.type == AttributeProto.GRAPH:
        return _graph(value)
    if attribute.type == AttributeProto.STRING:
        return value.decode()
    if attribute.type == AttributeProto.STRINGS:
        return [v.decode() for v in value]
    return list(value) if isinstance(value, list | tuple) or hasattr(value, "append") else value
