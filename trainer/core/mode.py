"""What `apply` does besides computing (record, capture), per thread of control, and whose line called."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NamedTuple

Phase = Literal["forward", "backward", "optimizer"]


class Place(NamedTuple):
    """Where an operator comes from.

    Attributes:
        file: The user's file, or nothing if no line of the user called.
        number: The number of the line.
        layer: The innermost Module that ran: its dotted name and its class.
        phase: The part of a training step. A backward operator has the line and the layer of the
            forward operator that it differentiates.
    """

    file: str = ""
    number: int = 0
    layer: str = ""
    phase: Phase = "forward"


class Mode(NamedTuple):
    """What `apply` does, and what it is done for.

    Attributes:
        grad: Whether it records for gradients.
        capture: Whether it records everything.
        anomaly: Whether it remembers places.
        layer: The dotted name of the innermost Module that runs, and the Module.
        phase: The part of a training step.
        origin: The place of the operator whose gradient rule runs.
    """

    grad: bool = True
    capture: bool = False
    anomaly: bool = False
    layer: tuple[str, Any] | None = None
    phase: Phase = "forward"
    origin: Place | None = None

    @property
    def places(self) -> bool:
        """Whether places are recorded."""
        return self.capture or self.anomaly


current: ContextVar[Mode] = ContextVar("trainer_mode", default=Mode())  # noqa: B039  (a NamedTuple is immutable)
_ROOT = Path(__file__).resolve().parent.parent.parent
_NOT_USERS = (
    *(str(_ROOT / name) for name in ("trainer", "exporter", "tapeline.py")),
    sys.prefix,
    "<frozen",
)


@contextmanager
def mode(**changes: Any) -> Iterator[None]:
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


def place() -> Place:
    """Where the operator that runs now comes from."""
    now = current.get()
    if now.origin is not None:
        return now.origin._replace(phase="backward")
    file, number = user_line() or ("", 0)
    path, module = now.layer or ("", None)
    layer = "" if module is None else f"{path} {type(module).__name__}".strip()
    return Place(file, number, layer, now.phase)


def location(line: tuple[str, int] | Place | None) -> str:
    """A line as messages spell it: `model.py:12`."""
    return f"{Path(line[0]).name}:{line[1]}" if line and line[0] else "unknown line"
