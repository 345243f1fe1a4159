"""Runs models for requests, whatever protocol they came by: checked, off the event loop, in budget."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

from serve.batcher import Batcher
from serve.batching import Batching
from serve.budget import ThreadBudget
from serve.errors import InvalidArgument, TooManyRequests
from serve.executions import rows_in
from serve.hint import did_you_mean
from serve.servable import QUICK, Feeds, Servable
from serve.signature import Signature
from serve.tensors import describe

_LATELY = 10.0


class Inference:
    """Runs servables: quick ones at once, all others on threads, in order, joined where wanted.

    Args:
        threads: How many threads may compute at once.
        batching: The bounds of the queue and of the batches of each model.
        deadline: Seconds after its arrival at which a request is given up.
    """

    def __init__(
        self, threads: int, batching: Batching | None = None, deadline: float = 30.0
    ) -> None:
        self.batching = batching or Batching()
        self.deadline = deadline
        self._threads = threads
        self._budget = ThreadBudget(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="run")
        self._refused = -math.inf
        self._batchers: WeakKeyDictionary[Servable, Batcher] = WeakKeyDictionary()

    async def run(
        self,
        servable: Servable,
        feeds: Feeds,
        names: Sequence[str] | None = None,
        arrived: float | None = None,
        timeout: float | None = None,
        priority: int = 0,
        checked: bool = False,
    ) -> dict[str, Any]:
        """Compute a servable's outputs by name.

        Args:
            servable: Held by the caller for as long as this takes.
            feeds: Inputs by name.
            names: The outputs to compute. Defaults to all.
            arrived: When the request was complete, by `time.perf_counter`. Defaults to now.
            timeout: Seconds from then on that its client waits. Defaults to the server's limit,
                and is never longer.
            priority: 1 goes before 2, and so on; 0 after those. Defaults to 0.
            checked: Whether inputs of these types and shapes are known to fit. Defaults to False.

        Raises:
            InvalidArgument: The inputs do not fit the model.
            TooManyRequests: Too much is waiting for this model already.
            DeadlineExceeded: It took too long.
            Unavailable: The server is stopping.
        """
        if not checked:
            check(feeds, servable.signature)
        if servable.seconds * rows_in(feeds) < QUICK:
            return servable.run(feeds, names)
        limit = self.deadline if timeout is None else min(timeout, self.deadline)
        arrived = time.perf_counter() if arrived is None else arrived
        batcher = self._batcher(servable)
        try:
            return await batcher.run(servable, feeds, names, arrived, limit, priority)
        except TooManyRequests:
            self._refused = time.monotonic()
            raise

    def refuses(self, servable: Servable) -> TooManyRequests | None:
        """Why a request need not even be read: in an overload, nothing more of its model can wait."""
        batcher = self._batchers.get(servable)
        if batcher is None or not batcher.short:
            return None
        try:
            batcher.admit()
        except TooManyRequests as error:
            self._refused = time.monotonic()
            return error
        return None

    @property
    def refused_lately(self) -> bool:
        """Whether any model has had an overload in the last seconds: if not, none need be asked."""
        return time.monotonic() < self._refused + _LATELY

    def close(self) -> None:
        """End what still runs, and wait until it has ended."""
        for batcher in self._batchers.values():
            batcher.cancel()
        self._pool.shutdown(cancel_futures=True)

    def queue_of(self, servable: Servable) -> Batcher | None:
        """The queue of a servable; None where nothing has been queued yet."""
        return self._batchers.get(servable)

    def _batcher(self, servable: Servable) -> Batcher:
        batcher = self._batchers.get(servable)
        if batcher is None:
            batcher = self._batchers[servable] = Batcher(
                servable.batching or self.batching,
                self._budget,
                self._pool,
                servable.threads,
                servable.seconds,
                max(1, self._threads // servable.threads),
            )
        return batcher


def check(feeds: Feeds, signature: Signature) -> None:
    """Compare inputs with what a model takes.

    Raises:
        InvalidArgument: An input is missing or unknown, or has another element type or shape.
    """
    specs = signature.input
    for name, array in feeds.items():
        spec = specs.get(name)
        if spec is None:
            hint = did_you_mean(name, specs)
            raise InvalidArgument(
                f"There is no input {name!r}; inputs are: {', '.join(specs)}.{hint}"
            )
        if spec.element is None or array.dtype != spec.element.dtype:
            raise InvalidArgument(f"Input {name!r} is {spec.type}, given is {array.dtype}.")
        if not spec.accepts(array.shape):
            raise InvalidArgument(
                f"Input {name!r} has shape {describe(spec.shape)}, given is {describe(array.shape)}."
            )
    if not signature.required <= feeds.keys():
        missing = ", ".join(sorted(signature.required - feeds.keys()))
        raise InvalidArgument(f"Missing inputs: {missing}.")
