"""The manager: holds all versions, loads and unloads them on a thread of its own, lends them out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Protocol

from serve.errors import LoadError, NotFound, ServeError, Unavailable
from serve.hint import did_you_mean
from serve.models_config import ModelConfig
from serve.policy import Load, State, Unload, VersionState, next_action
from serve.servable import Servable
from serve.source import Candidate, Proposal
from serve.traffic import Traffic
from serve.version import Handle, Version

MOST_NAMES = 20  # of models, in a message

logger = logging.getLogger("serve")


class Source(Protocol):
    """What proposes the versions that should exist."""

    def poll(self) -> Proposal | None:
        """The full set of models and versions; None where it cannot be told."""

    def config(self, model: str) -> ModelConfig:
        """How a model is served."""

    def required(self) -> frozenset[str]:
        """The models that count for readiness even while they are not there."""


@dataclass(slots=True, eq=False)
class _Order:
    """What a client wants with a model: that it be loaded, or unloaded."""

    model: str
    load: bool
    done: Future[None]


class Manager:
    """Keeps the versions that a source proposes in the states that the policy wants.

    Args:
        source: Proposes versions.
        loader: Makes a servable of a version's files; it may take long and may raise.
        poll_interval: Seconds between two looks at the source.
        retries: How often a failed version is tried again though its files have not changed.
        retry_interval: Seconds between two such tries.
    """

    def __init__(
        self,
        source: Source,
        loader: Callable[[Candidate], Servable],
        poll_interval: float = 1.0,
        retries: int = 5,
        retry_interval: float = 60.0,
    ) -> None:
        self.source = source
        self.loader = loader
        self.poll_interval = poll_interval
        self.retries = retries
        self.retry_interval = retry_interval
        self._entries: dict[str, dict[int, Version]] = {}
        self._traffic = Traffic()
        self._required = source.required()
        self._unloaded: set[str] = set()  # by order
        self._orders: list[_Order] = []
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
            self._traffic.clear()
            self._entries.clear()
            orders, self._orders = self._orders, []
        for order in orders:
            order.done.set_exception(Unavailable("The server is stopping."))

    def handle(self, model: str, version: int | None = None, label: str | None = None) -> Handle:
        """Borrow a version: the newest available one where neither number nor label is given.

        Of those requests, a label with a percentage takes its share.

        Raises:
            NotFound: It is not available; the message says what is.
            InvalidArgument: The model has no such label.
            Unavailable: The label's version is not available now.
        """
        with self._lock:
            if label is not None and model in self._traffic.models:
                version = self._traffic.labelled(model, label)
            found = self._traffic.find(model, version)
            if found is not None and found.servable is not None:
                found.users += 1
                return Handle(found, found.servable, self._release)
        reason = self._why_not(model, version)
        if label is not None and version is not None:
            raise Unavailable(f"Label {label} is not available now. {reason}")
        raise NotFound(reason)

    def load(self, model: str) -> None:
        """Have a model loaded that was unloaded or has failed; waits until that is done.

        Raises:
            NotFound: There is no such model.
            LoadError: No version of it can be loaded.
        """
        self._do(_Order(model, True, Future()))

    def unload(self, model: str) -> None:
        """Take a model out of service until `load` is called; waits until no request finds it.

        Raises:
            NotFound: There is no such model.
        """
        self._do(_Order(model, False, Future()))

    def status(self, model: str) -> list[VersionState]:
        """The states of all versions of a model, newest first.

        Raises:
            NotFound: There is no such model.
        """
        with self._lock:
            entries = self._entries.get(model)
            if entries:
                return [entries[version].view() for version in sorted(entries, reverse=True)]
        raise NotFound(f"Could not find any versions of model {model}{self._suggest(model)}")

    def models(self) -> list[str]:
        """The names of all models that have a version in any state, sorted."""
        with self._lock:
            return sorted(self._whole())

    def unready(self) -> list[str]:
        """The models that count and have no available version, sorted."""
        with self._lock:
            return sorted(self._counted() - self._traffic.models)

    def is_ready(self) -> bool:
        """Say whether there is a model, and every one that counts can be asked."""
        with self._lock:
            counted = self._counted()
            return bool(counted) and counted <= self._traffic.models

    def states(self) -> Iterator[tuple[str, VersionState]]:
        """Every model with the state of every version of it."""
        with self._lock:
            views = [(m, entry.view()) for m, es in self._entries.items() for entry in es.values()]
        yield from views

    def loaded(self) -> list[tuple[str, int, Servable]]:
        """Every version that can be asked: its model, its number and what answers."""
        with self._lock:
            return [
                (found.candidate.model, found.candidate.version, found.servable)
                for found in self._traffic
                if found.servable is not None
            ]

    def step(self) -> None:
        """Look at the source once and act until nothing is left to do."""
        with self._lock:
            orders, self._orders = self._orders, []
        try:
            self._propose(self.source.poll())
            self._retry()
            for order in orders:
                self._obey(order)
            for model in list(self._entries):
                while not self._stopping and (action := self._next_action(model)):
                    if isinstance(action, Load):
                        self._load(model, action.version)
                    else:
                        self._unload(model, action.version)
            self._finish_unloading()
        finally:
            for order in orders:
                self._report(order)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.step()
            except Exception:  # whatever happens, what is loaded goes on serving
                logger.exception("looking for new versions failed")
            self._wake.wait(self.poll_interval)
            self._wake.clear()

    def _whole(self) -> Iterable[str]:
        """The models that have, or had, a complete version."""
        return (m for m, es in self._entries.items() if not all(e.pending for e in es.values()))

    def _counted(self) -> set[str]:
        """The models without which the server is not ready."""
        return {*self._whole(), *self._required} - self._unloaded

    def _propose(self, proposal: Proposal | None) -> None:
        with self._lock:
            for model, entries in self._entries.items():
                found = (proposal or {}).get(model, {})
                for version, entry in entries.items():
                    entry.present = version in found
                    # An unreachable store or an emptied folder is no reason to unload anything.
                    if proposal is not None and (proposal.get(model) != {} or entry.pending):
                        entry.proposed = entry.present
            for model, candidates in (proposal or {}).items():
                for version, candidate in candidates.items():
                    self._update(self._entries.setdefault(model, {}), version, candidate)
            self._forget()
            self._required = self.source.required()
            for model in {*self._entries, *self._required}:
                self._traffic.label(model, self.source.config(model).labels)
            self._unloaded &= self._entries.keys()

    def _update(self, entries: dict[int, Version], version: int, candidate: Candidate) -> None:
        """Take over how a version lies in the store now."""
        entry = entries.get(version)
        if entry is None:
            entries[version] = Version(candidate)
            return
        if candidate.waiting:
            if not entry.pending:
                return  # it was whole once: that stays in force until it is whole again
            if candidate.waiting == entry.candidate.waiting != entry.told:  # for two looks
                entry.told = candidate.waiting
                logger.warning("%s %d waits: %s", candidate.model, version, entry.told)
        elif entry.error and entry.candidate.stamp != candidate.stamp:
            entry.tries = 0
            entry.retry()
        entry.candidate = candidate

    def _retry(self) -> None:
        """Let those versions be tried again whose time has come."""
        now = time.monotonic()
        with self._lock:
            for entries in self._entries.values():
                for entry in entries.values():
                    if entry.error and entry.retry_at <= now:
                        entry.retry()

    def _do(self, order: _Order) -> None:
        """Hand an order to the loader thread, and wait."""
        with self._lock:
            if self._stopping:
                raise Unavailable("The server is stopping.")
            self._orders.append(order)
        self._wake.set()
        order.done.result()

    def _obey(self, order: _Order) -> None:
        with self._lock:
            if order.model not in self._entries:
                return
            if not order.load:
                self._unloaded.add(order.model)
                return
            self._unloaded.discard(order.model)
            for entry in self._entries[order.model].values():
                if entry.error:
                    entry.retry()

    def _report(self, order: _Order) -> None:
        """Tell who gave an order what became of it."""
        with self._lock:
            known, reachable = order.model in self._entries, order.model in self._traffic.models
        if not known:
            order.done.set_exception(NotFound(self._why_not(order.model, None)))
        elif order.load and not reachable:
            order.done.set_exception(LoadError(self._why_not(order.model, None)))
        else:
            order.done.set_result(None)

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
            if model in self._unloaded:
                views = [replace(view, proposed=False) for view in views]
        return next_action(views, self.source.config(model).policy)

    def _load(self, model: str, version: int) -> None:
        entry = self._entries[model][version]
        entry.state = State.LOADING
        entry.tries += 1
        try:
            servable = self.loader(entry.candidate)
        except Exception as error:  # one bad model never stops the others
            reason = (
                str(error) if isinstance(error, ServeError) else f"{type(error).__name__}: {error}"
            )
            with self._lock:
                entry.state, entry.error = State.END, reason
                if entry.tries <= self.retries:
                    entry.retry_at = time.monotonic() + self.retry_interval
            logger.error("%s %d failed: %s", model, version, reason)
            return
        with self._lock:  # reachable first, then available
            entry.servable = servable
            self._traffic.add(entry)
            entry.state = State.AVAILABLE
        logger.info("%s %d ready", model, version)

    def _unload(self, model: str, version: int) -> None:
        with self._lock:  # unloading first, then unreachable
            entry = self._entries[model][version]
            entry.state = State.UNLOADING
            self._traffic.remove(entry)

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

    def _release(self, entry: Version) -> None:
        with self._lock:
            entry.users -= 1
            ended = entry.users == 0 and entry.state is State.UNLOADING
        if ended:
            self._wake.set()

    def _suggest(self, model: str) -> str:
        """The name that was meant, perhaps, to end a sentence with; nothing where none is near."""
        hint = did_you_mean(model, self.models())
        return f".{hint}" if hint else ""

    def _why_not(self, model: str, version: int | None) -> str:
        """A version that cannot be had, in TensorFlow Serving's words, and the reason."""
        wanted = f"Latest({model})" if version is None else f"Specific({model}, {version})"
        try:
            versions = self.status(model)
        except NotFound:
            known = self.models()
            shown = ", ".join(known[:MOST_NAMES]) or "none"
            more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
            suggestion = self._suggest(model) or "."
            return (
                f"Servable not found for request: {wanted}{suggestion} Models here: {shown}{more}."
            )
        states = "; ".join(
            f"version {v.version} failed: {v.error}"
            if v.error
            else f"version {v.version} is {v.state}{' by order' * (model in self._unloaded)}"
            for v in versions
        )
        return f"Servable not found for request: {wanted}. Of this model, {states}"
