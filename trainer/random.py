"""The one source of random numbers: seeded, saved in checkpoints, the same for both engines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from trainer.core.tensor import Array, Tensor, wrap
from trainer.core.trace import draw

_lock = threading.Lock()
_records: ContextVar[tuple[list[Tensor], ...]] = ContextVar("trainer_draws", default=())
_replay: ContextVar[Iterator[Tensor] | None] = ContextVar("trainer_replay", default=None)
_generator = np.random.Generator(np.random.PCG64(0))

# How each distribution fills an array, for eager code, for capture and for a compiled step alike.
SAMPLERS: dict[str, Callable[[np.random.Generator, Array], Any]] = {
    "uniform": lambda generator, out: generator.random(dtype=out.dtype, out=out),
    "normal": lambda generator, out: generator.standard_normal(dtype=out.dtype, out=out),
}


def seed(value: int) -> None:
    """Start the generator anew.

    Example:
        >>> seed(1)
        >>> a = uniform((2,))
        >>> seed(1)
        >>> bool((a == uniform((2,))).min())
        True
    """
    global _generator
    with _lock:
        _generator = np.random.Generator(np.random.PCG64(value))


def state() -> dict[str, Any]:
    """The generator's state, as plain numbers for a checkpoint."""
    return dict(_generator.bit_generator.state)


def restore(saved: dict[str, Any]) -> None:
    """Continue from a state that `state` returned."""
    with _lock:
        _generator.bit_generator.state = saved


def sample(distribution: str, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """An array of random numbers, drawn now."""
    return fill(distribution, np.empty(shape, dtype))


def fill(distribution: str, out: Array) -> Array:
    """Draw random numbers into an array of float32 or float64 and return it."""
    with _lock:
        SAMPLERS[distribution](_generator, out)
    return out


def uniform(shape: tuple[int, ...], dtype: Any = np.float32) -> Tensor:
    """Uniform on [0, 1). In a captured function an input, drawn again for each run.

    Args:
        shape: The shape of the Tensor.
        dtype: float32 or float64. Defaults to float32.
    """
    return _draw("uniform", shape, dtype)


def normal(shape: tuple[int, ...], dtype: Any = np.float32) -> Tensor:
    """Normal with mean 0 and variance 1. In a captured function an input, drawn again for each run.

    Args:
        shape: The shape of the Tensor.
        dtype: float32 or float64. Defaults to float32.
    """
    return _draw("normal", shape, dtype)


@contextmanager
def recorded() -> Iterator[list[Tensor]]:
    """Within this block every draw is also put into the list that is given."""
    draws: list[Tensor] = []
    token = _records.set((*_records.get(), draws))
    try:
        yield draws
    finally:
        _records.reset(token)


@contextmanager
def replayed(draws: list[Tensor]) -> Iterator[None]:
    """Within this block nothing is drawn anew: the draws are those of a list, in order."""
    token = _replay.set(iter(draws))
    try:
        yield
    finally:
        _replay.reset(token)


def _draw(distribution: str, shape: tuple[int, ...], dtype: Any) -> Tensor:
    before = _replay.get()
    made = _drawn(distribution, shape, np.dtype(dtype)) if before is None else next(before)
    for draws in _records.get():
        draws.append(made)
    return made


def _drawn(distribution: str, shape: tuple[int, ...], dtype: Any) -> Tensor:
    made = draw(distribution, shape, dtype, lambda g: _filled(distribution, shape, dtype, g))
    return wrap(sample(distribution, shape, dtype)) if made is None else made


def _filled(
    distribution: str, shape: tuple[int, ...], dtype: Any, generator: np.random.Generator
) -> Array:
    out = np.empty(shape, dtype)
    SAMPLERS[distribution](generator, out)
    return out
