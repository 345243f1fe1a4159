"""Inference by the Open Inference Protocol: from a body to the answer's tensors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from serve.errors import InvalidArgument
from serve.executions import rows_in
from serve.infer import Inference
from serve.observation import Observation
from serve.protocols import files
from serve.protocols.heads import Head, Heads
from serve.protocols.http import Answer, Scope, header
from serve.protocols.quick_tensors import QuickTensors
from serve.protocols.v2_tensors import (
    Arrays,
    Wanted,
    has_pictures,
    read_bare,
    read_inputs,
    read_order,
    read_wanted,
    write_outputs,
)
from serve.signature import Signature
from serve.tensors import loads
from serve.version import Handle

_FILE = -1


class V2Inference:
    """Reads requests in all their forms, has them computed, and writes what comes out.

    Args:
        inference: Runs the models.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._heads = Heads()
        self._quick = QuickTensors()
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="pictures")

    async def answer(
        self, handle: Handle, scope: Scope, body: bytes, observation: Observation
    ) -> Answer:
        """Answer one request.

        Raises:
            InvalidArgument: The body is no request, or does not fit the model.
        """
        length = _json_length(scope, body)
        servable = handle.servable
        signature = servable.signature
        if length is None or length == _FILE:
            is_file = length == _FILE
            read = partial(read_bare, body, signature, is_file)
            feeds = await self._aside(read) if is_file else read()
            observation.has_read(rows_in(feeds))
            outputs = await self._inference.run(servable, feeds, None, observation.arrived)
            observation.has_computed()
            # Who sends a file, as curl does, wants to read the answer.
            raw = length is None
            return _write(handle, [Wanted(spec, binary=raw) for spec in signature.outputs], outputs)
        if (head := self._heads.find(body, length, signature)) is not None:
            return await self._repeat(handle, body, head, observation)
        request, feeds = await self._read(body, length, signature)
        identifier = request.get("id")
        if identifier is not None and type(identifier) is not str:
            raise InvalidArgument("'id' must be a string.")
        wanted, order = read_wanted(request, signature), read_order(request)
        observation.has_read(rows_in(feeds))
        names = [want.spec.name for want in wanted]
        outputs = await self._inference.run(
            servable, feeds, names, observation.arrived, order.timeout, order.priority
        )
        observation.has_computed()
        self._heads.remember(body, length, request, feeds, wanted, order, signature)
        return _write(handle, wanted, outputs, identifier)

    async def _read(
        self, body: bytes, length: int, signature: Signature
    ) -> tuple[dict[str, Any], Arrays]:
        """The JSON of a request, and its inputs."""
        if length == len(body) and (quick := self._quick.read(body, signature)) is not None:
            return quick
        request = loads(body if length == len(body) else body[:length])
        if type(request) is not dict:
            raise InvalidArgument("The request must be a JSON object with 'inputs'.")
        read = partial(read_inputs, request, memoryview(body)[length:], signature)
        return request, await self._aside(read) if has_pictures(request, signature) else read()

    async def _aside(self, read: Callable[[], Arrays]) -> Arrays:
        """Read pictures on a thread, as others are answered meanwhile; one at a time, for the memory."""
        return await asyncio.get_running_loop().run_in_executor(self._decoder, read)

    async def _repeat(
        self, handle: Handle, body: bytes, head: Head, observation: Observation
    ) -> Answer:
        """Answer a request whose JSON has been answered before."""
        feeds, order = head.feeds(body), head.order
        observation.has_read(rows_in(feeds))
        outputs = await self._inference.run(
            handle.servable,
            feeds,
            head.names,
            observation.arrived,
            order.timeout,
            order.priority,
            checked=True,
        )
        observation.has_computed()
        answer = head.find_answer(outputs)
        if answer is None:
            answer = _write(handle, head.wanted, outputs)
            head.remember_answer(outputs, answer)
        return answer


def _write(
    handle: Handle, wanted: Sequence[Wanted], outputs: Mapping[str, Any], identifier: Any = None
) -> Answer:
    """Write what was computed; the identifier is that of the request."""
    value: dict[str, Any] = {"model_name": handle.model, "model_version": str(handle.version)}
    if identifier is not None:
        value["id"] = identifier
    value["outputs"], tensors = write_outputs(wanted, outputs, handle.servable.signature)
    return Answer(value, tensors=tensors)


def _json_length(scope: Scope, body: bytes) -> int | None:
    """How many bytes of a body are its JSON, raw tensors being the rest.

    None where it has none and is the bytes of a tensor; `_FILE` where it is a file that holds one.
    """
    given, total = header(scope, b"inference-header-content-length"), len(body)
    if given is None:
        if header(scope, b"content-type") == b"application/octet-stream":
            return None
        return _FILE if files.is_file(body) else total
    if not given.isdigit() or len(given) > 19 or int(given) > total:
        raise InvalidArgument(
            f"Inference-Header-Content-Length {given[:40].decode('latin-1')!r} must be a number, "
            f"at most the {total} bytes of the body."
        )
    return int(given) or None
