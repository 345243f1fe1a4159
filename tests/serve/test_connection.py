"""Clients that misbehave, on bare sockets."""

import asyncio
import gzip
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from serve.connection import Connection
from tests.serve import models
from tests.serve.process import PATIENCE, Client, Server, wait_until
from tests.serve.test_metrics import count

PREDICT = b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("models")
    models.publish(folder, "half_plus_two", 1, models.HALF_PLUS_TWO)
    models.publish(folder, "slow", 1, models.SLOW)
    flags = ["--head-timeout", "0.3", "--body-timeout", "0.5", "--threads", "1"]
    with Server(folder, *flags, "--request-timeout", "1", "--max-queue", "2") as server:
        client = server.client()
        wait_until(lambda: client.is_available("half_plus_two"), "the model is there")
        wait_until(lambda: client.is_available("slow"), "the slow model is there")
        client.close()
        yield server


def talk(server: Server, *parts: bytes) -> bytes:
    """Send bytes; returns all that comes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
        for part in parts:
            sock.sendall(part)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def post(body: bytes, *headers: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return PREDICT + b"\r\n".join((length, b"Connection: close", *headers)) + b"\r\n\r\n" + body


def test_a_head_that_does_not_arrive_is_given_up(impatient: Server) -> None:
    answer = talk(impatient, PREDICT)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 0.3 seconds" in answer
    assert talk(impatient) == b""  # who says nothing is told nothing


def test_a_body_that_comes_byte_by_byte_is_given_up(impatient: Server) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), PATIENCE) as sock:
        sock.sendall(PREDICT + b"Content-Length: 1000\r\n\r\n")
        ended = threading.Event()

        def drip() -> None:
            while not ended.wait(0.05):
                try:
                    sock.sendall(b" ")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert sock.recv(65536).startswith(b"HTTP/1.1 408 ")
        ended.set()
        dripping.join()


@pytest.mark.parametrize(
    "value", [b"many", b"-1", b"1e3", b"99999999999999999999999", b"2\r\nContent-Length: 3"]
)
def test_a_malformed_content_length_is_refused(server: Server, value: bytes) -> None:
    answer = talk(server, PREDICT + b"Content-Length: " + value + b"\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.split(b"\r\n\r\n")[1])["error"]


def test_what_is_not_http_is_refused(server: Server) -> None:
    assert talk(server, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_head_without_end_is_refused(server: Server) -> None:
    answer = talk(server, PREDICT + b"X-Long: " + b"x" * 70_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_body_over_the_limit_is_refused_before_it_is_sent(server: Server) -> None:
    answer = talk(server, PREDICT + b"Content-Length: 1000001\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unknown_length_over_the_limit_is_refused(server: Server) -> None:
    head = PREDICT + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert talk(server, head + 16 * chunk + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_a_client_that_hangs_up_within_its_body_leaves_nothing_behind(impatient: Server) -> None:
    client = impatient.client()
    before = client.metric("tapeline_requests_in_progress")
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", impatient.port), PATIENCE) as sock:
            sock.sendall(PREDICT + b"Content-Length: 1000\r\n\r\n{")
    assert client.predict("half_plus_two", [2]) == [3.0]
    assert client.metric("tapeline_requests_in_progress") == before == 0
    client.close()
    assert impatient.errors == []


def test_a_gzip_bomb_is_refused(server: Server) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    assert len(bomb) < 100_000
    assert talk(server, post(bomb, b"Content-Encoding: gzip")).startswith(b"HTTP/1.1 413 ")


def test_truncated_gzip_is_refused(server: Server) -> None:
    whole = gzip.compress(b'{"instances": [1, 2, 3]}')
    answer = talk(server, post(whole[:-9], b"Content-Encoding: gzip"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"ends too early" in answer


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"instances":['])
def test_json_nested_3000_deep_is_refused(server: Server, opening: bytes) -> None:
    assert talk(server, post(opening * 3000)).startswith(b"HTTP/1.1 400 ")
    closing = opening.translate(bytes.maketrans(b"[{", b"]}"), b'"ainstces:')[::-1]
    body = opening * 3000 + b"1" + closing * 3000
    assert talk(server, post(body)).startswith(b"HTTP/1.1 400 ")


def rounds(number: int) -> bytes:
    body = b'{"inputs": %d}' % number
    head = b"POST /v1/models/slow:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def test_the_run_of_a_client_that_hangs_up_is_ended(impatient: Server) -> None:
    client: Client = impatient.client()
    before = count(client, "slow", "499")
    with socket.create_connection(("127.0.0.1", impatient.port), PATIENCE) as sock:
        sock.sendall(rounds(2**40))
        wait_until(lambda: client.metric("tapeline_requests_in_progress"), "it is answered")
    wait_until(lambda: count(client, "slow", "499") > before, "it is given up")
    assert client.post("/v1/models/slow:predict", {"inputs": 1})[0] == 200  # on the only thread
    client.close()
    assert impatient.errors == []


def test_deadline_and_full_queue_have_their_codes(impatient: Server) -> None:
    socks = []
    client = impatient.client()
    for number in range(3):
        socks.append(socket.create_connection(("127.0.0.1", impatient.port), PATIENCE))
        socks[-1].sendall(rounds(2**40))
        wait_until(
            lambda number=number: client.metric("tapeline_requests_in_progress") > number,
            "it is being answered",
        )
    status, answer = client.post("/v1/models/slow:predict", {"inputs": 1})
    assert status == 429, answer
    assert int(client.headers["retry-after"]) >= 1
    for sock in socks:
        assert sock.recv(65536).startswith(b"HTTP/1.1 504 ")
        sock.close()
    client.close()


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    numbers = range(1000)
    requests = []
    for number in numbers:
        body = b'{"instances": [%d]}' % number
        requests.append(PREDICT + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        if number == 500:  # answered by a task, not at once
            requests.append(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    requests.append(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = talk(server, b"".join(requests))
    found = re.findall(rb'"predictions":\[([\d.]+)\]|("live"|"openapi")', answer)
    values = [float(value) for value, _ in found if value]
    assert values == [number / 2 + 2 for number in numbers]
    assert [index for index, (value, _) in enumerate(found) if not value] == [501, 1001]


def test_a_request_in_pieces_is_the_same_request(server: Server) -> None:
    request = post(b'{"instances": [1, 2]}')
    for cut in (10, len(request) - 25, len(request) - 1):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
            sock.sendall(request[:cut])
            time.sleep(0.02)
            sock.sendall(request[cut:])
            answer = b"".join(iter(lambda sock=sock: sock.recv(65536), b""))
        assert answer.endswith(b'{"predictions":[2.5,3.0]}')


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_a_request_that_wishes_for_another_protocol_is_answered(
    server: Server, protocol: bytes
) -> None:
    """As curl --http2 begins, and Java's HttpClient without being told."""
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AA" % protocol
    last = post(b'{"instances": [1]}', wish)
    request = last.replace(b"Connection: close\r\n", b"")
    assert talk(server, request * 3, last).count(b'{"predictions":[2.5]}') == 4
    pieces = [last[at : at + 1] for at in range(len(last))]
    assert talk(server, *pieces).endswith(b'{"predictions":[2.5]}')


def test_connect_is_refused(server: Server) -> None:
    for target in b"x:80", b"/v1/models":
        answer = talk(server, b"CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n" % target)
        assert answer.startswith(b"HTTP/1.1 405 ")


def test_a_client_without_requests_is_left_in_time() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    async def main() -> None:
        config = uvicorn.Config(app, http=Connection, log_config=None)
        config.load()
        made: list[Connection] = []

        def connect() -> Connection:
            made.append(Connection(config, ServerState(), {}))
            return made[0]

        server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for path in (b"/v2/x", b"/other"):
            writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
            assert await reader.readuntil(b"{}")
            made[0].expire(10, 10, idle_seconds=10)
        made[0].expire(10, 10, idle_seconds=0)
        assert await reader.read() == b""
        writer.close()
        server.close()

    asyncio.run(main())


def ask_and_end(server: Server, request: bytes) -> bytes:
    """Send a request and the end of this side; returns all that comes."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_a_client_that_only_listens_is_answered(server: Server) -> None:
    body = b'{"instances": [2]}'
    quick = PREDICT + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert b'{"predictions":[3.0]}' in ask_and_end(server, quick)
    two = ask_and_end(server, quick + quick)
    assert two.count(b'{"predictions":[3.0]}') == 2
    slow = ask_and_end(server, rounds(3000))  # beside the event loop
    assert slow.count(b"HTTP/1.1 200 OK") == 1
    assert slow.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert ask_and_end(server, PREDICT) == b""  # not a request yet


def test_one_connection_too_many_is_refused_and_costs_nobody_else(tmp_path: Path) -> None:
    models.publish(tmp_path, "half_plus_two", 1, models.HALF_PLUS_TWO)
    with Server(tmp_path, "--max-connections", "3") as server:
        clients = [server.client() for _ in range(3)]
        wait_until(lambda: clients[0].is_available("half_plus_two"), "the model is there")
        assert [client.get("/v2/health/live")[0] for client in clients] == [200] * 3
        answer = talk(server)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in answer
        assert json.loads(answer.split(b"\r\n\r\n")[1])["error"].startswith("There are 3")
        assert clients[0].predict("half_plus_two", [2]) == [3.0]
        clients[1].close()
        wait_until(
            lambda: talk(server, post(b'{"instances": [2]}')).startswith(b"HTTP/1.1 200"), "room"
        )
