"""Reads the plainest JSON body of V2, tensors of floats as flat lists, straight into arrays.

Everything else, and everything wrong, is left to the parser that makes Python objects of it and
says what is wrong.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import simdjson

from serve.protocols.quick_rows import NOT_PLAIN, count_lists, may_be_plain
from serve.protocols.v2_tensors import Arrays
from serve.signature import Signature

_KEYS = {"id", "inputs", "outputs", "parameters"}
_FIELDS = ["data", "datatype", "name", "shape"]


class QuickTensors:
    """A parser that is kept from request to request; for one thread.

    Example:
        >>> from serve.tensors import TensorSpec
        >>> x = TensorSpec("x", "tensor(float)", ("N", 60))
        >>> tensor = b'{"name": "x", "datatype": "FP32", "shape": [1, 60], "data": [%s]}'
        >>> text = b'{"id": "7", "inputs": [%s]}' % (tensor % b", ".join([b"0.25"] * 60))
        >>> rest, feeds = QuickTensors().read(text, Signature((x,), ()))
        >>> rest, feeds["x"].shape
        ({'id': '7'}, (1, 60))
    """

    def __init__(self) -> None:
        self._parser = simdjson.Parser()

    def read(self, text: bytes, signature: Signature) -> tuple[dict[str, Any], Arrays] | None:
        """Read a request for a model of floats.

        Args:
            text: The body of the request.
            signature: What the model takes.

        Returns:
            The request without its inputs, and these by name; None where the text is anything
            else, or is wrong.
        """
        lists = count_lists(text)
        if not may_be_plain(text, lists):
            return None
        try:
            return self._read(text, signature, lists)
        except NOT_PLAIN:
            return None

    def _read(
        self, text: bytes, signature: Signature, lists: int
    ) -> tuple[dict[str, Any], Arrays] | None:
        document: Any = self._parser.parse(text)
        keys = list(document.keys())
        tensors = document["inputs"]
        flat = 1 + 2 * len(tensors) + ("outputs" in keys)
        if not tensors or lists != flat or len({*keys}) != len(keys) or not {*keys} <= _KEYS:
            return None
        feeds: Arrays = {}
        for tensor in tensors:
            spec = signature.input[tensor["name"]]
            element, shape = spec.element, tensor["shape"].as_list()
            if (
                sorted(tensor.keys()) != _FIELDS
                or spec.name in feeds
                or element is None
                or element.code not in ("f", "d")
                or element.v2 != tensor["datatype"]
                or not all(type(size) is int and size >= 0 for size in shape)
            ):
                return None
            numbers = np.frombuffer(tensor["data"].as_buffer(of_type="d"))
            if numbers.size != math.prod(shape):
                return None
            with np.errstate(over="ignore"):  # too large a number is infinite
                feeds[spec.name] = numbers.astype(element.dtype).reshape(shape)
        return {key: _plain(document[key]) for key in keys if key != "inputs"}, feeds


def _plain(value: Any) -> Any:
    """A part of the document as Python has it."""
    if isinstance(value, simdjson.Object):
        return value.as_dict()
    return value.as_list() if isinstance(value, simdjson.Array) else value
