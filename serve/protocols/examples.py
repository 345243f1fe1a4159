"""TensorFlow Serving's classify and regress: examples of named features in, classes or amounts out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serve.errors import InvalidArgument
from serve.signature import Signature
from serve.tensors import TensorSpec, from_json, is_base64, to_json

_TEXT = "string or base64 string"
_KINDS = {bool: "integer", int: "integer", float: "decimal", str: _TEXT}


def check_method(verb: str, signature: Signature) -> None:
    """Refuse a verb that a model's signature is not for.

    Raises:
        InvalidArgument: It is for another.
    """
    if signature.task != verb:
        noun = {"classify": "classification", "regress": "regression"}[verb]
        raise InvalidArgument(
            f"Expected {noun} signature method_name to be tensorflow/serving/{verb}. "
            f"Was: tensorflow/serving/{signature.task}"
        )


def read_examples(
    request: Mapping[str, Any], signature: Signature
) -> dict[str, np.ndarray[Any, Any]]:
    """Make inputs of a request's "examples", each an object of features, and of their "context".

    Args:
        request: The parsed JSON.
        signature: What the model takes; a feature belongs to the input of its name.

    Raises:
        InvalidArgument: They are malformed, or do not fit.
    """
    examples = request.get("examples")
    if type(examples) is not list or not examples:
        raise InvalidArgument("Expecting 'examples' to be a non-empty array/list of objects.")
    context = request.get("context", {})
    if type(context) is not dict or any(type(example) is not dict for example in examples):
        raise InvalidArgument("Expecting 'context' and each of 'examples' to be an object.")
    for example in examples:
        if both := sorted(context.keys() & example.keys()):
            raise InvalidArgument(f"Feature {both[0]!r} is in 'context' and in 'examples'.")
    rows = [context | example for example in examples] if context else examples
    for row in rows:
        for name, value in row.items():
            _check_kind(name, value)
    feeds = {}
    for spec in signature.inputs:
        missing = sum(spec.name not in row for row in rows)
        if not missing:
            feeds[spec.name] = _read([row[spec.name] for row in rows], spec)
        elif not spec.optional or missing < len(rows):
            raise InvalidArgument(f"Feature: {spec.name} is required but could not be found.")
    return feeds


def write_classes(outputs: Mapping[str, Any], signature: Signature) -> list[Any]:
    """Write the first output as a list of `[label, score]` for each example.

    Raises:
        InvalidArgument: It has no score for each class.
    """
    name, scores = next(iter(outputs.items()))
    if isinstance(scores, list) and scores and isinstance(scores[0], dict):
        return [[[str(key), _number(score)] for key, score in row.items()] for row in scores]
    if not isinstance(scores, np.ndarray) or scores.ndim != 2 or scores.dtype.kind not in "fiu":
        raise InvalidArgument(f"Output {name!r} does not have a score for each class.")
    labels: Sequence[str] = signature.classes
    if len(labels) != scores.shape[1]:
        labels = [""] * scores.shape[1]
    if not scores.size:
        raise InvalidArgument("The result is empty.")
    return [
        [[label, _number(score)] for label, score in zip(labels, row, strict=True)]
        for row in scores
    ]


def write_amounts(outputs: Mapping[str, Any]) -> Any:
    """Write the first output as an amount for each example.

    Raises:
        InvalidArgument: It has more, or none.
    """
    name, amounts = next(iter(outputs.items()))
    if not isinstance(amounts, np.ndarray) or amounts.dtype.kind not in "fiu" or not amounts.ndim:
        raise InvalidArgument(f"Output {name!r} does not have an amount for each example.")
    if math.prod(amounts.shape[1:]) != 1:
        raise InvalidArgument(
            f"Output {name!r} has shape {list(amounts.shape)}: one amount for each was expected."
        )
    if not amounts.size:
        raise InvalidArgument("The result is empty.")
    return to_json(amounts.reshape(-1))


def _read(values: list[Any], spec: TensorSpec) -> np.ndarray[Any, Any]:
    """A feature's values as an input: a feature has one dimension at the most, an input any number."""
    if spec.element is None:
        raise InvalidArgument(f"Input {spec.name!r} is {spec.type}: no feature can be that.")
    if spec.element.onnx != "bool":
        values = [_without_bools(value) for value in values]
    array = from_json(values, spec.element)
    if spec.shape is None or spec.accepts(array.shape):
        return array
    sizes = [size if isinstance(size, int) else 1 for size in spec.shape[1:]]
    if math.prod(array.shape[1:]) == math.prod(sizes):
        return array.reshape(len(values), *sizes)
    return array


def _check_kind(name: str, value: Any) -> None:
    items = value if type(value) is list else [value]
    kinds = {_TEXT if is_base64(item) else _KINDS.get(type(item), "") for item in items}
    if "" in kinds:
        raise InvalidArgument(
            f"Feature {name!r} must be a number, true, false, a string or a list of one of these."
        )
    if len(kinds) > 1:
        raise InvalidArgument(f"Feature {name!r} mixes {' and '.join(sorted(kinds))} values.")


def _without_bools(value: Any) -> Any:
    """Booleans as the integers that they are in a feature."""
    if type(value) is list:
        return list(map(_without_bools, value))
    return int(value) if type(value) is bool else value


def _number(value: Any) -> Any:
    return to_json(np.asarray(value))
