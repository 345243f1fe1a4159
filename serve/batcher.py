"""The queue of one model: bounded, joined into batches, left by whoever no longer waits."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serve.admission import Admission
from serve.batching import (
    Batching,
    Key,
    divide,
    join,
    key_of,
    padded_size,
    rows_of,
    split,
    take,
)
from serve.budget import ThreadBudget
from serve.errors import DeadlineExceeded, ServeError, TooManyRequests, Unavailable
from serve.executions import rows_in
from serve.servable import Feeds, Run, Servable

Outputs = dict[str, Any]


@dataclass(slots=True, eq=False)
class _Batch:
    """A run, which is ended when nobody waits for it."""

    waiting: int
    run: Run = field(default_factory=Run)

    def leave(self) -> None:
        self.waiting -= 1
        if not self.waiting:
            self.run.cancel()


@dataclass(slots=True, eq=False)
class _Request:
    """What waits in the queue.

    Attributes:
        rows: How many examples it has, counted as 1 where it cannot be joined with others.
        key: What those have that it can be joined with; None where there are none.
        queued: When it came here, by `time.perf_counter`.
        priority: It stands behind all whose number is not higher.
    """

    servable: Servable
    feeds: Feeds
    names: Sequence[str] | None
    rows: int
    key: Key | None
    done: asyncio.Future[Outputs]
    queued: float
    priority: float
    batch: _Batch | None = None


@dataclass(slots=True)
class Totals:
    """What a queue has done so far.

    Attributes:
        runs: How often the model was run.
        requests: How many requests, or parts of split ones, were computed.
        rows: How many examples they had.
        padding: How many examples were added to fill up batches.
        waited: The seconds that requests waited, summed up.
    """

    runs: int = 0
    requests: int = 0
    rows: int = 0
    padding: int = 0
    waited: float = 0.0


class Batcher:
    """Queues requests for one servable and runs them, joined where that is wanted and possible.

    Args:
        policy: The bounds of the queue and of the batches.
        budget: Says when a run may start.
        pool: The threads.
        threads: How many threads a run takes.
        seconds: How long one example takes; infinite where that is unknown.
        parallel: How many runs there may be at once.
    """

    def __init__(
        self,
        policy: Batching,
        budget: ThreadBudget,
        pool: ThreadPoolExecutor,
        threads: int,
        seconds: float,
        parallel: int,
    ) -> None:
        self.policy = policy
        self.runs: set[Run] = set()
        self.totals = Totals()
        self._budget = budget
        self._pool = pool
        self._threads = threads
        self._seconds = seconds if math.isfinite(seconds) else 0.0
        self._parallel = parallel
        self._admission = Admission(policy.max_queue, policy.queue_seconds, parallel)
        self._computed = self._rows_computed = 0
        self._queue: deque[_Request] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._full = asyncio.Event()
        self._joins = policy.enabled

    async def run(
        self,
        servable: Servable,
        feeds: Feeds,
        names: Sequence[str] | None,
        arrived: float,
        limit: float,
        priority: int = 0,
    ) -> Outputs:
        """Compute a servable's outputs once it is this request's turn.

        Args:
            servable: The one of this queue.
            feeds: Inputs by name.
            names: The outputs to compute; None for all.
            arrived: When the request was complete, by `time.perf_counter`.
            limit: Seconds from then on after which it is given up.
            priority: 1 goes before 2, and so on; 0 after those. Defaults to 0.

        Raises:
            InvalidArgument: The model cannot take these inputs.
            TooManyRequests: Too much is waiting already.
            DeadlineExceeded: The limit has passed.
            Unavailable: The server is stopping.
        """
        self.admit()
        requests = self._requests(servable, feeds, names, priority or math.inf)
        self._enqueue(requests)
        if self._rows() >= self.policy.max_batch_size:
            self._full.set()
        if len(self._workers) < self._parallel:
            self._workers.add(asyncio.create_task(self._work()))
        left = arrived + limit - time.perf_counter()
        timer = asyncio.get_running_loop().call_later(left, self._expire, requests, limit)
        try:
            results = [await request.done for request in requests]
        except BaseException:
            for request in requests:
                self._leave(request)
            raise
        finally:
            timer.cancel()
        if len(results) == 1:
            return results[0]
        return {name: np.concatenate([r[name] for r in results]) for name in results[0]}

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    def cancel(self) -> None:
        """End what runs."""
        for run in self.runs:
            run.cancel()

    @property
    def short(self) -> bool:
        """Whether this model has an overload, and few may wait."""
        return self._admission.short

    def admit(self) -> None:
        """Find room for one more request; in a queue that overflows, first take out the newest.

        Raises:
            TooManyRequests: There is none.
        """
        waiting, work = len(self._queue), self._rows() * self._seconds / self._parallel
        run = self._seconds * max(1, self._rows_computed)
        if self._admission.admits(waiting, work, self._computed, run):
            return
        refusal = f"{waiting} requests are waiting for this model: try again later."
        while self.short and len(self._queue) > self._admission.limit(self._computed):
            self._queue.pop().done.set_exception(TooManyRequests(refusal, work))
        raise TooManyRequests(refusal, work)

    def _requests(
        self, servable: Servable, feeds: Feeds, names: Sequence[str] | None, priority: float
    ) -> list[_Request]:
        """A request, in parts where it is larger than a batch may be."""
        limit, signature = self.policy.max_batch_size, servable.signature
        rows = rows_of(feeds, signature) if self._joins else None
        parts = [feeds] if rows is None or rows <= limit else split(feeds, rows, limit)
        loop, now = asyncio.get_running_loop(), time.perf_counter()
        return [
            _Request(
                servable,
                part,
                names,
                rows_in(part),
                None if rows is None else key_of(part, signature, self.policy.pad_lengths),
                loop.create_future(),
                now,
                priority,
            )
            for part in parts
        ]

    def _enqueue(self, requests: Sequence[_Request]) -> None:
        """Put the parts of a request in, behind all that go first."""
        place = len(self._queue)
        while place and self._queue[place - 1].priority > requests[0].priority:
            place -= 1
        if place == len(self._queue):
            self._queue.extend(requests)
        else:
            for request in reversed(requests):
                self._queue.insert(place, request)

    def _rows(self) -> int:
        return sum(request.rows for request in self._queue)

    @staticmethod
    def _expire(requests: Sequence[_Request], limit: float) -> None:
        """Give a request up: its first part without a result tells the one who waits."""
        for request in requests:
            if not request.done.done():
                message = (
                    f"There was no result within {limit:g} seconds, the limit of this request."
                )
                request.done.set_exception(DeadlineExceeded(message))
                return

    def _leave(self, request: _Request) -> None:
        """Let a request go whose client no longer waits."""
        if request.done.done() and not request.done.cancelled():
            request.done.exception()  # seen, so that asyncio does not complain
        request.done.cancel()
        if request.batch is not None:
            request.batch.leave()
        elif request in self._queue:
            self._queue.remove(request)

    async def _work(self) -> None:
        """Run batches until nothing waits."""
        try:
            while self._queue:
                await self._fill()
                await self._budget.acquire(self._threads)
                try:
                    requests = self._take()
                    if requests:
                        await self._compute(requests)
                finally:
                    self._budget.release(self._threads)
        finally:  # at once: whoever comes next must see that nobody works
            worker = asyncio.current_task()
            assert worker is not None
            self._workers.discard(worker)

    async def _fill(self) -> None:
        """Give a batch its time to become complete."""
        if not self._joins or not self.policy.delay or not self._queue:
            return
        left = self._queue[0].queued + self.policy.delay - time.perf_counter()
        if left <= 0 or self._rows() >= self.policy.max_batch_size:
            return
        self._full.clear()
        with suppress(TimeoutError):  # then it starts as it is
            await asyncio.wait_for(self._full.wait(), left)

    def _take(self) -> list[_Request]:
        """The next batch: the oldest request and those after it that can be joined with it."""
        if not self._queue:
            return []
        first = self._queue[0]
        alike = [r for r in self._queue if r.key == first.key] if first.key else [first]
        batch = alike[: take([r.rows for r in alike], self.policy.max_batch_size)]
        for request in batch:
            self._queue.remove(request)
        return batch

    async def _compute(self, requests: list[_Request]) -> None:
        batch = _Batch(len(requests))
        for request in requests:
            request.batch = batch
        rows = sum(request.rows for request in requests)
        self.runs.add(batch.run)
        self._computed += len(requests)
        self._rows_computed += rows
        start = time.perf_counter()
        try:
            results = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._run, requests, batch.run
            )
        except (asyncio.CancelledError, RuntimeError):  # the pool is shut down, or the loop ends
            batch.run.cancel()
            results = [Unavailable("The server is stopping.")] * len(requests)
        finally:
            self.runs.discard(batch.run)
            self._computed -= len(requests)
            self._rows_computed -= rows
        self._report(requests, start)
        for request, result in zip(requests, results, strict=True):
            if request.done.done():
                continue
            if isinstance(result, BaseException):
                request.done.set_exception(result)
            else:
                request.done.set_result(result)

    def _report(self, requests: Sequence[_Request], start: float) -> None:
        seconds = time.perf_counter() - start
        rows = sum(request.rows for request in requests)
        self._seconds += (seconds / rows - self._seconds) * (0.1 if self._seconds else 1.0)
        size = padded_size(rows, self.policy.allowed_sizes) if requests[0].key else rows
        totals = self.totals
        totals.runs += 1
        totals.requests += len(requests)
        totals.rows += rows
        totals.waited += sum(start - request.queued for request in requests)
        totals.padding += size - rows

    def _run(self, requests: Sequence[_Request], run: Run) -> list[Outputs | Exception]:
        """Compute on a thread; what cannot be computed together is computed one by one."""
        if len(requests) > 1 or (self.policy.allowed_sizes and requests[0].key):
            with suppress(ServeError):  # one of them may be to blame
                results = self._run_together(requests, run)
                if results is not None:
                    return list(results)
                self._joins = False  # its outputs do not follow its inputs
        return [self._run_alone(request, run) for request in requests]

    def _run_together(self, requests: Sequence[_Request], run: Run) -> list[Outputs] | None:
        feeds = [request.feeds for request in requests]
        rows = sum(request.rows for request in requests)
        size = padded_size(rows, self.policy.allowed_sizes)
        servable = requests[0].servable
        wanted = [request.names for request in requests]
        names = None
        if None not in wanted:
            names = list(dict.fromkeys(name for each in wanted for name in each or ()))
        outputs = servable.run(join(feeds, size), names, run)
        results = divide(outputs, feeds, servable.signature, size)
        if results is None:
            return None
        return [
            result if request.names is None else {name: result[name] for name in request.names}
            for request, result in zip(requests, results, strict=True)
        ]

    @staticmethod
    def _run_alone(request: _Request, run: Run) -> Outputs | Exception:
        try:
            return request.servable.run(request.feeds, request.names, run)
        except Exception as error:
            return error
