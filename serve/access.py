"""The access log, a line of JSON for each request, and the identifiers that clients send along."""

from __future__ import annotations

import logging
import re
import time
from datetime import UTC, datetime

from serve.observation import CLIENT_GONE
from serve.protocols.http import Headers, Message, Scope, Send
from serve.tensors import dumps

_ECHOED = (b"x-request-id", b"traceparent")  # the second is W3C's Trace Context
_HARMLESS = re.compile(rb"[\x21-\x7e]{1,200}")

logger = logging.getLogger("serve.access")


def identifiers(headers: Headers) -> Headers:
    """The headers of a request that its answer repeats.

    Example:
        >>> identifiers(((b"x-request-id", b"42"), (b"accept", b"*/*")))
        ((b'x-request-id', b'42'),)
    """
    return tuple((n, v) for n, v in headers if n in _ECHOED and _HARMLESS.fullmatch(v))


class Access:
    """Takes the answer to one request on its way: adds its identifiers, notes what is logged.

    Args:
        scope: The request, as ASGI has it.
        send: Takes the answer.
        headers: Added to the answer.
    """

    def __init__(self, scope: Scope, send: Send, headers: Headers) -> None:
        self._scope = scope
        self._send = send
        self._headers = headers
        self._start = time.perf_counter()
        self._status = self._size = 0

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = (*message.get("headers", ()), *self._headers)
        else:
            self._size += len(message.get("body", b""))
        await self._send(message)

    def log(self) -> None:
        """Write the line."""
        client = self._scope.get("client")
        identified = {name.decode(): value.decode() for name, value in self._headers}
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": client[0] if client else None,
            "method": self._scope["method"],
            "path": self._scope["raw_path"].decode("latin-1"),
            "status": self._status or CLIENT_GONE,
            "bytes": self._size,
            "seconds": round(time.perf_counter() - self._start, 6),
            **{name.replace("-", "_").removeprefix("x_"): v for name, v in identified.items()},
        }
        logger.info("%s", dumps(line).decode())
