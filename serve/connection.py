"""A connection: uvicorn's, with limits on its heads and its patience, ended work for gone clients."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from serve import eager
from serve.protocols.http import Receive, Scope, Send
from serve.reply import Reply
from serve.tensors import dumps

MAX_HEAD_BYTES = 64 * 2**10
MOST = 4096  # connections

# Nothing that answers these asks for its task before it waits; FastAPI does.
_EAGER = (b"/v1/", b"/v2/")
# What may come before the answer, and means nothing to a client that did not ask for it (RFC 9110,
# 15.2.1). A client that is gone answers it with a reset, so that the next write fails.
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
_ROUND_TRIP = 0.1  # seconds that a reset may take

# The connections of each loop that have something to send at the end of its turn.
_UNSENT: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Connection]] = WeakKeyDictionary()


class Connection(HttpToolsProtocol):
    """Reads requests and sends answers.

    What uvicorn lacks: a limit on the size of a request's head and on the number of connections that
    does not cost those who have one, an end to requests that never become complete, to work whose
    client is gone, answers for clients that only listen, and errors in the form of all others. A
    request that came as a whole is answered at once, without a task or a timer of its own.

    Args:
        args: For uvicorn.
        most: How many connections there may be; one more is refused.
        kwargs: For uvicorn.
    """

    def __init__(self, *args: Any, most: int = MOST, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most = most
        self._since: float | None = None  # when the request began that is being read
        self._in_head = True
        self._head_bytes = 0
        self._last = False
        self._parsing = False
        self._begun: tuple[RequestResponseCycle, Any] | None = None
        self._unsent = b""
        self._neighbors = _UNSENT.setdefault(self.loop, [])
        self._idle_since = 0.0  # matters only between two requests
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request, if there is room for one more client."""
        super().connection_made(transport)
        self._since = self.loop.time()
        if len(self.connections) > self._most:
            self.refuse(503, f"There are {self._most} connections already, the limit here.", b"1")

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Answer a client that has only ended its own side; find out whether it is there at all."""
        self.flush()
        asked = self.cycle is not None and not self.cycle.response_complete and self._since is None
        if not asked or self.scheme == "https" or self.scope["http_version"] != "1.1":
            return None
        self.cycle.keep_alive = False
        self._probe()
        self.loop.call_later(_ROUND_TRIP, self._probe)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End the work for a client that is gone."""
        super().connection_lost(exc)
        if self._task is not None and self.cycle is not None and not self.cycle.response_complete:
            self._task.cancel()
        self._task = None

    def data_received(self, data: bytes) -> None:
        """Read on; refuse a head that is too large."""
        if self._since is None:
            self._since = self.loop.time()
        if self._in_head:
            self._head_bytes += len(data)
        self._parsing = True
        self._feed(data)
        self._parsing = False
        if self._begun is not None:
            begun, self._begun = self._begun, None
            if not self.transport.is_closing():
                self._start(*begun, whole=not begun[0].more_body)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self.refuse(431, f"The head of a request may have {MAX_HEAD_BYTES} bytes.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The head is complete: its time is over, and that of the body begins."""
        if self.parser.should_upgrade():
            return  # it is read again
        self._in_head, self._head_bytes = False, 0
        self._since = self.loop.time()
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is complete: from now on it is our time."""
        if self.parser.should_upgrade():
            return
        self._in_head, self._since = True, None
        super().on_message_complete()

    def write(self, answer: bytes) -> None:
        """Send an answer once all sockets that have something to say now have been heard.

        Whoever reads several of the answers is then woken once, which costs more than writing.
        """
        if not self._unsent:
            if not self._neighbors:
                self.loop.call_soon(_flush, self._neighbors)
            self._neighbors.append(self)
        self._unsent += answer

    def flush(self) -> None:
        """Send now what is to be sent."""
        unsent, self._unsent = self._unsent, b""
        if unsent and not self.transport.is_closing():
            self.transport.write(unsent)

    def shutdown(self) -> None:
        """Answer what has come, even in part, and close then."""
        self.flush()
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self._head_bytes:
            self._last = True
        else:
            super().shutdown()

    def on_response_complete(self) -> None:
        """The request is answered: turn to the next one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()

    def expire(self, head_seconds: float, body_seconds: float, idle_seconds: float) -> None:
        """Give up a request that takes longer to arrive than this, or a client that has none."""
        answered = self.cycle is not None and self.cycle.response_complete
        if self._since is None and answered:
            if self.loop.time() >= self._idle_since + idle_seconds:
                self.transport.close()
            return
        limit, part = (head_seconds, "head") if self._in_head else (body_seconds, "body")
        if self._since is None or self.pipeline or self.loop.time() < self._since + limit:
            return
        if self._in_head and not self._head_bytes:
            self.transport.close()
        else:
            self.refuse(408, f"The {part} of the request did not arrive within {limit:g} seconds.")

    def refuse(self, status: int, message: str, retry_after: bytes = b"") -> None:
        """Answer outside of the application, and close."""
        self.flush()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = dumps({"error": message})
            head = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
            if retry_after:
                head += b"retry-after: %s\r\n" % retry_after
            parts = (STATUS_LINE[status], head, b"connection: close\r\n\r\n", body)
            self.transport.write(b"".join(parts))
        self.transport.close()

    def _feed(self, data: bytes) -> None:
        """Parse what has come.

        Clients of HTTP/2 begin with a request that wishes for it, and take an answer of HTTP/1.1
        just as well (RFC 9110, 7.8). The parser, though, ends with such a request before its body:
        so it is read again without the wish.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as wish:
                if self.parser.get_method() == b"CONNECT":
                    self.refuse(405, "The method must not be CONNECT: this is no proxy.")
                    return
                data = self._head_without_wish() + data[wish.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            except httptools.HttpParserError:
                self.logger.warning("Invalid HTTP request received.")
                self.refuse(400, "Invalid HTTP request received.")
                return
            else:
                return

    def _head_without_wish(self) -> bytes:
        """The head that was read last, without the header that names another protocol."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _probe(self) -> None:
        """Write what a client that is there passes over."""
        if not self.transport.is_closing() and not self.cycle.response_started:
            self.transport.write(_INTERIM)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._parsing:  # what else has come belongs to this request, or waits for its answer
            self._begun = cycle, app
        else:
            self._start(cycle, app, whole=False)

    def _start(self, cycle: RequestResponseCycle, app: Any, whole: bool) -> None:
        """Answer a request: at once, if all of it is there."""
        self.flush()
        reply = Reply(cycle, self.write)

        async def answer(scope: Scope, receive: Receive, _send: Send) -> None:
            try:
                await app(scope, receive, reply.send)
            except asyncio.CancelledError:
                if not cycle.disconnected:
                    raise

        work = cycle.run_asgi(answer)  # type: ignore[arg-type]
        if whole and cycle.scope["raw_path"].startswith(_EAGER):
            self._task = eager.start(self.loop, work)
        else:
            self._task = self.loop.create_task(work)
        if self._task is not None:
            self._task.add_done_callback(self.tasks.discard)
            self.tasks.add(self._task)


def _flush(connections: list[Connection]) -> None:
    for connection in connections:
        connection.flush()
    connections.clear()
