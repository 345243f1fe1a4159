"""Runs a coroutine at once up to its first wait: most answers need no task of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any


def start(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]
) -> asyncio.Task[None] | None:
    """Run a coroutine as far as it goes, and the rest of it as a task.

    What comes before the first wait must not ask for its task, as `asyncio.timeout` does: there
    is none yet. (`eager_start` of Python 3.12 makes one in any case, which costs as much as it saves.)

    Example:
        >>> async def work(event):
        ...     print("at once")
        ...     await event.wait()
        ...     print("later")
        >>> async def main():
        ...     event = asyncio.Event()
        ...     task = start(asyncio.get_running_loop(), work(event))
        ...     event.set()
        ...     await task
        >>> asyncio.run(main())
        at once
        later

    Args:
        loop: The running loop.
        work: Not started yet.

    Returns:
        The task; None where there was nothing to wait for.
    """
    try:
        waited_for = work.send(None)
    except StopIteration:
        return None
    return loop.create_task(_rest(work, waited_for))


@coroutine
def _rest(work: Coroutine[Any, Any, None], waited_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that has been run up to a wait, whose future it gave."""
    while True:
        try:
            result = yield waited_for
        except BaseException as error:  # also that it is cancelled: the work must know
            go_on = partial(work.throw, error)
        else:
            go_on = partial(work.send, result)
        try:
            waited_for = go_on()
        except StopIteration:
            return
