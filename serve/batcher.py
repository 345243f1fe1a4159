"""The queue of one model: bounded, joined into batches, left by whoever no longer waits."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from serve.admission import Admission
from serve.batch import Batch, Outputs, Request
from serve.batching import Batching, key_of, padded_size, rows_of, split, take
from serve.budget import ThreadBudget
from serve.distribution import Distribution
from serve.errors import DeadlineExceeded, TooManyRequests, Unavailable
from serve.executions import rows_in
from serve.servable import Feeds, Servable

_WAITS = tuple(100 * 1.2**n for n in range(52))  # TensorFlow Serving's, in microseconds


@dataclass(slots=True)
class Totals:
    """What a queue has done so far.

    Attributes:
        runs: How often the model was run.
        requests: How many requests, or parts of split ones, were computed.
        rows: How many examples they had.
        padding: How many examples were added to fill up batches.
        waits: The microseconds that requests waited.
    """

    runs: int = 0
    requests: int = 0
    rows: int = 0
    padding: int = 0
    waits: Distribution = field(default_factory=lambda: Distribution(_WAITS))

    @property
    def waited(self) -> float:
        """The seconds that requests waited, summed up."""
        return self.waits.sum / 1e6


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
        self.totals = Totals()
        self._budget = budget
        self._pool = pool
        self._threads = threads
        self._seconds = seconds if math.isfinite(seconds) else 0.0
        self._parallel = parallel
        self._admission = Admission(policy.max_queue, policy.queue_seconds, parallel)
        self._queue: deque[Request] = deque()
        self._computed: set[Batch] = set()
        self._lock = threading.Lock()  # of the two above: the threads take batches themselves
        self._closed = False
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
        """End what runs, and let nothing more start."""
        with self._lock:
            self._closed = True
            for batch in self._computed:
                batch.run.cancel()

    @property
    def short(self) -> bool:
        """Whether this model has an overload, and few may wait."""
        return self._admission.short

    def admit(self) -> None:
        """Find room for one more request; in a queue that overflows, first take out the newest.

        Raises:
            TooManyRequests: There is none.
        """
        with self._lock:
            computed = sum(len(batch.requests) for batch in self._computed)
            rows = sum(batch.rows for batch in self._computed)
            waiting, work = len(self._queue), self._rows() * self._seconds / self._parallel
            if self._admission.admits(waiting, work, computed, self._seconds * max(1, rows)):
                return
            refusal = f"{waiting} requests are waiting for this model: try again later."
            while self.short and len(self._queue) > self._admission.limit(computed):
                self._queue.pop().done.set_exception(TooManyRequests(refusal, work))
        raise TooManyRequests(refusal, work)

    def _requests(
        self, servable: Servable, feeds: Feeds, names: Sequence[str] | None, priority: float
    ) -> list[Request]:
        """A request, in parts where it is larger than a batch may be."""
        limit, signature = self.policy.max_batch_size, servable.signature
        rows = rows_of(feeds, signature) if self._joins else None
        parts = [feeds] if rows is None or rows <= limit else split(feeds, rows, limit)
        loop, now = asyncio.get_running_loop(), time.perf_counter()
        return [
            Request(
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

    def _enqueue(self, requests: Sequence[Request]) -> None:
        """Put the parts of a request in, behind all that go first."""
        with self._lock:
            place = len(self._queue)
            while place and self._queue[place - 1].priority > requests[0].priority:
                place -= 1
            if place == len(self._queue):
                self._queue.extend(requests)
            else:
                for request in reversed(requests):
                    self._queue.insert(place, request)
            if self._rows() >= self.policy.max_batch_size:
                self._full.set()

    def _rows(self) -> int:
        return sum(request.rows for request in self._queue)

    @staticmethod
    def _expire(requests: Sequence[Request], limit: float) -> None:
        """Give a request up: its first part without a result tells the one who waits."""
        for request in requests:
            if not request.done.done():
                message = (
                    f"There was no result within {limit:g} seconds, the limit of this request."
                )
                request.done.set_exception(DeadlineExceeded(message))
                return

    def _leave(self, request: Request) -> None:
        """Let a request go whose client no longer waits."""
        if request.done.done() and not request.done.cancelled():
            request.done.exception()  # seen, so that asyncio does not complain
        request.done.cancel()
        with self._lock:
            if request.batch is not None:
                request.batch.leave()
            elif request in self._queue:
                self._queue.remove(request)

    async def _work(self) -> None:
        """Have batches run until nothing waits."""
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                await self._fill()
                await self._budget.acquire(self._threads)
                batch = self._take()
                try:
                    if batch is not None:
                        await loop.run_in_executor(self._pool, self._compute, batch, loop)
                except (asyncio.CancelledError, RuntimeError):  # the loop, or the pool, has ended
                    self._abandon()
                finally:
                    self._budget.release(self._threads)
        finally:  # at once: whoever comes next must see that nobody works
            worker = asyncio.current_task()
            assert worker is not None
            self._workers.discard(worker)

    async def _fill(self) -> None:
        """Give a batch its time to become complete."""
        left = self._time_to_fill()
        if left <= 0:
            return
        self._full.clear()
        with suppress(TimeoutError):  # then it starts as it is
            await asyncio.wait_for(self._full.wait(), left)

    def _time_to_fill(self) -> float:
        """The seconds that the next batch may still wait for more."""
        with self._lock:
            if not self._joins or not self.policy.delay or not self._queue:
                return 0
            if self._rows() >= self.policy.max_batch_size:
                return 0
            return self._queue[0].queued + self.policy.delay - time.perf_counter()

    def _take(self) -> Batch | None:
        """The next batch: the oldest request and those after it that can be joined with it."""
        with self._lock:
            if not self._queue:
                return None
            first = self._queue[0]
            alike = [r for r in self._queue if r.key == first.key] if first.key else [first]
            requests = alike[: take([r.rows for r in alike], self.policy.max_batch_size)]
            for request in requests:
                self._queue.remove(request)
            batch = Batch(requests)
            self._computed.add(batch)
            return batch

    def _compute(self, batch: Batch | None, loop: asyncio.AbstractEventLoop) -> None:
        """Run batches on a thread: the next one begins before anybody is told of the last.

        So the processors do not wait while the event loop writes answers and reads new requests.
        """
        while batch is not None:
            batch.compute(self.policy.allowed_sizes)
            following = self._take() if self._goes_on() else None
            loop.call_soon_threadsafe(self._finish, batch)
            batch = following

    def _goes_on(self) -> bool:
        """Whether the thread may take the next batch by itself, because it is nobody else's turn."""
        return not self._closed and not self._budget.contended and self._time_to_fill() <= 0

    def _abandon(self) -> None:
        """End what is computed; whoever waits for it is told so now."""
        for batch in tuple(self._computed):
            batch.run.cancel()
            batch.results = [Unavailable("The server is stopping.")] * len(batch.requests)
            self._finish(batch)

    def _finish(self, batch: Batch) -> None:
        """Hand out the results."""
        with self._lock:
            if batch not in self._computed:
                return
            self._computed.discard(batch)
        if not batch.joined:
            self._joins = False  # its outputs do not follow its inputs
        self._report(batch)
        for request, result in zip(batch.requests, batch.results, strict=True):
            if request.done.done():
                continue
            if isinstance(result, BaseException):
                request.done.set_exception(result)
            else:
                request.done.set_result(result)

    def _report(self, batch: Batch) -> None:
        if not batch.seconds:  # it never ran
            return
        requests, rows = batch.requests, batch.rows
        self._seconds += (batch.seconds / rows - self._seconds) * (0.1 if self._seconds else 1.0)
        size = padded_size(rows, self.policy.allowed_sizes) if requests[0].key else rows
        totals = self.totals
        totals.runs += 1
        totals.requests += len(requests)
        totals.rows += rows
        for request in requests:
            totals.waits.observe((batch.start - request.queued) * 1e6)
        totals.padding += size - rows
