"""Tensors as JSON and as numpy arrays: element types, and the way from one to the other and back."""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import orjson

from serve import octets
from serve.errors import InvalidArgument, TooLarge, Unimplemented

MAX_RANK = 32
MAX_ELEMENTS = 10_000_000  # each is an object of its own while JSON is being read: 0.4 GB
_SHOWN = 256  # characters of a wrong text that an error message repeats
_JSON_TYPES = {bool: "Boolean", dict: "Object", list: "Array", str: "String", type(None): "Null"}
_NON_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass(frozen=True, slots=True)
class Element:
    """An element type, under the names that ONNX, numpy and the protocols have for it.

    Attributes:
        onnx: The name within an ONNX type, as in `tensor(float)`.
        v2: The datatype of the Open Inference Protocol.
        tfs: TensorFlow's name.
        dtype: What an array of it has in numpy; for bfloat16, which numpy lacks, its raw bits.
        code: The format character of the module `struct`, for numbers.
    """

    onnx: str
    v2: str
    tfs: str
    dtype: np.dtype[Any]
    code: str = ""

    @property
    def has_json(self) -> bool:
        """Whether its values can be written as JSON; raw bits cannot."""
        return self.onnx != "bfloat16"

    @property
    def json_types(self) -> set[type]:
        """The types of the parsed JSON values that this element type takes."""
        if self.code:
            return {int, float} if self.code in "efd" else {int}
        return {bool} if self.onnx == "bool" else {str}


ELEMENTS = (
    Element("float", "FP32", "DT_FLOAT", np.dtype(np.float32), "f"),
    Element("double", "FP64", "DT_DOUBLE", np.dtype(np.float64), "d"),
    Element("float16", "FP16", "DT_HALF", np.dtype(np.float16), "e"),
    Element("int8", "INT8", "DT_INT8", np.dtype(np.int8), "b"),
    Element("int16", "INT16", "DT_INT16", np.dtype(np.int16), "h"),
    Element("int32", "INT32", "DT_INT32", np.dtype(np.int32), "i"),
    Element("int64", "INT64", "DT_INT64", np.dtype(np.int64), "q"),
    Element("uint8", "UINT8", "DT_UINT8", np.dtype(np.uint8), "B"),
    Element("uint16", "UINT16", "DT_UINT16", np.dtype(np.uint16), "H"),
    Element("uint32", "UINT32", "DT_UINT32", np.dtype(np.uint32), "I"),
    Element("uint64", "UINT64", "DT_UINT64", np.dtype(np.uint64), "Q"),
    Element("bool", "BOOL", "DT_BOOL", np.dtype(np.bool_)),
    Element("string", "BYTES", "DT_STRING", np.dtype(np.object_)),
    Element("bfloat16", "BF16", "DT_BFLOAT16", np.dtype(np.uint16)),
)
_BY_ONNX_TYPE = {
    form.format(element.onnx): element
    for element in ELEMENTS
    for form in ("tensor({})", "optional(tensor({}))")
}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a model says about one of its inputs or outputs.

    Attributes:
        name: The name in the graph.
        type: The ONNX type, such as `tensor(float)` or `seq(map(int64,tensor(float)))`.
        shape: Sizes; a symbol or None where any size goes. None as a whole where the model does
            not say so much as the number of dimensions.
        optional: Whether the model has a value of its own for this input.
        element: The element type of a tensor; None for sequences and maps.
    """

    name: str
    type: str
    shape: tuple[int | str | None, ...] | None
    optional: bool = False
    element: Element | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "element", _BY_ONNX_TYPE.get(self.type))

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Say whether an array of this shape fits."""
        if self.shape is None:
            return True
        if len(shape) != len(self.shape):
            return False
        for expected, given in zip(self.shape, shape, strict=True):  # faster than `all`
            if expected != given and type(expected) is int:
                return False
        return True


def loads(text: bytes) -> Any:
    """Parse JSON: also with bare NaN and Infinity, and with text after the value.

    Raises:
        InvalidArgument: It is not JSON.
        TooLarge: It has more elements than the memory is for.
    """
    if len(text) > MAX_ELEMENTS and text.count(b",") >= MAX_ELEMENTS:
        raise TooLarge(f"JSON of more than {MAX_ELEMENTS} elements: send them as binary tensors.")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # the standard parser takes what TensorFlow Serving takes, slowly
    try:
        decoded = text.decode().lstrip()
        if not decoded:
            raise InvalidArgument("JSON Parse error: The document is empty")
        return json.JSONDecoder().raw_decode(decoded)[0]
    except RecursionError as error:
        raise InvalidArgument("JSON Parse error: The document is nested too deeply") from error
    except ValueError as error:
        raise InvalidArgument(f"JSON Parse error: {error}") from error


def dumps(value: Any) -> bytes:
    """Write JSON; arrays must have come through `to_json`."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def from_json(value: Any, element: Element) -> np.ndarray[Any, Any]:
    """Make an array of a parsed JSON value, whose element types must be exactly right.

    Example:
        >>> from_json([[1, 2.5]], ELEMENTS[0])
        array([[1. , 2.5]], dtype=float32)

    Args:
        value: A scalar, or lists nested to any depth.
        element: The element type of the array.

    Returns:
        An array that may be read-only.

    Raises:
        InvalidArgument: The lists are ragged, or an element is of the wrong type or out of range.
        Unimplemented: Numbers of this type have no JSON form.
    """
    if not element.has_json:
        raise Unimplemented(f"Conversion of JSON Value: {_show(value)} to type: {element.onnx}")
    flat, shape = _flatten(value)
    kinds = set(map(type, flat))
    if not kinds <= element.json_types:
        if element.onnx != "string" or not kinds <= {str, dict}:
            raise _wrong_element(flat, element)
        flat = [_text(item) for item in flat]
    elif element.onnx == "string":
        flat = [octets.from_text(text) for text in flat]
    if element.code:
        return _pack(flat, element).reshape(shape)
    return np.array(flat, element.dtype).reshape(shape)


def to_json(array: np.ndarray[Any, Any]) -> Any:
    """Turn an array into something that `dumps` writes, non-finite numbers included.

    Example:
        >>> dumps(to_json(np.array([1, np.nan], np.float32)))
        b'[1.0,NaN]'
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return orjson.Fragment(_write_floats(array))
    if array.dtype.kind == "O":
        return array.tolist()
    if array.ndim:
        return np.ascontiguousarray(array)
    # Of numpy's two names for 64 bits, orjson knows one, and ONNX Runtime uses both.
    return array[()] if array.dtype.kind == "f" else array.item()


def is_base64(value: Any) -> bool:
    """Say whether a JSON value is `{"b64": "..."}`, which stands for a string."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def _flatten(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Unpack nested lists level by level; the shape is that of the first elements."""
    if type(value) is not list:
        return [value], ()
    shape = [len(value)]
    while value and type(value[0]) is list:
        width = len(value[0])
        if len(value) == 1:
            value = value[0]
        else:
            if set(map(type, value)) != {list} or set(map(len, value)) != {width}:
                odd = next(item for item in value if type(item) is not list or len(item) != width)
                given = f"list at unexpected size: {len(odd)}" if type(odd) is list else _show(odd)
                raise InvalidArgument(f"Encountered {given}. Expected a list of size: {width}.")
            value = list(chain.from_iterable(value))
        shape.append(width)
        if len(shape) > MAX_RANK:
            raise InvalidArgument(f"Lists are nested deeper than {MAX_RANK} levels.")
    return value, tuple(shape)


def _pack(flat: Sequence[float], element: Element) -> np.ndarray[Any, Any]:
    """Numbers of the right types to an array: `struct` checks the ranges and is the fastest."""
    try:
        return np.frombuffer(struct.pack(f"{len(flat)}{element.code}", *flat), element.dtype)
    except (OverflowError, struct.error) as error:
        if element.code not in "efd":
            bounds = np.iinfo(element.dtype)
            odd = next(number for number in flat if not bounds.min <= number <= bounds.max)
            raise InvalidArgument(
                f"JSON Value: {_show(odd)} is out of range for {element.onnx}."
            ) from error
    with np.errstate(over="ignore"):
        return np.array([_saturate(number) for number in flat], np.float64).astype(element.dtype)


def _saturate(number: float) -> float:
    """Too large a number is infinite, as TensorFlow Serving has it."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _text(item: Any) -> str:
    if type(item) is str:
        return octets.from_text(item)
    if not is_base64(item):
        raise _wrong_element([item], _BY_ONNX_TYPE["tensor(string)"])
    try:
        return octets.to_text(base64.b64decode(item["b64"], validate=True))
    except binascii.Error as error:
        raise InvalidArgument(f"Unable to base64 decode: {_show(item['b64'])}") from error


def _wrong_element(flat: Sequence[Any], element: Element) -> InvalidArgument:
    allowed = element.json_types
    odd = next(item for item in flat if type(item) not in allowed)
    kind = _JSON_TYPES.get(type(odd), "Number")
    return InvalidArgument(
        f"JSON Value: {_show(odd)} Type: {kind} is not of expected type: {element.onnx}"
    )


def _show(value: Any) -> str:
    """A JSON value as an error message repeats it."""
    if type(value) is list or type(value) is dict:
        return "[...]" if type(value) is list else "{...}"
    if type(value) is str and len(value) > _SHOWN:
        value = value[:_SHOWN] + "..."
    return json.dumps(value, ensure_ascii=False)


def _write_floats(array: np.ndarray[Any, Any]) -> bytes:
    """Write nested lists of floats with bare NaN and Infinity; orjson would write null."""
    if array.ndim:
        return b"[" + b",".join(map(_write_floats, array)) + b"]"
    number = str(array[()])  # the shortest text that gives the same number back
    return _NON_FINITE.get(number, number).encode()


def describe(shape: Sequence[int | str | None] | None) -> str:
    """A shape for a message: `[batch, 4]`, with `?` where any size goes.

    Example:
        >>> describe(("batch", None, 4))
        '[batch, ?, 4]'
    """
    if shape is None:
        return "[...]"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
