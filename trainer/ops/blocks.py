"""Kernels that work through large arrays block by block, in as many threads as there are cores."""

from __future__ import annotations

import contextvars
import functools
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

Kernel = Callable[..., Any]
Job = Callable[[], object]

BLOCK = 131072
_MOST_THREADS = 4  # each numpy call of a block needs Python's one lock for a moment


def blockwise(kernel: Kernel) -> Kernel:
    """A kernel of one array whose intermediate results stay in the cache.

    Each of a dozen steps over a whole array would read and write memory, and every temporary array of
    megabytes costs the system more than the step.

    Example:
        >>> blockwise(lambda x: x * 2 + 1)(np.zeros(3))
        array([1., 1., 1.])
    """

    @functools.wraps(kernel)
    def in_blocks(x: Any, **attrs: Any) -> Any:
        if x.size < 2 * BLOCK:
            return kernel(x, **attrs)
        x = np.asarray(x, order="C")
        y = np.empty_like(x)
        flat, out = x.reshape(-1), y.reshape(-1)

        def work(part: slice) -> None:
            out[part] = kernel(flat[part], **attrs)

        for_each_block(work, x.size)
        return y

    return in_blocks


def rowwise(kernel: Callable[[Any, int, Any], Any], x: Any, axis: int) -> Any:
    """What a kernel makes of each row by itself, a block of rows at a time in large arrays.

    Args:
        kernel: Takes an array, the axis along which rows are, and where to write (`None` if anew).
        x: Any array.
        axis: The axis along which rows are.
    """
    if x.size < 2 * BLOCK or axis % x.ndim != x.ndim - 1 or not x.flags.c_contiguous:
        return kernel(x, axis, None)
    y = np.empty_like(x)
    rows, out = (v.reshape(-1, x.shape[-1]) for v in (x, y))

    def work(part: slice) -> None:
        kernel(rows[part], 1, out[part])

    for_each_block(work, len(rows), max(1, 2 * BLOCK // x.shape[-1]))
    return y


def for_each_block(work: Callable[[slice], None], size: int, block: int = BLOCK) -> None:
    """Call `work` with each slice of `block` places out of `size`, in several threads.

    Which thread takes which block is left to chance; where blocks begin is not, so that the same input
    gives the same bits. Threads that are busy elsewhere are not waited for.

    Args:
        work: Computes one block; numpy lets other threads run meanwhile.
        size: How many places there are.
        block: How many of them are one block. Defaults to 131,072.
    """
    parts = iter([slice(start, start + block) for start in range(0, size, block)])
    helpers = _helpers() if size > block else 0
    if not helpers:
        for part in parts:
            work(part)
        return
    # By hand, for the futures of `concurrent.futures` make LayerNormalization 3 to 5% slower.
    failures: list[BaseException] = []
    at_work = [threading.Lock() for _ in range(helpers)]

    def take_part(lock: threading.Lock) -> None:
        with lock:
            try:
                for part in parts:
                    work(part)
            except BaseException as failure:
                failures.append(failure)

    for lock in at_work:  # with the caller's context, numpy's error handling among it
        _jobs.put(functools.partial(contextvars.copy_context().run, take_part, lock))
    take_part(threading.Lock())
    for lock in at_work:
        with lock:  # free, unless the thread has a last block in hand
            pass
    if failures:
        raise failures[0]


def _helpers() -> int:
    """The number of threads beside the caller's, which are started when first needed."""
    global _started
    if _started is None:
        _started = _threads() - 1
        for _ in range(_started):
            threading.Thread(target=_help, args=(_jobs,), name="blocks", daemon=True).start()
    return _started


def _threads() -> int:
    """As many as OMP_NUM_THREADS says, which BLAS and PyTorch go by, too; else as there are cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(int(given) if given.isdecimal() else cores or 1, _MOST_THREADS)


def _help(jobs: queue.SimpleQueue[Job]) -> None:
    while True:
        jobs.get()()


def _forget_threads() -> None:
    """A forked process has none of its parent's threads."""
    global _started, _jobs
    _started, _jobs = None, queue.SimpleQueue()


_started: int | None = None
_jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
