"""Two ways to ask: clients that wait for their answers, and a schedule that waits for nobody."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from serve.bench.clock import Clock
from serve.bench.connection import LOST, Connection
from serve.bench.tally import REFUSALS, Tally
from serve.bench.target import Target
from serve.errors import BenchError

PATIENCE = 10.0  # seconds that are waited for the last answers
REST = 0.1  # seconds after which a refused client asks again


class _Connections:
    """The connections of a loop, and how many requests are on them.

    Args:
        target: What is asked.
        tally: Counts.
        free: Called with a connection that can be used, and with what it was last answered.
        lost: Called when one cannot be used any more, or could not be opened, some time after.
    """

    def __init__(
        self,
        target: Target,
        tally: Tally,
        free: Callable[[Connection, int], None],
        lost: Callable[[], None],
    ) -> None:
        self.asked = 0
        self.last = 0.0  # when the last answer came
        self._target = target
        self._tally = tally
        self._free = free
        self._lost = lost
        self._began = time.process_time()
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> Connection:
        """Open one.

        Raises:
            BenchError: Nobody listens.
        """
        target = self._target
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(target.request, self._answered),
                target.host,
                target.port,
                ssl=target.tls,
            )
        except OSError as error:
            raise BenchError(f"Cannot connect to {target.address}: {error}.") from error
        self._open.add(connection)
        return connection

    def open_another(self) -> None:
        """Open one beside what else happens."""
        task = asyncio.create_task(self._open_another())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def ask(self, connection: Connection, due: float) -> None:
        """Send a request that is due, or was."""
        self.asked += 1
        connection.ask(due)

    @property
    def work(self) -> float:
        """The processor time in seconds that asking has taken so far."""
        return time.process_time() - self._began

    def close(self) -> None:
        """Give all up."""
        for task in self._tasks:
            task.cancel()
        for connection in self._open:
            connection.close()

    async def _open_another(self) -> None:
        try:
            connection = await self.connect()
        except BenchError as error:
            self._tally.complaint = self._tally.complaint or str(error)
            await asyncio.sleep(REST)
            self._lost()
        else:
            self._free(connection, LOST)

    def _answered(self, connection: Connection, status: int, again: bool) -> None:
        self.asked -= 1
        self.last = time.perf_counter()
        self._tally.add(connection, status, self.last)
        if again:
            self._free(connection, status)
            return
        self._open.discard(connection)
        if status == LOST:  # not at once: a server that has trouble would get more of it
            asyncio.get_running_loop().call_later(REST, self._lost)
        else:
            self._lost()


async def closed_loop(target: Target, clients: int, seconds: float) -> Tally:
    """Have clients ask, each again when it has its answer.

    Args:
        target: What is asked.
        clients: How many there are.
        seconds: How long they ask.

    Raises:
        BenchError: Nobody listens.
    """
    tally = Tally("closed", clients)
    loop = asyncio.get_running_loop()
    start = end = 0.0

    def go_on(connection: Connection, status: int) -> None:
        now = time.perf_counter()
        if now >= end:
            return
        if status in REFUSALS:
            loop.call_later(REST, go_on, connection, LOST)
        else:
            connections.ask(connection, now)

    def replace() -> None:
        if time.perf_counter() < end:
            connections.open_another()

    connections = _Connections(target, tally, go_on, replace)
    try:
        opened = await asyncio.gather(*(connections.connect() for _ in range(clients)))
        start = time.perf_counter()
        end = start + seconds
        for connection in opened:
            go_on(connection, LOST)
        await asyncio.sleep(seconds)
        await _finish(lambda: connections.asked == 0)
    finally:
        connections.close()
    tally.unanswered = connections.asked
    tally.seconds = max(connections.last, end) - start
    tally.busy = connections.work / tally.seconds
    return tally


async def open_loop(
    target: Target,
    rate: float,
    seconds: float,
    most: int = 128,
    tally: Tally | None = None,
    is_over: Callable[[], bool] = bool,
) -> Tally:
    """Ask at fixed times, whether earlier requests have been answered or not.

    A latency counts from when its request was due, so that requests which a slow server keeps
    from being sent are not left out of the figures: the omission that Gil Tene named, and that
    his wrk2 (https://github.com/giltene/wrk2) corrects in this way.

    Args:
        target: What is asked.
        rate: Requests a second.
        seconds: How long.
        most: The most connections; what is due while all are in use waits, and its time runs.
        tally: Counts. Defaults to a new one.
        is_over: Says, several times a second, whether to stop before the time. Defaults to never.

    Raises:
        BenchError: Nobody listens.
    """
    tally = tally or Tally("open", rate)
    total = max(1, round(rate * seconds))
    ticks = opened = 0
    idle: list[Connection] = []  # the last used first, so that few are in use
    due: deque[float] = deque()

    def free(connection: Connection, _status: int) -> None:
        if due:
            connections.ask(connection, due.popleft())
        else:
            idle.append(connection)

    def lost() -> None:
        nonlocal opened
        opened -= 1
        grow()

    def grow() -> None:
        nonlocal opened
        if len(due) > 0 and opened < most:
            opened += 1
            connections.open_another()

    def tick(count: int) -> None:
        nonlocal ticks, opened
        for _ in range(min(count, total - ticks)):
            ticks += 1
            moment = clock.start + ticks / rate
            while idle and not idle[-1].is_open:  # the server may close what is idle for long
                idle.pop()
                opened -= 1
            if idle:
                connections.ask(idle.pop(), moment)
            else:
                due.append(moment)
                grow()

    connections = _Connections(target, tally, free, lost)
    try:
        opened = 1
        idle.append(await connections.connect())
        clock = Clock(rate, tick)
        try:
            await _finish(lambda: is_over() or (ticks == total and not due), seconds)
        finally:
            clock.close()
        await _finish(lambda: connections.asked == 0)
    finally:
        connections.close()
    tally.unanswered = connections.asked + len(due)
    tally.seconds = max(connections.last, clock.start + ticks / rate) - clock.start
    tally.busy = connections.work / tally.seconds
    return tally


async def _finish(done: Callable[[], bool], seconds: float = 0.0) -> None:
    """Wait until a loop is done, which takes so many seconds; for as long as it is worth it."""
    end = time.perf_counter() + seconds + PATIENCE
    while not done() and time.perf_counter() < end:
        await asyncio.sleep(0.01)
