"""Runs models for requests, whatever protocol they came by: checked, off the event loop, in budget."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from serve.errors import InvalidArgument, Unavailable
from serve.servable import QUICK, Feeds, Run, Servable
from serve.signature import Signature
from serve.tensors import describe


class ThreadBudget:
    """Keeps the number of computing threads of all models together within a limit, in order.

    Args:
        threads: The limit.
    """

    def __init__(self, threads: int) -> None:
        self._free = threads
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, threads: int) -> None:
        """Wait until so many threads are free, and take them."""
        if not self._waiting and threads <= self._free:
            self._free -= threads
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((threads, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self.release(0 if turn.cancelled() else threads)
            raise

    def release(self, threads: int) -> None:
        """Give threads back, and let those run whose turn it is."""
        self._free += threads
        while self._waiting:
            wanted, turn = self._waiting[0]
            if not turn.cancelled():
                if wanted > self._free:
                    return
                self._free -= wanted
                turn.set_result(None)
            self._waiting.popleft()


class Inference:
    """Runs servables: quick ones at once, all others on threads.

    Args:
        threads: How many threads may compute at once.
    """

    def __init__(self, threads: int) -> None:
        self._budget = ThreadBudget(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="run")
        self._runs: set[Run] = set()

    async def run(
        self, servable: Servable, feeds: Feeds, names: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Compute a servable's outputs by name.

        Args:
            servable: Held by the caller for as long as this takes.
            feeds: Inputs by name.
            names: The outputs to compute. Defaults to all.

        Raises:
            InvalidArgument: The inputs do not fit the model.
            Unavailable: The server is stopping.
        """
        check(feeds, servable.signature)
        if servable.seconds * _rows(feeds) < QUICK:
            return servable.run(feeds, names)
        await self._budget.acquire(servable.threads)
        run = Run()
        try:
            computing = asyncio.get_running_loop().run_in_executor(
                self._pool, servable.run, feeds, names, run
            )
        except RuntimeError as error:  # the pool is shut down
            self._budget.release(servable.threads)
            raise Unavailable("The server is stopping.") from error
        self._runs.add(run)
        computing.add_done_callback(partial(self._ended, run, servable.threads))
        try:
            return await asyncio.shield(computing)  # the thread goes on until its next operator
        except asyncio.CancelledError:
            run.cancel()
            raise

    def close(self) -> None:
        """End what still runs, and wait until it has ended."""
        for run in self._runs:
            run.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _ended(self, run: Run, threads: int, computing: asyncio.Future[dict[str, Any]]) -> None:
        self._runs.discard(run)
        self._budget.release(threads)
        if not computing.cancelled():
            computing.exception()  # who asked may be gone; then nobody else looks at it


def check(feeds: Feeds, signature: Signature) -> None:
    """Compare inputs with what a model takes.

    Raises:
        InvalidArgument: An input is missing or unknown, or has another element type or shape.
    """
    specs = signature.input
    for name, array in feeds.items():
        spec = specs.get(name)
        if spec is None:
            raise InvalidArgument(f"There is no input {name!r}; inputs are: {', '.join(specs)}.")
        if spec.element is None or array.dtype != spec.element.dtype:
            raise InvalidArgument(f"Input {name!r} is {spec.type}, given is {array.dtype}.")
        if not spec.accepts(array.shape):
            raise InvalidArgument(
                f"Input {name!r} has shape {describe(spec.shape)}, given is {describe(array.shape)}."
            )
    if not signature.required <= feeds.keys():
        missing = ", ".join(sorted(signature.required - feeds.keys()))
        raise InvalidArgument(f"Missing inputs: {missing}.")


def _rows(feeds: Feeds) -> int:
    """How many examples a request has, at the most."""
    return max((array.shape[0] for array in feeds.values() if array.ndim), default=1)
