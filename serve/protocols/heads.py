"""Remembers the JSON before raw tensors, of requests and of answers: it is the same again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from serve.protocols.http import Answer
from serve.protocols.v2_tensors import Arrays, Order, Wanted
from serve.signature import Signature
from serve.tensors import dumps

_MOST = 256  # texts
_MOST_BYTES = 4096  # of each
_MOST_SHAPES = 8  # of answers to the same text


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says before its raw tensors, all of which are numbers.

    Attributes:
        signature: What the model takes for which this was read.
        wanted: The outputs that it asks for.
        names: Their names.
        order: When it wants its turn.
        places: The name, type and shape of each input, and where it begins in the body.
        size: The bytes of the whole body.
        raw: Whether all that it asks for are raw numbers.
    """

    signature: Signature
    wanted: Sequence[Wanted]
    names: Sequence[str]
    order: Order
    places: Sequence[tuple[str, np.dtype[Any], tuple[int, ...], int]]
    size: int
    raw: bool
    _answers: dict[tuple[tuple[int, ...], ...], bytes] = field(default_factory=dict)

    def feeds(self, body: bytes) -> Arrays:
        """The inputs of a body that begins like this and has this size."""
        feeds = {}
        for name, dtype, shape, start in self.places:
            array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, body, start)
            feeds[name] = array if array.flags.aligned else array.copy()
        return feeds

    def find_answer(self, outputs: Mapping[str, Any]) -> Answer | None:
        """The answer with these outputs, if all but their values was written before."""
        if not self.raw:
            return None
        arrays = outputs.values()
        text = self._answers.get(tuple([array.shape for array in arrays]))
        if text is None:
            return None
        return Answer(orjson.Fragment(text), tensors=[array.tobytes() for array in arrays])

    def remember_answer(self, outputs: Mapping[str, Any], answer: Answer) -> None:
        """Keep the JSON of an answer, which depends on nothing but the shapes of its outputs."""
        if self.raw and len(self._answers) < _MOST_SHAPES:
            shapes = tuple([array.shape for array in outputs.values()])
            self._answers[shapes] = dumps(answer.value)


class Heads:
    """The heads that were understood lately, by their text and the signature that they fit."""

    def __init__(self) -> None:
        # Clients send one text to many models, which then lie together in the processor's cache.
        self._known: dict[bytes, dict[int, Head]] = {}

    def find(self, body: bytes, length: int, signature: Signature) -> Head | None:
        """What the first bytes of a body say, if it is known; all checks are done then."""
        if length > _MOST_BYTES:
            return None
        heads = self._known.get(body[:length])
        head = None if heads is None else heads.get(id(signature))
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
        """Keep what a well answered request said, if it is plain and does not say which it is."""
        if "id" in request or not length < len(body) or length > _MOST_BYTES:
            return
        places: list[tuple[str, np.dtype[Any], tuple[int, ...], int]] = []
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
        if sum(map(len, self._known.values())) >= _MOST:
            self._known.clear()
        names = tuple(want.spec.name for want in wanted)
        raw = len(set(names)) == len(names) and all(map(_is_raw, wanted))
        head = Head(signature, wanted, names, order, tuple(places), len(body), raw)
        self._known.setdefault(body[:length], {})[id(signature)] = head


def _is_raw(want: Wanted) -> bool:
    """Whether an output is always a tensor, and is wanted as the bytes of its numbers."""
    element = want.spec.element
    number = element is not None and bool(element.code) and want.spec.type.startswith("tensor")
    return number and want.binary and not want.classes
