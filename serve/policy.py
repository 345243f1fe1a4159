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
        error: Why it failed; empty where it did not.
    """

    version: int
    state: State
    proposed: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Load this version."""

    version: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Take this version out of service."""

    version: int


def next_action(versions: Sequence[VersionState], num_versions: int = 1) -> Load | Unload | None:
    """Decide what to do next so that the newest working versions serve, without a gap.

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
        num_versions: How many of the newest ones are wanted.
    """
    newest_first = sorted(versions, key=lambda v: v.version, reverse=True)
    wanted = [v for v in newest_first if v.proposed and not v.error][:num_versions]
    for v in wanted:
        if v.state in (State.START, State.END):
            return Load(v.version)
    replaced = any(v.state is State.AVAILABLE for v in wanted)
    withdrawn = not any(v.proposed for v in versions)
    if replaced or withdrawn:
        for v in reversed(newest_first):
            if v.state is State.AVAILABLE and v not in wanted:
                return Unload(v.version)
    return None
