"""A clock for an event loop that ticks many times a millisecond, which its own timers cannot."""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections.abc import Callable

_MONOTONIC, _NONBLOCK = 1, os.O_NONBLOCK  # of <time.h> and <sys/timerfd.h>


class _Interval(ctypes.Structure):
    """`struct itimerspec`: the interval, then the time to the first tick."""

    _fields_ = [(name, ctypes.c_long) for name in ("s", "ns", "first_s", "first_ns")]


class Clock:
    """Calls a function at a rate, with the number of ticks since the last call.

    An event loop's own timers wait for whole milliseconds, which would be most of what is
    measured of a quick server. Linux counts ticks in a timer's file descriptor (timerfd_create(2)).

    Args:
        rate: Ticks a second.
        tick: Called on the event loop; several ticks that came at once are one call.
    """

    def __init__(self, rate: float, tick: Callable[[int], None]) -> None:
        self._tick = tick
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = libc.timerfd_create(_MONOTONIC, _NONBLOCK)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "no timer of this system can be had")
        seconds, nanoseconds = divmod(max(1, round(1e9 / rate)), 10**9)
        interval = _Interval(seconds, nanoseconds, seconds, nanoseconds)
        self.start = time.perf_counter()
        libc.timerfd_settime(self._file, 0, ctypes.byref(interval), None)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._file, self._read)

    def close(self) -> None:
        """Stop ticking."""
        self._loop.remove_reader(self._file)
        os.close(self._file)

    def _read(self) -> None:
        self._tick(int.from_bytes(os.read(self._file, 8), "little"))
