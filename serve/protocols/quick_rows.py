"""Reads the plainest body of TensorFlow Serving's protocol, rows of numbers, straight into an array.

Everything else, and everything wrong, is left to the parser that makes Python objects of it and
says what is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import simdjson

from serve.signature import Signature

# The parser keeps memory for the longest text that it has seen, about ten times as much.
_MOST_BYTES = 2**20
# Where lists are shorter, looking into each costs more than is won.
_LEAST_BYTES_PER_LIST = 64
_DEFAULT = "serving_default"

# What a parser's documents raise where they are not as they should be.
NOT_PLAIN = (AttributeError, KeyError, RuntimeError, TypeError, ValueError)


class QuickRows:
    """A parser that is kept from request to request; for one thread.

    Example:
        >>> from serve.tensors import TensorSpec
        >>> x = TensorSpec("x", "tensor(float)", ("N", 20))
        >>> row = ", ".join(["0.25"] * 20)
        >>> feeds = QuickRows().read(b'{"instances": [[%s]]}' % row.encode(), Signature((x,), ()))
        >>> feeds["x"].shape
        (1, 20)
    """

    def __init__(self) -> None:
        self._parser = simdjson.Parser()

    def read(self, text: bytes, signature: Signature) -> dict[str, np.ndarray[Any, Any]] | None:
        """Read rows for a model with one input of floats.

        Args:
            text: The body of the request.
            signature: What the model takes.

        Returns:
            The input by name; None where the text is anything else, or is wrong.
        """
        if len(signature.inputs) != 1:
            return None
        spec = signature.inputs[0]
        lists = count_lists(text)
        if (
            not spec.shape
            or spec.element is None
            or spec.element.code not in ("f", "d")
            or not may_be_plain(text, lists)
        ):
            return None
        try:
            found = self._numbers(text, len(spec.shape), lists)
        except NOT_PLAIN:
            return None
        if found is None:
            return None
        with np.errstate(over="ignore"):  # too large a number is infinite
            return {spec.name: found.astype(spec.element.dtype)}

    def _numbers(self, text: bytes, rank: int, lists: int) -> np.ndarray[Any, Any] | None:
        """The numbers in their shape, if there are as many lists as that shape has."""
        document: Any = self._parser.parse(text)
        keys = list(document.keys())
        if keys != ["instances"] and (
            sorted(keys) != ["instances", "signature_name"]
            or document["signature_name"] != _DEFAULT
        ):
            return None
        rows = document["instances"]
        level: list[Any]
        level, shape, seen = [rows], [len(rows)], 1
        for _ in range(rank - 1):
            level = [item for items in level for item in items]
            widths = set(map(len, level))
            if len(widths) != 1:
                return None
            shape.append(widths.pop())
            seen += len(level)
        if seen != lists:  # there are lists in the innermost ones
            return None
        return np.frombuffer(rows.as_buffer(of_type="d")).reshape(shape)


def count_lists(text: bytes) -> int:
    """How many lists begin in a JSON text whose strings have no brackets."""
    return len(text) - len(text.replace(b"[", b""))  # `count` takes ten times as long


def may_be_plain(text: bytes, lists: int) -> bool:
    """Whether it is worth a try: an object, not too long, with lists that are long enough."""
    return (
        len(text) <= _MOST_BYTES and lists * _LEAST_BYTES_PER_LIST <= len(text) and text[:1] == b"{"
    )
