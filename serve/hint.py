"""Guesses which of the known names a misspelled one was meant to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_CHOICE = re.compile(r"'(?P<given>.*)' is not one of (?P<known>'.*')\.")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The closest known name as a question to append to a sentence, or nothing.

    Example:
        >>> did_you_mean("hlaf_plus_two", ["half_plus_two", "linear"])
        ' Did you mean half_plus_two?'
    """
    spelled = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), spelled, n=1)
    return f" Did you mean {spelled[close[0]]}?" if close else ""


def complaint(message: str) -> str:
    """What the command line says of an option's value, without the name of who says it.

    Example:
        >>> complaint("Value error, 'refus' is not one of 'refuse', 'warn', 'off'.")
        "'refus' is not one of 'refuse', 'warn', 'off'. Did you mean refuse?"
    """
    message = message.removeprefix("Value error, ")
    if choice := _CHOICE.fullmatch(message):
        message += did_you_mean(choice["given"], re.findall("'(.*?)'", choice["known"]))
    return message
