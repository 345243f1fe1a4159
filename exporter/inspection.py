"""Reads what an ONNX file is: inputs, outputs, operators, size and origin; files of others as well."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto

from exporter import opened
from exporter.errors import ExportError
from exporter.signature import LINEAGE, SIGNATURE, Signature, TensorSpec

_OTHER_TYPES = ("sequence_type", "map_type", "optional_type", "sparse_tensor_type")


@dataclass(frozen=True)
class Inspection:
    """What an ONNX file is.

    Attributes:
        path: The file.
        size: Its size in bytes.
        ir_version: The version of the file format.
        opsets: The version of each operator domain; ONNX's own is "ai.onnx".
        producer: What wrote it.
        inputs: What has to be given.
        outputs: What comes out, as declared.
        operators: How often each operator is used, the most frequent first.
        parameters: The number of numbers in its initializers.
        signature: What tapeline wrote about its use, or `None`.
        lineage: Where the weights come from, or `None`.
    """

    path: Path
    size: int
    ir_version: int
    opsets: dict[str, int]
    producer: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: dict[str, int]
    parameters: int
    signature: Signature | None
    lineage: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {**asdict(self), "path": str(self.path)}


def inspect(path: str | Path) -> Inspection:
    """Read what an ONNX file is, without running it.

    Args:
        path: An .onnx file, a version folder, or a model folder, of which the newest version is read.

    Raises:
        ExportError: There is no ONNX file, or what tapeline wrote into it cannot be read.
    """
    file = opened.find(path)
    model = opened.read(file)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    graph = model.graph
    weights = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    return Inspection(
        path=file,
        size=file.stat().st_size,
        ir_version=model.ir_version,
        opsets={opset.domain or "ai.onnx": opset.version for opset in model.opset_import},
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=tuple(_spec(value) for value in graph.input if value.name not in weights),
        outputs=tuple(map(_spec, graph.output)),
        operators=dict(Counter(node.op_type for node in graph.node).most_common()),
        parameters=sum(weights.values()),
        signature=Signature.from_json(metadata[SIGNATURE]) if SIGNATURE in metadata else None,
        lineage=_lineage(file, metadata[LINEAGE]) if LINEAGE in metadata else None,
    )


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    for kind in _OTHER_TYPES:
        if value.type.HasField(kind):
            return TensorSpec(value.name, kind.removesuffix("_type"), None)
    tensor = value.type.tensor_type
    dtype = TensorProto.DataType.Name(tensor.elem_type).lower()
    shape = tuple(map(_size, tensor.shape.dim)) if tensor.HasField("shape") else None
    return TensorSpec(
        value.name, {"float": "float32", "double": "float64"}.get(dtype, dtype), shape
    )


def _size(dim: Any) -> int | str | None:
    fixed = dim.HasField("dim_value") and dim.dim_value >= 0  # some write -1 for what is free
    return int(dim.dim_value) if fixed else str(dim.dim_param) or None


def _lineage(file: Path, text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError) as error:
        raise ExportError(f"The {LINEAGE} of {file} is not valid: {error}.") from error
