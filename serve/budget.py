"""The thread budget: how many threads may compute at once, over all models."""

from __future__ import annotations

import asyncio
from collections import deque


class ThreadBudget:
    """Keeps the number of computing threads of all models together within a limit, in order.

    Args:
        threads: The limit.
    """

    def __init__(self, threads: int) -> None:
        self._free = threads
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def contended(self) -> bool:
        """Whether somebody waits for threads."""
        return bool(self._waiting)

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
