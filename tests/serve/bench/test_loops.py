"""The load generator against servers of a few lines that are slow, rude, or have too much to do."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from serve.bench import loops
from serve.bench.clock import Clock
from serve.bench.loops import closed_loop, open_loop
from serve.bench.tally import Tally
from serve.bench.target import Target

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
Loop = Callable[[Target], Coroutine[Any, Any, Tally]]


def run(loop: Loop, answer: Answer) -> Tally:
    """Run a loop against a server that answers in this way."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await reader.readuntil(b"\r\n\r\n")
                await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main() -> Tally:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        tally = await loop(Target("127.0.0.1", port, None, "/", REQUEST, "nothing"))
        server.close()
        await asyncio.sleep(0.01)  # for what was still being served
        return tally

    return uvloop.run(main())


def say(content: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(content)

    return answer


def test_clients_wait_for_their_answers() -> None:
    asked = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        asked.append(time.perf_counter())
        await asyncio.sleep(0.02)
        writer.write(OK)

    tally = run(lambda target: closed_loop(target, 3, 0.3), answer)
    assert tally.asked == len(asked) == tally.statuses[200] == len(tally.latencies)
    assert 3 <= tally.asked <= 3 * 15
    assert min(tally.latencies) > 0.015  # libuv counts whole milliseconds
    assert (tally.refused, tally.failed) == (0, 0)
    assert tally.throughput == pytest.approx(tally.asked / tally.seconds)


def test_a_schedule_waits_for_nobody() -> None:
    """One stall is what a closed loop sees once, and an open one in everything that was due."""

    def stalling() -> Answer:
        begun: list[float] = []

        async def answer(writer: asyncio.StreamWriter) -> None:
            begun.append(time.perf_counter())
            await asyncio.sleep(begun[0] + 0.4 - begun[-1])
            writer.write(OK)

        return answer

    closed = run(lambda target: closed_loop(target, 1, 0.5), stalling())
    assert closed.latencies[0] > 0.35
    assert sum(latency > 0.1 for latency in closed.latencies) < 10
    tally = run(lambda target: open_loop(target, 200.0, 0.5, most=1), stalling())
    assert tally.asked == len(tally.latencies) == 100
    # Of the 80 that were due in the stall, those of the first 0.25 s waited for 0.1 s and more.
    assert sum(latency > 0.1 for latency in tally.latencies) >= 50
    assert tally.seconds >= 0.5


def test_more_connections_are_opened_when_they_are_needed() -> None:
    open_now: set[int] = set()

    async def answer(writer: asyncio.StreamWriter) -> None:
        open_now.add(id(writer))
        await asyncio.sleep(0.2)
        writer.write(OK)

    tally = run(lambda target: open_loop(target, 100.0, 0.3, most=7), answer)
    assert tally.statuses == {200: 30}
    assert len(open_now) == 7


def test_refusals_are_no_failures_and_say_when_to_come_again() -> None:
    answer = say(
        b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nfull"
    )
    tally = run(lambda target: open_loop(target, 100.0, 0.2), answer)
    assert tally.statuses == {429: 20}
    assert (tally.refused, tally.failed, tally.retry_after) == (20, 0, 20)
    assert tally.complaint == "429: full"
    tally = run(lambda target: closed_loop(target, 2, 0.25), answer)
    assert 2 <= tally.refused <= 6  # whoever is refused rests before it asks again


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 500),
        (b"this is not HTTP\r\n\r\n", 0),
    ],
)
def test_failures_are_counted(content: bytes, status: int) -> None:
    tally = run(lambda target: open_loop(target, 100.0, 0.1), say(content))
    assert tally.statuses == {status: 10}
    assert tally.failed == 10
    assert tally.percentile(50) != tally.percentile(50)  # not a number: nothing was answered


def test_connections_that_break_are_replaced() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.close()

    for loop in (
        lambda target: open_loop(target, 100.0, 0.1),
        lambda target: closed_loop(target, 2, 0.1),
    ):
        tally = run(loop, answer)
        assert set(tally.statuses) == {0}
        assert tally.failed >= 2
        assert tally.complaint == "the connection broke"


def test_a_server_that_hangs_up_at_once_is_no_error_of_ours() -> None:
    async def main() -> list[Tally]:
        def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = Target("127.0.0.1", port, None, "/", REQUEST, "nothing")
        tallies = [await closed_loop(target, 16, 0.3), await open_loop(target, 50.0, 0.2)]
        server.close()
        return tallies

    for tally in uvloop.run(main()):
        assert tally.failed == tally.asked > 0


def test_a_connection_that_was_closed_while_idle_is_no_failure() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        asyncio.get_running_loop().call_later(0.05, writer.close)  # as if it had a keep-alive time

    tally = run(lambda target: open_loop(target, 5.0, 1.0), answer)
    assert tally.statuses == {200: 5}


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
def test_other_ways_to_end_an_answer_are_known(content: bytes) -> None:
    tally = run(lambda target: open_loop(target, 100.0, 0.2), say(content))
    assert tally.statuses == {200: 20}


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "PATIENCE", 0.1)

    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(100)

    tally = run(lambda target: open_loop(target, 100.0, 0.1, most=2), never)
    assert (tally.unanswered, tally.failed, tally.asked) == (10, 10, 10)
    tally = run(lambda target: closed_loop(target, 2, 0.1), never)
    assert (tally.unanswered, tally.failed) == (2, 2)


def test_the_clock_ticks_at_its_rate() -> None:
    async def main() -> tuple[float, int, float]:
        ticks: list[int] = []
        before = time.perf_counter()
        clock = Clock(20_000, ticks.append)
        started = time.perf_counter()
        await asyncio.sleep(0.1)
        least = time.perf_counter() - started
        await asyncio.sleep(0.05)
        clock.close()
        return least, sum(ticks), time.perf_counter() - before

    least, ticks, most = uvloop.run(main())
    assert least * 20_000 - 1 <= ticks <= most * 20_000
