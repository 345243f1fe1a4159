"""The answer to one request: its head waits for its body, and both leave in one write."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from serve.protocols.http import Headers, Message

_MOST = 1024  # heads that are remembered


class Reply:
    """Takes the two messages of an ASGI answer; what is not plain is left to uvicorn.

    Args:
        cycle: Uvicorn's side of the request.
        write: Takes the bytes of a whole answer.
    """

    __slots__ = ("_cycle", "_start", "_write")

    def __init__(self, cycle: RequestResponseCycle, write: Callable[[bytes], None]) -> None:
        self._cycle = cycle
        self._write = write
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        start, self._start = self._start, None
        if start is None:
            if message["type"] == "http.response.start" and not self._cycle.response_started:
                self._start = message
                return
        elif self._send_whole(start, message):
            return
        else:
            await self._cycle.send(start)  # type: ignore[arg-type]
        await self._cycle.send(message)  # type: ignore[arg-type]

    def _send_whole(self, start: Message, message: Message) -> bool:
        """Write head and body, if there is nothing else to do; says whether it has."""
        cycle = self._cycle
        if cycle.disconnected or cycle.flow.write_paused or not cycle.keep_alive:
            return False
        if cycle.scope["method"] == "HEAD" or message.get("more_body", False):
            return False
        headers, body = start.get("headers", ()), message.get("body", b"")
        if type(headers) is not tuple:
            return False
        head, length = _head(start["status"], (*cycle.default_headers, *headers))
        if length != len(body):
            return False
        self._write(head + body)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()
        return True


@lru_cache(_MOST)
def _head(status: int, headers: Headers) -> tuple[bytes, int]:
    """The head of an answer and the length of body that it says; -1 where it is not plain.

    Most answers have the head of one before, but for the date, which changes every second.
    """
    parts = [STATUS_LINE[status]]
    length = b""
    for name, value in headers:
        if name == b"content-length":
            length = value
        elif name in (b"connection", b"transfer-encoding"):
            return b"", -1
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    head = b"".join(parts)
    lines = len(headers) + 2
    plain = length.isdigit() and head.count(b"\n") == head.count(b"\r") == lines
    return head, int(length) if plain else -1
