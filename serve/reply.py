"""The answer to one request: its head waits for its body, and both leave in one write."""

from __future__ import annotations

from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from serve.protocols.http import Message


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
        body = message.get("body", b"")
        parts = [STATUS_LINE[start["status"]]]
        length = b""
        count = 2  # the ends of the status line and of the head
        for headers in (cycle.default_headers, start.get("headers", ())):
            for name, value in headers:
                if name == b"content-length":
                    length = value
                elif name in (b"connection", b"transfer-encoding"):
                    return False
                parts += (name, b": ", value, b"\r\n")
                count += 1
        parts.append(b"\r\n")
        head = b"".join(parts)
        if length != b"%d" % len(body) or head.count(b"\n") != count or head.count(b"\r") != count:
            return False
        self._write(head + body)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()
        return True
