"""Remembers what the JSON before raw tensors says: a client sends the same again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serve.protocols.v2_tensors import Arrays, Order, Wanted
from serve.signature import Signature

_MOST = 256  # texts
_MOST_BYTES = 4096  # of each


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says before its raw tensors, all of which are numbers.

    Attributes:
        signature: What the model takes for which this was read.
        wanted: The outputs that it asks for.
        order: When it wants its turn.
        places: The name, type and shape of each input, and where it begins in the body.
        size: The bytes of the whole body.
    """

    signature: Signature
    wanted: Sequence[Wanted]
    order: Order
    places: Sequence[tuple[str, np.dtype[Any], tuple[int, ...], int]]
    size: int

    def feeds(self, body: bytes) -> Arrays:
        """The inputs of a body that begins like this and has this size."""
        feeds = {}
        for name, dtype, shape, start in self.places:
            array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, body, start)
            feeds[name] = array if array.flags.aligned else array.copy()
        return feeds


class Heads:
    """The heads that were understood lately, by their text and the signature that they fit."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int], Head] = {}

    def find(self, body: bytes, length: int, signature: Signature) -> Head | None:
        """What the first bytes of a body say, if it is known; all checks are done then."""
        if length > _MOST_BYTES:
            return None
        head = self._known.get((body[:length], id(signature)))
        if head is None or head.signature is not signature or head.size != len(body):
            return None
        return head

    def remember(
        self,
        body: bytes,
        length: int,
        request: Mapping[str, Any],
        feeds: Arrays,
        wanted: Sequence[Wanted],
        order: Order,
        signature: Signature,
    ) -> None:
        """Keep what a good request said, if it is plain and does not say which request it is."""
        if "id" in request or not length < len(body) or length > _MOST_BYTES:
            return
        places = []
        start = length
        for tensor in request["inputs"]:
            array, spec = feeds[tensor["name"]], signature.input[tensor["name"]]
            assert spec.element is not None
            plain = array.dtype.kind in "fiu" and array.size and "data" not in tensor
            if not plain or tensor["datatype"] != spec.element.v2:
                return
            places.append((spec.name, array.dtype, array.shape, start))
            start += array.nbytes
        if start != len(body):
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        head = Head(signature, wanted, order, places, len(body))
        self._known[body[:length], id(signature)] = head
