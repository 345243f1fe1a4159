"""How many requests a second the load generator of `tapeline bench` can send and count itself.

It asks a server that reads nothing and answers from memory, in a process of its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.connection import Connection as Pipe

import uvloop

from serve.bench.loops import closed_loop, open_loop
from serve.bench.target import Target

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3136\r\n\r\n" + bytes(3136)
SECONDS = 3.0


class Canned(asyncio.Protocol):
    """Answers whatever comes, unread."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.write = transport.write

    def data_received(self, data: bytes) -> None:
        self.write(ANSWER)


def serve(pipe: Pipe) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Canned, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


def main() -> None:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=[there], daemon=True)
    server.start()
    target = Target("127.0.0.1", here.recv(), None, "/", REQUEST, "784 floats")
    for clients in (1, 16, 64):
        tally = uvloop.run(closed_loop(target, clients, SECONDS))
        print(f"{clients} clients: {tally.throughput:,.0f} a second, busy {tally.busy:.0%}")
    for rate in (1_000, 5_000, 10_000, 15_000):
        tally = uvloop.run(open_loop(target, rate, SECONDS))
        print(
            f"{rate:,} a second: {tally.throughput:,.0f} answered, p50 {tally.percentile(50):.3f} ms,"
            f" p99 {tally.percentile(99):.3f} ms, busy {tally.busy:.0%}"
        )
    server.terminate()


if __name__ == "__main__":
    main()
