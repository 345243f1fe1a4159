"""TensorFlow Serving's formats: a request's rows or columns read, a model's outputs written.

The formats and the messages are those of TensorFlow Serving's `json_tensor.cc`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from serve import octets
from serve.errors import InvalidArgument, Unimplemented
from serve.signature import Signature
from serve.tensors import TensorSpec, from_json, is_base64, to_json


def read_rows(instances: Any, signature: Signature) -> dict[str, np.ndarray[Any, Any]]:
    """Make inputs of the row format: a list of examples, each a value or an object of values.

    Args:
        instances: The parsed value of "instances".
        signature: What the model takes.

    Raises:
        InvalidArgument: It does not fit.
    """
    if type(instances) is not list:
        raise InvalidArgument("Expecting 'instances' to be an array/list.")
    if not instances:
        raise InvalidArgument("No values in 'instances' array.")
    if not _is_object(instances[0]):
        if (only := _only_input(signature)) is None:
            raise InvalidArgument(
                f"instances must be objects; keys must be equal to: {_names(signature)}"
            )
        return {only.name: _read(instances, only)}
    if not all(map(_is_object, instances)):
        raise InvalidArgument(
            "Mixed objects and values in 'instances': give all as one or the other."
        )
    names = instances[0].keys()
    fits = signature.required <= names <= signature.input.keys()
    if not fits or any(instance.keys() != names for instance in instances):
        raise InvalidArgument(f"instances object keys must be equal to: {_names(signature)}")
    return {n: _read([row[n] for row in instances], signature.input[n]) for n in names}


def read_columns(inputs: Any, signature: Signature) -> dict[str, np.ndarray[Any, Any]]:
    """Make inputs of the columnar format: a whole tensor, or an object of tensors by name.

    Args:
        inputs: The parsed value of "inputs".
        signature: What the model takes.

    Raises:
        InvalidArgument: It does not fit.
    """
    if not _is_object(inputs):
        if (only := _only_input(signature)) is None:
            raise InvalidArgument(f"'inputs' must be an object with the keys: {_names(signature)}")
        return {only.name: _read(inputs, only)}
    for spec in signature.inputs:
        if spec.name not in inputs and not spec.optional:
            raise InvalidArgument(f"Missing named input: {spec.name} in 'inputs' object.")
    return {s.name: _read(inputs[s.name], s) for s in signature.inputs if s.name in inputs}


def _only_input(signature: Signature) -> TensorSpec | None:
    """The input that values without a name are for; weights may be given, too, but need not be."""
    needed = [spec for spec in signature.inputs if not spec.optional]
    return needed[0] if len(needed) == 1 else None


def write_rows(outputs: Mapping[str, Any]) -> Any:
    """Write outputs in the row format: a list of values, or of objects where there are several.

    Raises:
        InvalidArgument: The outputs do not have the same number of rows.
    """
    rows: int | None = None
    for name, value in outputs.items():
        if isinstance(value, np.ndarray) and value.ndim == 0:
            raise InvalidArgument(f"Tensor name: {name} has no shape information ")
        if rows is None:
            rows = len(value)
        if len(value) != rows:
            raise InvalidArgument(
                f"Tensor name: {name} has inconsistent batch size: {len(value)} expecting: {rows}"
            )
    if len(outputs) == 1:
        return write_columns(outputs)
    columns = [[_write(name, row) for row in value] for name, value in outputs.items()]
    return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]


def write_columns(outputs: Mapping[str, Any]) -> Any:
    """Write outputs in the columnar format: a value, or an object of values where there are several."""
    written = {name: _write(name, value) for name, value in outputs.items()}
    return next(iter(written.values())) if len(written) == 1 else written


def _is_object(value: Any) -> bool:
    return type(value) is dict and not is_base64(value)


def _names(signature: Signature) -> str:
    return ",".join(sorted(signature.input))


def _read(value: Any, spec: TensorSpec) -> np.ndarray[Any, Any]:
    if spec.element is None:
        raise Unimplemented(f"Input {spec.name!r} is {spec.type}: JSON has no form for it.")
    return from_json(value, spec.element)


def _write(name: str, value: Any) -> Any:
    """An output as JSON; text becomes base64 where it is none, or its name says that it is bytes."""
    if isinstance(value, dict):  # of a seq(map(...)), as scikit-learn's converters make
        return {str(key): _write(name, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_write(name, item) for item in value]
    if value is None:
        raise InvalidArgument(f"Tensor name: {name} has no value in this answer")
    array = np.asarray(value)
    if array.dtype.kind == "O" and name.endswith("_bytes"):
        return octets.to_base64(array.tolist())
    if array.dtype.kind == "O":
        return octets.to_json(array.tolist())
    return to_json(array)
