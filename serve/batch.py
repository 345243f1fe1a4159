"""Requests that are computed together: one run of a model, and who waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from serve.batching import Key, divide, join, padded_size
from serve.servable import Feeds, Run, Servable

Outputs = dict[str, Any]


@dataclass(slots=True, eq=False)
class Request:
    """What waits in a queue, or is computed.

    Attributes:
        rows: How many examples it has, counted as 1 where it cannot be joined with others.
        key: What those have that it can be joined with; None where there are none.
        queued: When it came here, by `time.perf_counter`.
        priority: It stands behind all whose number is not higher.
        batch: Where it is computed, once it is.
    """

    servable: Servable
    feeds: Feeds
    names: Sequence[str] | None
    rows: int
    key: Key | None
    done: asyncio.Future[Outputs]
    queued: float
    priority: float
    batch: Batch | None = None


@dataclass(slots=True, eq=False)
class Batch:
    """Some requests that can be joined, and the run that is ended when nobody waits for it.

    Attributes:
        requests: At least one.
        start: When the run began, by `time.perf_counter`.
        seconds: How long it took.
        joined: Whether the outputs had an example for each of the inputs, so that they could be
            shared out.
        results: The outputs of each request, or what went wrong.
    """

    requests: Sequence[Request]
    run: Run = field(default_factory=Run)
    start: float = 0.0
    seconds: float = 0.0
    joined: bool = True
    results: Sequence[Outputs | Exception] = ()
    _waiting: int = 0

    def __post_init__(self) -> None:
        self._waiting = len(self.requests)
        for request in self.requests:
            request.batch = self

    @property
    def rows(self) -> int:
        """How many examples there are."""
        return sum(request.rows for request in self.requests)

    def leave(self) -> None:
        """One of those who waited is gone."""
        self._waiting -= 1
        if not self._waiting:
            self.run.cancel()

    def compute(self, allowed: Sequence[int]) -> None:
        """Fill in the results; what cannot be computed together is computed one by one.

        Args:
            allowed: The sizes that batches are padded to; empty where every size goes.
        """
        self.start = time.perf_counter()
        results = None
        if len(self.requests) > 1 or (allowed and self.requests[0].key):
            with suppress(Exception):  # one is to blame: it is told when each is run alone
                results = self._compute_together(padded_size(self.rows, allowed))
                self.joined = results is not None
        self.results = results or [self._compute_alone(request) for request in self.requests]
        self.seconds = time.perf_counter() - self.start

    def _compute_together(self, size: int) -> list[Outputs | Exception] | None:
        feeds = [request.feeds for request in self.requests]
        wanted = [request.names for request in self.requests]
        servable = self.requests[0].servable
        names = None
        if None not in wanted:
            names = list(dict.fromkeys(name for each in wanted for name in each or ()))
        outputs = servable.run(join(feeds, size), names, self.run)
        results = divide(outputs, feeds, servable.signature, size)
        if results is None:
            return None
        return [
            result if request.names is None else {name: result[name] for name in request.names}
            for request, result in zip(self.requests, results, strict=True)
        ]

    def _compute_alone(self, request: Request) -> Outputs | Exception:
        try:
            return request.servable.run(request.feeds, request.names, self.run)
        except Exception as error:
            return error
