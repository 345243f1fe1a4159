"""Answers on their way: what is not plain goes uvicorn's way and arrives all the same."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from serve.connection import Connection


def answer(messages: list[dict[str, Any]], method: bytes = b"GET") -> bytes:
    """What a client reads when an application sends these messages."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    async def main() -> bytes:
        config = uvicorn.Config(app, http=Connection, log_config=None)
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(config, ServerState(), {}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(method + b" /v2/x HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.write(b"GET /v2/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        read = await reader.read()
        writer.close()
        server.close()
        return read

    return asyncio.run(main())


def start(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": headers}


def body(content: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


LENGTH = (b"content-length", b"3")


def test_head_and_body_arrive() -> None:
    assert answer([start((b"x-one", b"1"), LENGTH), body(b"abc")]).startswith(
        b"HTTP/1.1 200 OK\r\nx-one: 1\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n"
    )


def test_a_body_in_parts_arrives() -> None:
    assert b"\r\n\r\nabc" in answer([start(LENGTH), body(b"a", more=True), body(b"bc")])
    chunked = answer([start(), body(b"abc", more=True), body(b"d")])
    assert b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n" in chunked


def test_the_answer_to_head_has_no_body() -> None:
    both = answer([start(LENGTH), body(b"abc")], b"HEAD")
    assert both.count(b"content-length: 3") == 2
    assert both.count(b"abc") == 1


def test_connection_close_is_obeyed() -> None:
    closing = answer([start((b"connection", b"close"), LENGTH), body(b"abc")])
    assert closing.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("value", [b"1\r\nx-two: 2", b"1\n", b"\r"])
def test_a_header_never_becomes_two(value: bytes) -> None:
    injected = answer([start((b"x-one", value), LENGTH), body(b"abc")])
    assert b"abc" not in injected
    assert b"x-two" not in injected


def test_a_body_of_another_length_is_never_sent_as_whole() -> None:
    assert b"abcd" not in answer([start(LENGTH), body(b"abcd")])
