"""V2's requests and answers: inputs read and outputs written, as JSON or as raw bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from serve import octets
from serve.errors import InvalidArgument, Unimplemented
from serve.hint import did_you_mean
from serve.protocols import binary, files
from serve.protocols.sequences import to_tensors
from serve.signature import Signature
from serve.tensors import ELEMENTS, TensorSpec, from_json, to_json

_TEXT = next(element for element in ELEMENTS if element.onnx == "string")

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that a request asks for.

    Attributes:
        spec: What the model says about it.
        binary: Whether it is to come as raw bytes.
        classes: How many of its best classes are wanted instead of all its values; 0 for those.
    """

    spec: TensorSpec
    binary: bool = False
    classes: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """When a request wants its turn.

    Attributes:
        timeout: Seconds after its arrival from which on it wants no answer; None for no such.
        priority: 1 goes before 2, and so on; 0 after those.
    """

    timeout: float | None = None
    priority: int = 0


_AT_ONCE = Order()


def read_inputs(request: Mapping[str, Any], raw: memoryview, signature: Signature) -> Arrays:
    """Make inputs by name of a request's "inputs".

    Args:
        request: The parsed JSON.
        raw: The bytes after it, which the binary inputs share out in their order.
        signature: What the model takes.

    Raises:
        InvalidArgument: One is malformed, unknown, twice there, or has another datatype.
    """
    tensors = request.get("inputs")
    if type(tensors) is not list or not tensors:
        raise InvalidArgument(
            "'inputs' must be a list of tensors with name, shape, datatype and data."
        )
    feeds: Arrays = {}
    offset = 0
    for tensor in tensors:
        name = tensor.get("name") if type(tensor) is dict else None
        if type(name) is not str:
            raise InvalidArgument("Every input must be an object with a 'name'.")
        spec = signature.input.get(name)
        if spec is None:
            raise InvalidArgument(
                f"There is no input {name!r}; inputs are: {', '.join(signature.input)}."
                + did_you_mean(name, signature.input)
            )
        if name in feeds:
            raise InvalidArgument(f"Input {name!r} is given twice.")
        pictures = _is_pictures(tensor, spec)
        sent = replace(spec, type="tensor(string)") if pictures else spec
        shape = _shape(tensor, sent)
        size = _binary_size(tensor, sent, shape, len(raw) - offset)
        if size is None:
            array = _from_json(tensor, sent, shape)
        else:
            array = binary.decode(raw[offset : offset + size], sent, shape)
            offset += size
        if pictures:
            array = files.read_pictures([octets.to_bytes(text) for text in array.flat], spec)
        feeds[name] = array
    if offset != len(raw):
        raise InvalidArgument(
            f"{len(raw)} bytes follow the JSON, but its inputs have a binary_data_size of {offset}."
        )
    return feeds


def has_pictures(request: Mapping[str, Any], signature: Signature) -> bool:
    """Say whether an input has to be decoded, which takes long."""
    tensors = request.get("inputs")
    return type(tensors) is list and any(
        _is_pictures(tensor, signature.input[tensor["name"]])
        for tensor in tensors
        if type(tensor) is dict and tensor.get("name") in [*signature.input]
    )


def read_bare(body: bytes, signature: Signature, is_file: bool = False) -> Arrays:
    """Make the only input of a body that is nothing but its bytes, or a file that holds it.

    Raises:
        InvalidArgument: The model has several inputs, or the bytes do not fit its shape.
    """
    if len(signature.required) != 1:
        raise InvalidArgument(
            f"A body of bare bytes is for models with one input; inputs are: "
            f"{', '.join(signature.input)}."
        )
    spec = signature.input[next(iter(signature.required))]
    raw = memoryview(body)
    if spec.element is None:
        raise _no_form(spec)
    if is_file and spec.element != _TEXT:
        return {spec.name: files.read_file(body, spec)}
    shape = binary.raw_shape(len(raw), spec)
    if spec.element.onnx == "string":
        return {spec.name: np.full(shape, octets.to_text(body), object)}
    return {spec.name: binary.decode(raw, spec, shape)}


def read_wanted(request: Mapping[str, Any], signature: Signature) -> list[Wanted]:
    """The outputs that a request asks for; all where it does not say.

    Raises:
        InvalidArgument: One is malformed or unknown.
    """
    default = parameter(request, "binary_data_output", bool, False)
    outputs = request.get("outputs")
    if not outputs:
        return [Wanted(spec, default) for spec in signature.outputs]
    if type(outputs) is not list:
        raise InvalidArgument("'outputs' must be a list of objects with a 'name'.")
    wanted = []
    for output in outputs:
        name = output.get("name") if type(output) is dict else None
        if type(name) is not str or name not in signature.output:
            raise InvalidArgument(
                f"There is no output {name!r}; outputs are: {', '.join(signature.output)}."
                + did_you_mean(str(name), signature.output)
            )
        classes = parameter(output, "classification", int, 0)
        if classes < 0:
            raise InvalidArgument(f"Output {name!r}: 'classification' must not be negative.")
        as_bytes = parameter(output, "binary_data", bool, default)
        wanted.append(Wanted(signature.output[name], as_bytes, classes))
    return wanted


def read_order(request: Mapping[str, Any]) -> Order:
    """When a request wants its turn, by its parameters "timeout", in microseconds, and "priority".

    Raises:
        InvalidArgument: One is not a number from 0 on.
    """
    if "parameters" not in request:
        return _AT_ONCE
    timeout, priority = (parameter(request, name, int, 0) for name in ("timeout", "priority"))
    if min(timeout, priority) < 0:
        raise InvalidArgument("The parameters 'timeout' and 'priority' must not be negative.")
    return Order(timeout / 1e6 or None, priority)


def write_outputs(
    wanted: Sequence[Wanted], outputs: Mapping[str, Any], signature: Signature
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Write outputs as tensor objects, and the bytes of those that are binary.

    Raises:
        InvalidArgument: One has no form in this protocol, or only a binary one.
    """
    written: list[dict[str, Any]] = []
    raw: list[bytes] = []
    for want in wanted:
        for name, element, array in to_tensors(want.spec, outputs[want.spec.name]):
            datatype = element.v2
            if want.classes and name == want.spec.name:
                array, datatype = classify(array, want.classes, signature.classes), "BYTES"
            tensor = {"name": name, "datatype": datatype, "shape": array.shape}
            if want.binary:
                raw.append(binary.encode(array))
                tensor["parameters"] = {"binary_data_size": len(raw[-1])}
            else:
                if not element.has_json or not _is_text(array):
                    raise InvalidArgument(
                        f"Output {name!r} is {datatype}, which has no JSON form here: "
                        'ask for it with "parameters": {"binary_data": true}.'
                    )
                tensor["data"] = to_json(array.reshape(-1))
            written.append(tensor)
    return written, raw


def classify(
    scores: np.ndarray[Any, Any], count: int, labels: Sequence[str]
) -> np.ndarray[Any, Any]:
    """The best classes of each row as texts, `score:index` or `score:index:label`.

    Example:
        >>> classify(np.array([[0.25, 0.75]]), 1, ["no", "yes"])
        array([['0.750000:1:yes']], dtype=object)

    Raises:
        InvalidArgument: These are no scores.
    """
    if scores.ndim == 0 or scores.dtype.kind not in "fiu":
        raise InvalidArgument("'classification' is for outputs that have a number for each class.")
    best = np.argsort(-scores.astype(np.float64), axis=-1, kind="stable")[..., :count]
    named = labels if len(labels) == scores.shape[-1] else ()
    numbers = np.take_along_axis(scores, best, axis=-1)
    texts = np.empty(best.shape, object)
    for place, index in np.ndenumerate(best):
        label = f":{named[int(index)]}" if named else ""
        number = numbers[place]
        text = f"{number:.6f}" if scores.dtype.kind == "f" else str(number)
        texts[place] = f"{text}:{index}{label}"
    return texts


def parameter(holder: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """The value of a parameter of a request, an input or an output.

    Raises:
        InvalidArgument: It has another type.
    """
    parameters = holder.get("parameters")
    if parameters is None:
        return default
    if type(parameters) is not dict:
        raise InvalidArgument("'parameters' must be an object.")
    value = parameters.get(name, default)
    if type(value) is not kind:
        raise InvalidArgument(f"The parameter {name!r} must be of type {kind.__name__}.")
    return value


def _is_pictures(tensor: Mapping[str, Any], spec: TensorSpec) -> bool:
    """Pictures are BYTES, whatever the model makes of them."""
    return tensor.get("datatype") == "BYTES" and spec.element not in (None, _TEXT)


def _shape(tensor: Mapping[str, Any], spec: TensorSpec) -> list[int]:
    """The shape that an input says it has, once its datatype is right."""
    if spec.element is None:
        raise _no_form(spec)
    if tensor.get("datatype") != spec.element.v2:
        raise InvalidArgument(
            f"Input {spec.name!r} is {spec.element.v2}, given is {tensor.get('datatype')!r}."
        )
    shape = tensor.get("shape")
    if type(shape) is not list or not all(type(size) is int and size >= 0 for size in shape):
        raise InvalidArgument(f"Input {spec.name!r} needs a 'shape': a list of sizes.")
    return shape


def _binary_size(
    tensor: Mapping[str, Any], spec: TensorSpec, shape: Sequence[int], left: int
) -> int | None:
    """How many of the raw bytes belong to an input; None where its data is in the JSON."""
    size = parameter(tensor, "binary_data_size", int, -1)
    if "data" in tensor:
        if size >= 0:
            raise InvalidArgument(f"Input {spec.name!r} has both 'data' and 'binary_data_size'.")
        return None
    if size < 0:  # some clients leave it out
        if not left:
            return None
        assert spec.element is not None
        given = binary.size_of(spec.element, shape)
        size = left if given is None else given
    if size > left:
        raise InvalidArgument(
            f"Input {spec.name!r} has a binary_data_size of {size}, but only {left} bytes are left."
        )
    return int(size)


def _from_json(
    tensor: Mapping[str, Any], spec: TensorSpec, shape: list[int]
) -> np.ndarray[Any, Any]:
    """The data of one input, flat or nested, in the shape that it says it has."""
    if "data" not in tensor:
        raise InvalidArgument(f"Input {spec.name!r} has no 'data'.")
    assert spec.element is not None
    if not spec.element.has_json:
        raise InvalidArgument(
            f"Input {spec.name!r} is {spec.element.v2}, which has no JSON form: send it as bytes."
        )
    array = from_json(tensor["data"], spec.element)
    if array.shape == tuple(shape):
        return array
    if array.ndim > 1 or array.size != math.prod(shape):
        raise InvalidArgument(
            f"Input {spec.name!r} says shape {shape}; its data has shape {list(array.shape)}."
        )
    return array.reshape(shape)


def _is_text(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.kind != "O" or all(map(octets.is_text, array.flat))


def _no_form(spec: TensorSpec) -> Unimplemented:
    return Unimplemented(f"Input {spec.name!r} is {spec.type}: the protocol has no form for it.")
