"""One version of a model: what becomes of it, and who is using it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from serve.policy import State, VersionState
from serve.servable import Servable
from serve.source import Candidate


@dataclass(slots=True, eq=False)
class Version:
    """A version in some state of its life.

    Attributes:
        candidate: How it lies in the store, as of when it was whole there.
        state: Where it is in its life.
        proposed: Whether it should exist.
        present: Whether the last look at the store has found it.
        error: Why it could not be loaded; empty where it was, or has not been tried.
        told: What it was last said to wait for.
        tries: How often it was loaded since its files changed.
        retry_at: When to try again though they have not, by `time.monotonic`.
        servable: What answers, while it is loaded.
        users: How many handles there are.
    """

    candidate: Candidate
    state: State = State.START
    proposed: bool = True
    present: bool = True
    error: str = ""
    told: str = ""
    tries: int = 0
    retry_at: float = math.inf
    servable: Servable | None = None
    users: int = 0

    @property
    def pending(self) -> bool:
        """Whether it has never been complete."""
        return bool(self.state is State.START and self.candidate.waiting)

    def view(self) -> VersionState:
        """What policy, status and metrics are told."""
        error = self.error or (self.candidate.waiting if self.pending else "")
        gone = self.state is State.AVAILABLE and not self.present
        note = "its files are not there now; it is served from memory." if gone else ""
        return VersionState(self.candidate.version, self.state, self.proposed, error, note)

    def retry(self) -> None:
        """Forget that it has failed."""
        self.state, self.error, self.retry_at = State.START, "", math.inf


class Handle:
    """A version that is kept alive while this is held; used in a `with` statement."""

    __slots__ = ("_release", "_version", "model", "servable", "version")

    def __init__(
        self, version: Version, servable: Servable, release: Callable[[Version], None]
    ) -> None:
        self._version = version
        self._release = release
        self.model = version.candidate.model
        self.version = version.candidate.version
        self.servable = servable

    def __enter__(self) -> Handle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release(self._version)
