"""Tensors as V2 sends them raw: little-endian, row by row, without padding.

The extension is described at
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from serve import octets
from serve.errors import InvalidArgument
from serve.tensors import Element, TensorSpec, describe

_LENGTH = struct.Struct("<I")  # stands before each element of BYTES


def decode(raw: memoryview, spec: TensorSpec, shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Make an array of a tensor's bytes, without copying where its place in memory allows that.

    Args:
        raw: Exactly the bytes of this tensor.
        spec: The input that they are for.
        shape: What the request says.

    Raises:
        InvalidArgument: There are too many or too few bytes.
    """
    element = spec.element
    assert element is not None
    if element.onnx == "string":
        texts = _texts(raw, spec.name)
        if len(texts) != math.prod(shape):
            raise InvalidArgument(
                f"Input {spec.name!r} of shape {describe(shape)} has {math.prod(shape)} elements, "
                f"given are {len(texts)}."
            )
        return np.array(texts, object).reshape(shape)
    if len(raw) != (expected := math.prod(shape) * element.dtype.itemsize):
        raise InvalidArgument(
            f"Input {spec.name!r} of shape {describe(shape)} and datatype {element.v2} has "
            f"{expected} bytes, given are {len(raw)}."
        )
    if element.onnx == "bool":
        return (np.frombuffer(raw, np.uint8) != 0).reshape(shape)
    array = np.frombuffer(raw, element.dtype).reshape(shape)
    return array if array.flags.aligned else array.copy()


def encode(array: np.ndarray[Any, Any]) -> bytes:
    """Write an array as a tensor's bytes.

    Example:
        >>> encode(np.array(["ab"], object))
        b'\\x02\\x00\\x00\\x00ab'
    """
    if array.dtype.kind != "O":
        return array.tobytes()
    parts = []
    for text in array.ravel():
        content = octets.to_bytes(text)
        parts += [_LENGTH.pack(len(content)), content]
    return b"".join(parts)


def size_of(element: Element, shape: Sequence[int]) -> int | None:
    """How many bytes a tensor has; None where that depends on its contents."""
    return None if element.onnx == "string" else math.prod(shape) * element.dtype.itemsize


def raw_shape(size: int, spec: TensorSpec) -> list[int]:
    """The shape of an input that comes as bare bytes: the one free size follows from their number.

    Where two sizes are free, the first is taken for the batch and is 1.

    Raises:
        InvalidArgument: It does not follow.
    """
    element = spec.element
    assert element is not None
    sizes = [given if isinstance(given, int) else -1 for given in spec.shape or (-1,)]
    if sizes.count(-1) == 2 and sizes[0] == -1:
        sizes[0] = 1
    if sizes.count(-1) > 1:
        raise InvalidArgument(
            f"Input {spec.name!r} has shape {describe(spec.shape)}: "
            "bare bytes do not say which of its sizes they have; send them with a JSON header."
        )
    known = math.prod(given for given in sizes if given >= 0)
    total = 1 if element.onnx == "string" else size // element.dtype.itemsize
    free = total // known if known else 0
    return [free if given == -1 else given for given in sizes]


def _texts(raw: memoryview, name: str) -> list[str]:
    texts: list[str] = []
    offset = 0
    while offset < len(raw):
        start = offset + _LENGTH.size
        end = start + (_LENGTH.unpack_from(raw, offset)[0] if start <= len(raw) else 0)
        if max(start, end) > len(raw):
            raise InvalidArgument(
                f"Input {name!r}: element {len(texts)} of BYTES ends after its bytes do; "
                "each is a length of 4 bytes, little-endian, and so many bytes."
            )
        texts.append(octets.to_text(bytes(raw[start:end])))
        offset = end
    return texts
