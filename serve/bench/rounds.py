"""The rounds of a measurement: more and more clients, then fixed rates below what they reached."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import uvloop

from serve.bench.loops import closed_loop, open_loop
from serve.bench.tally import Tally
from serve.bench.target import Target

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SHARES = (0.5, 0.8)  # of the most answers a second, as rates of the open loop
_WARM_UP = 0.5  # seconds


def measure(
    target: Target,
    seconds: float = 2.0,
    clients: Sequence[int] = CLIENTS,
    rates: Sequence[float] = (),
) -> Iterator[Tally]:
    """Ask in one round after the other.

    Args:
        target: What is asked.
        seconds: How long each round takes.
        clients: How many clients there are in each closed loop; none leaves them out.
        rates: Requests a second of each open loop. Defaults to shares of what the clients reached.

    Yields:
        What each round came to.

    Raises:
        BenchError: Nobody listens.
    """
    _run(closed_loop(target, 2, _WARM_UP))
    most = 0.0
    for count in clients:
        tally = _run(closed_loop(target, count, seconds))
        most = max(most, tally.throughput)
        yield tally
    for rate in rates or [share * most for share in SHARES]:
        if rate > 0:
            yield _run(open_loop(target, rate, seconds))


def _run(loop: Coroutine[Any, Any, Tally]) -> Tally:
    return uvloop.run(loop)
