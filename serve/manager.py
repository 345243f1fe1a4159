"""The manager: holds all versions, loads and unloads them on a thread of its own, lends them out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from serve.errors import NotFound, ServeError
from serve.policy import Load, State, Unload, VersionState, next_action
from serve.servable import Servable
from serve.source import Candidate, Proposal

logger = logging.getLogger("serve")


class Source(Protocol):
    """What proposes the versions that should exist."""

    def poll(self) -> Proposal | None:
        """The full set of models and versions; None where it cannot be told."""


@dataclass(slots=True, eq=False)
class _Entry:
    """A version and what becomes of it."""

    candidate: Candidate
    state: State = State.START
    proposed: bool = True
    error: str = ""
    servable: Servable | None = None
    users: int = 0

    def view(self) -> VersionState:
        return VersionState(self.candidate.version, self.state, self.proposed, self.error)


class Handle:
    """A version that is kept alive while this is held; used in a `with` statement."""

    __slots__ = ("_entry", "_manager", "model", "servable", "version")

    def __init__(self, manager: Manager, entry: _Entry, servable: Servable) -> None:
        self._manager = manager
        self._entry = entry
        self.model = entry.candidate.model
        self.version = entry.candidate.version
        self.servable = servable

    def __enter__(self) -> Handle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._manager._release(self._entry)


class Manager:
    """Keeps the versions that a source proposes in the states that the policy wants.

    Args:
        source: Proposes versions.
        load: Makes a servable of a version's files; it may take long and may raise.
        required: Models that count for readiness even where the source has none of them.
        num_versions: How many of the newest versions of a model are served at once.
        poll_interval: Seconds between two looks at the source.
    """

    def __init__(
        self,
        source: Source,
        load: Callable[[Candidate], Servable],
        required: frozenset[str] = frozenset(),
        num_versions: int = 1,
        poll_interval: float = 1.0,
    ) -> None:
        self.source = source
        self.load = load
        self.required = required
        self.num_versions = num_versions
        self.poll_interval = poll_interval
        self._entries: dict[str, dict[int, _Entry]] = {}
        self._reachable: dict[str, dict[int, _Entry]] = {}  # newest first
        self._lock = threading.Lock()  # held for moments only: the event loop takes it, too
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)

    def start(self) -> None:
        """Start to look at the source and to load."""
        self._thread.start()

    def stop(self) -> None:
        """End the loader thread once it is done with what it does, and let go of all versions."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        with self._lock:
            self._reachable.clear()
            self._entries.clear()

    def handle(self, model: str, version: int | None = None) -> Handle:
        """Borrow a version: the newest available one where none is named.

        Raises:
            NotFound: It is not available; the message says what is.
        """
        with self._lock:
            versions = self._reachable.get(model)
            if versions:
                entry = next(iter(versions.values())) if version is None else versions.get(version)
                if entry is not None and entry.servable is not None:
                    entry.users += 1
                    return Handle(self, entry, entry.servable)
        raise NotFound(self._why_not(model, version))

    def status(self, model: str) -> list[VersionState]:
        """The states of all versions of a model, newest first.

        Raises:
            NotFound: There is no such model.
        """
        with self._lock:
            entries = self._entries.get(model)
            if entries:
                return [entries[version].view() for version in sorted(entries, reverse=True)]
        raise NotFound(f"Could not find any versions of model {model}")

    def models(self) -> list[str]:
        """The names of all models that have a version in any state, sorted."""
        with self._lock:
            return sorted(self._entries)

    def unready(self) -> list[str]:
        """The models that count and have no available version, sorted."""
        with self._lock:
            return sorted((self._entries.keys() | self.required) - self._reachable.keys())

    def is_ready(self) -> bool:
        """Say whether there is a model, and every one that counts can be asked."""
        with self._lock:
            counted = self._entries.keys() | self.required
            return bool(counted) and counted <= self._reachable.keys()

    def step(self) -> None:
        """Look at the source once and act until nothing is left to do."""
        self._propose(self.source.poll())
        for model in self.models():
            while not self._stopping and (action := self._next_action(model)):
                if isinstance(action, Load):
                    self._load(model, action.version)
                else:
                    self._unload(model, action.version)
        self._finish_unloading()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.step()
            except Exception:  # whatever happens, what is loaded goes on serving
                logger.exception("looking for new versions failed")
            self._wake.wait(self.poll_interval)
            self._wake.clear()

    def _propose(self, proposal: Proposal | None) -> None:
        if proposal is None:
            return  # an unreachable store is no reason to unload anything
        with self._lock:
            for model, entries in self._entries.items():
                if proposal.get(model) != {}:  # and neither is an emptied folder
                    for version, entry in entries.items():
                        entry.proposed = version in proposal.get(model, {})
            for model, candidates in proposal.items():
                for version, candidate in candidates.items():
                    entry = self._entries.setdefault(model, {}).setdefault(
                        version, _Entry(candidate)
                    )
                    if entry.error and entry.candidate.stamp != candidate.stamp:
                        entry.state, entry.error = State.START, ""
                    entry.candidate = candidate
            self._forget()

    def _forget(self) -> None:
        """Drop what is neither proposed nor alive."""
        for model, entries in list(self._entries.items()):
            for version, entry in list(entries.items()):
                if not entry.proposed and entry.state in (State.START, State.END):
                    del entries[version]
            if not entries:
                del self._entries[model]

    def _next_action(self, model: str) -> Load | Unload | None:
        with self._lock:
            views = [entry.view() for entry in self._entries.get(model, {}).values()]
        return next_action(views, self.num_versions)

    def _load(self, model: str, version: int) -> None:
        entry = self._entries[model][version]
        entry.state = State.LOADING
        try:
            servable = self.load(entry.candidate)
        except Exception as error:  # one bad model never stops the others
            reason = (
                str(error) if isinstance(error, ServeError) else f"{type(error).__name__}: {error}"
            )
            with self._lock:
                entry.state, entry.error = State.END, reason
            logger.error("%s %d failed: %s", model, version, reason)
            return
        with self._lock:  # reachable first, then available
            entry.servable = servable
            versions = {**self._reachable.get(model, {}), version: entry}
            self._reachable[model] = dict(sorted(versions.items(), reverse=True))
            entry.state = State.AVAILABLE
        logger.info("%s %d ready", model, version)

    def _unload(self, model: str, version: int) -> None:
        with self._lock:  # unloading first, then unreachable
            self._entries[model][version].state = State.UNLOADING
            del self._reachable[model][version]
            if not self._reachable[model]:
                del self._reachable[model]

    def _finish_unloading(self) -> None:
        """Let go of versions whose last request has ended; on this thread, as it may take long."""
        gone = []  # dropped after the lock is
        with self._lock:
            for entries in self._entries.values():
                for entry in entries.values():
                    if entry.state is State.UNLOADING and entry.users == 0:
                        gone.append(entry.servable)
                        entry.servable, entry.state = None, State.END
                        candidate = entry.candidate
                        logger.info("%s %d unloaded", candidate.model, candidate.version)
            self._forget()

    def _release(self, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            ended = entry.users == 0 and entry.state is State.UNLOADING
        if ended:
            self._wake.set()

    def _why_not(self, model: str, version: int | None) -> str:
        """A version that cannot be had, in TensorFlow Serving's words, and the reason."""
        wanted = f"Latest({model})" if version is None else f"Specific({model}, {version})"
        try:
            versions = self.status(model)
        except NotFound:
            known = ", ".join(self.models()) or "none"
            return f"Servable not found for request: {wanted}. Models here: {known}."
        states = "; ".join(
            f"version {v.version} failed: {v.error}"
            if v.error
            else f"version {v.version} is {v.state}"
            for v in versions
        )
        return f"Servable not found for request: {wanted}. Of this model, {states}"
