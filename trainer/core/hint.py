"""Guesses which of the known names a misspelled one was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

SHOWN = 12


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The closest known name as a question to append to an error, or nothing.

    Example:
        >>> did_you_mean("specis", ["species", "petal_width"])
        " Did you mean 'species'?"
    """
    spelled = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), spelled, n=1)
    return f" Did you mean {spelled[close[0]]!r}?" if close else ""


def listing(names: Sequence[str]) -> str:
    """The names with commas between them, cut short if there are very many."""
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown}, ... ({len(names)} in all)"
