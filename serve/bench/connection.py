"""One connection to the server under test: sends the same request, tells what was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httptools

LOST = 0  # in place of a status, where the connection broke before there was one


class Connection(asyncio.Protocol):
    """Keeps a connection, and one request on it at a time.

    Args:
        request: What is sent, head and body.
        answered: Called with this connection, the status, and whether it can be used again.
    """

    def __init__(self, request: bytes, answered: Callable[[Connection, int, bool], None]) -> None:
        self.due = 0.0
        self.refusal = b""
        self.retry_after = False
        self._request = request
        self._answered = answered
        self._waits = False
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep what it is written to."""
        self._transport = transport

    def ask(self, due: float) -> None:
        """Send the request.

        Args:
            due: When it should have been sent, by `time.perf_counter`; kept for who measures.
        """
        assert self._transport is not None
        self.due, self._waits = due, True
        self.refusal, self.retry_after = b"", False
        if self._transport.is_closing():
            asyncio.get_running_loop().call_soon(self._end, LOST, False)
        else:
            self._transport.write(self._request)

    @property
    def is_open(self) -> bool:
        """Whether the server has not closed it."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Give the connection up, silently."""
        self._waits = False
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on; what is not HTTP breaks the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(LOST, False)
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note that a refusal says when to come again."""
        if name.lower() == b"retry-after":
            self.retry_after = True

    def on_body(self, body: bytes) -> None:
        """Keep what an error says."""
        if self._parser.get_status_code() >= 400:
            self.refusal += body

    def on_message_complete(self) -> None:
        """An answer is there."""
        again = self._parser.should_keep_alive()
        if not again:
            assert self._transport is not None
            self._transport.close()
        self._end(self._parser.get_status_code(), again)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell of a request that will not be answered."""
        self._end(LOST, False)

    def _end(self, status: int, again: bool) -> None:
        if self._waits:
            self._waits = False
            self._answered(self, status, again)
