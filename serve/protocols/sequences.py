"""Outputs that are no tensors, as the converters of scikit-learn make them, written as tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from serve.errors import InvalidArgument
from serve.tensors import ELEMENTS, Element, TensorSpec

KEYS = ".keys"
_ELEMENT = re.compile(r"tensor\((\w+)\)")
_BY_NAME = {element.onnx: element for element in ELEMENTS}
_STRING = _BY_NAME["string"]

Part = tuple[str, Element, np.ndarray[Any, Any]]


def element_of(spec: TensorSpec) -> Element | None:
    """The element type of the tensors within an output; None where there is no such type here."""
    found = _ELEMENT.search(spec.type)
    return _BY_NAME.get(found[1]) if found else None


def parts_of(spec: TensorSpec) -> list[tuple[str, str, list[int]]]:
    """The tensors that stand for an output, as metadata shows them: name, datatype, shape."""
    element = element_of(spec)
    datatype = element.v2 if element else spec.type
    if spec.element is not None:
        return [(spec.name, datatype, [s if isinstance(s, int) else -1 for s in spec.shape or ()])]
    if "map(" in spec.type:
        return [(spec.name, datatype, [-1, -1]), (spec.name + KEYS, _STRING.v2, [-1])]
    return [(spec.name, datatype, [-1])]


def to_tensors(spec: TensorSpec, value: Any) -> Iterator[Part]:
    """Write an output as tensors.

    Maps become two: their values, a row for each map, under the name of the output, and the keys of
    the columns as text under the same name with `.keys`. A sequence becomes one, stacked.

    Raises:
        InvalidArgument: It is absent, or its parts do not fit together.
    """
    element = spec.element or element_of(spec)
    if value is None or element is None:
        raise _refuse(spec, "has no value here" if element else "has no form in this protocol")
    if isinstance(value, np.ndarray | np.generic):
        yield spec.name, element, np.asarray(value)
        return
    rows: list[Any] = [value] if isinstance(value, dict) else value
    if not rows:
        raise _refuse(spec, "is empty")
    if not isinstance(rows[0], dict):
        if len({np.shape(row) for row in rows}) > 1:
            raise _refuse(spec, "has tensors of different shapes")
        yield spec.name, element, np.stack(rows)
        return
    keys = rows[0].keys()
    if any(row.keys() != keys for row in rows):
        raise _refuse(spec, "has different keys in different rows")
    yield spec.name, element, np.array([[row[key] for key in keys] for row in rows], element.dtype)
    yield spec.name + KEYS, _STRING, np.array([str(key) for key in keys], object)


def _refuse(spec: TensorSpec, problem: str) -> InvalidArgument:
    return InvalidArgument(
        f"Output {spec.name!r}, {spec.type}, {problem}: ask for the other outputs only."
    )
