"""Requests and answers as both protocols need them: a body read within limits, JSON written."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from serve.errors import InvalidArgument, ServeError, TooLarge
from serve.tensors import dumps

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("serve")


_JSON = ((b"content-type", b"application/json"),)
_BINARY = ((b"content-type", b"application/octet-stream"),)
_WINDOWS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}  # by their names in HTTP


class Disconnected(Exception):
    """The client went away before its request was complete: nobody waits for an answer."""


Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class Answer:
    """What a request is answered with.

    Attributes:
        value: Written as JSON; None leaves the body empty.
        status: The HTTP status.
        tensors: Raw bytes that follow the JSON, as V2's binary tensors do.
        coding: How it is compressed: gzip or deflate; empty where it is not.
    """

    value: Any
    status: int = 200
    tensors: Sequence[bytes] = ()
    coding: bytes = b""

    def body(self) -> tuple[bytes, Headers]:
        """The bytes to send, and the headers that say what they are."""
        body = b"" if self.value is None else dumps(self.value)
        kind: Headers = _JSON
        if self.tensors:
            length = (b"inference-header-content-length", b"%d" % len(body))
            body, kind = b"".join((body, *self.tensors)), (*_BINARY, length)
        if self.coding:
            compressor = zlib.compressobj(level=1, wbits=_WINDOWS[self.coding])
            body = compressor.compress(body) + compressor.flush()
            kind = (*kind, (b"content-encoding", self.coding))
        return body, kind


async def respond(
    answer: Callable[[Scope, Receive], Awaitable[Answer]],
    scope: Scope,
    receive: Receive,
    send: Send,
    headers: Headers = (),
) -> None:
    """Answer a request in JSON; every error becomes its status and `{"error": "..."}`.

    Args:
        answer: Answers the request or raises.
        scope: The request, as ASGI has it.
        receive: Gives the parts of its body.
        send: Takes the answer.
        headers: Sent with every answer.
    """
    kind: Headers = _JSON
    try:
        given = await answer(scope, receive)
        status, (body, kind) = given.status, given.body()
    except Disconnected:
        return
    except ServeError as error:
        status, body = error.status, dumps({"error": str(error)})
        headers = (*headers, *error.headers)
    except asyncio.CancelledError:  # uvicorn does it to what outlasts the limit at the end
        status, body = 503, b'{"error":"The server is stopping: the request was ended."}'
    except Exception:
        logger.exception("%s %s failed", scope["method"], scope["path"])
        status, body = 500, b'{"error":"Internal error: the log of the server says more."}'
    headers = (*kind, (b"content-length", b"%d" % len(body)), *headers)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(error: ServeError, send: Send) -> None:
    """Answer with an error."""
    body = dumps({"error": str(error)})
    headers = (*_JSON, (b"content-length", b"%d" % len(body)), *error.headers)
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read a whole body, decompressed.

    Args:
        scope: The request, as ASGI has it.
        receive: Gives the parts of the body.
        limit: The most bytes it may have, before and after decompression.

    Raises:
        TooLarge: It has more.
        InvalidArgument: It is not compressed as its header says.
        Disconnected: The client went away.
    """
    encoding = b""
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > limit:
            raise _too_large(limit)
        if name == b"content-encoding":
            encoding = value.lower()
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        more = message.get("more_body", False)
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    return body if encoding in (b"", b"identity") else _decompress(body, encoding, limit)


def header(scope: Scope, wanted: bytes) -> bytes | None:
    """The value of a header, whose name is given in lower case; None where it is not there."""
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return None


def wanted_coding(scope: Scope) -> bytes:
    """How a client wants its answer compressed; empty where it does not ask for just one way.

    Browsers and the common libraries offer several ways with every request, and do not mean that results
    should take the time; Triton's clients name the one that they were told to ask for.
    """
    wanted = header(scope, b"accept-encoding")
    return wanted if wanted in _WINDOWS else b""


def read_version(text: str | None) -> int | None:
    """Read the version in a path; None stands for the newest.

    Raises:
        InvalidArgument: It is not a number of 64 bits.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise InvalidArgument(f"Failed to convert version: {text[:40]} to numeric.")
    return int(text)


def _decompress(body: bytes, encoding: bytes, limit: int) -> bytes:
    if encoding not in (b"gzip", b"x-gzip"):
        raise InvalidArgument(f"Content-Encoding {encoding.decode('latin-1')!r} is not gzip.")
    decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = decompressor.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidArgument(f"The body is not gzip, as its header says: {error}.") from error
    if len(text) > limit:
        raise _too_large(limit)
    if not decompressor.eof:
        raise InvalidArgument("The compressed body ends too early.")
    return text


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes, the limit of this server.")
