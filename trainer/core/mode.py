"""What `apply` does besides computing (record, capture), per thread of control, and whose line called."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import NamedTuple


class Mode(NamedTuple):
    """The switches: `grad` records for gradients, `capture` everything, `anomaly` the user's lines."""

    grad: bool = True
    capture: bool = False
    anomaly: bool = False


current: ContextVar[Mode] = ContextVar("trainer_mode", default=Mode())  # noqa: B039  (a NamedTuple is immutable)
_ROOT = Path(__file__).resolve().parent.parent.parent
_NOT_USERS = (str(_ROOT / "trainer"), str(_ROOT / "exporter"), sys.prefix, "<frozen")


@contextmanager
def mode(**changes: bool) -> Iterator[None]:
    """Change switches within a block. A context variable: other threads are not affected."""
    token = current.set(current.get()._replace(**changes))
    try:
        yield
    finally:
        current.reset(token)


def no_grad() -> AbstractContextManager[None]:
    """Within this block nothing is recorded for gradients.

    Example:
        >>> from trainer.core.tensor import Tensor
        >>> x = Tensor([1.0], requires_grad=True)
        >>> with no_grad():
        ...     y = x * 2.0
        >>> y.requires_grad
        False
    """
    return mode(grad=False)


def detect_anomaly() -> AbstractContextManager[None]:
    """Within this block every node remembers the line of the user's code that made it."""
    return mode(anomaly=True)


def capturing() -> bool:
    """Whether a function is being captured."""
    return current.get().capture


def user_line() -> tuple[str, int] | None:
    """File and line of the nearest caller outside this project and the installed ones."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_NOT_USERS):
            return name, frame.f_lineno
        frame = frame.f_back
    return None


def location(line: tuple[str, int] | None) -> str:
    """A line as messages spell it: `model.py:12`."""
    return f"{Path(line[0]).name}:{line[1]}" if line else "unknown line"
