"""Which version of a model to load or unload next: a pure function of the states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The life of a version, in TensorFlow Serving's words."""

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"


@dataclass(frozen=True, slots=True)
class VersionState:
    """A version as the policy and the status answers see it.

    Attributes:
        version: Its number.
        state: Where it is in its life.
        proposed: Whether the source still has it.
        error: Why it cannot be loaded, or could not; empty where nothing stands against it.
        note: What else is to be known of it; such as that its files are gone.
    """

    version: int
    state: State
    proposed: bool = True
    error: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class VersionPolicy:
    """Which versions of a model are wanted.

    Attributes:
        latest: So many of the newest; all where it is None.
        specific: These, whatever else there is; empty where `latest` counts.
        labelled: These as well, because a label names them.
    """

    latest: int | None = 1
    specific: frozenset[int] = frozenset()
    labelled: frozenset[int] = frozenset()

    def choose(self, newest_first: Sequence[VersionState]) -> list[VersionState]:
        """Pick the wanted ones of those that can be loaded."""
        whole = [v for v in newest_first if v.proposed and not v.error]
        named = self.labelled | self.specific
        latest = () if self.specific else whole[: self.latest]
        return [v for v in whole if v in latest or v.version in named]


@dataclass(frozen=True, slots=True)
class Load:
    """Load this version."""

    version: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Take this version out of service."""

    version: int


LATEST = VersionPolicy()


def next_action(
    versions: Sequence[VersionState], policy: VersionPolicy = LATEST
) -> Load | Unload | None:
    """Decide what to do next so that the wanted versions serve, without a gap.

    A version is unloaded only when a wanted one is available, or when the model is withdrawn as
    a whole: so a new version loads before the old one goes, and the last good one stays while
    newer ones fail.

    Example:
        >>> next_action([VersionState(1, State.AVAILABLE), VersionState(2, State.START)])
        Load(version=2)
        >>> next_action([VersionState(1, State.AVAILABLE), VersionState(2, State.AVAILABLE)])
        Unload(version=1)

    Args:
        versions: All versions of one model.
        policy: Which of them are wanted.
    """
    newest_first = sorted(versions, key=lambda v: v.version, reverse=True)
    wanted = policy.choose(newest_first)
    for v in wanted:
        if v.state in (State.START, State.END):
            return Load(v.version)
    states = {v.state for v in wanted}
    replaced = State.AVAILABLE in states and State.LOADING not in states
    withdrawn = not any(v.proposed for v in versions)
    if replaced or withdrawn:
        for v in reversed(newest_first):
            if v.state is State.AVAILABLE and v not in wanted:
                return Unload(v.version)
    return None
