"""What the fields of a configuration file may hold, and what is said of one that holds else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from serve.errors import SettingsError
from serve.hint import did_you_mean


def table(value: Any, where: str) -> Mapping[str, Any]:
    """A table of TOML, or a message of the text format.

    Raises:
        SettingsError: It is something else.
    """
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where} = {value!r} must be a table, of names with their values")
    return value


def known(fields: Any, where: str, *names: str) -> Mapping[str, Any]:
    """A table that has no other fields than these.

    Raises:
        SettingsError: It is no table, or has another; the message says which was meant, perhaps.
    """
    if unknown := sorted(table(fields, where).keys() - set(names)):
        known_ones = f"known are {', '.join(names)}" if names else "there is nothing to say in it"
        problem = f"{where} has {', '.join(unknown)}; {known_ones}"
        hint = did_you_mean(unknown[0], names)
        raise SettingsError(f"{problem}.{hint}" if hint else problem)
    return table(fields, where)


def number(value: Any, name: str, least: int = 0, most: float = math.inf) -> int:
    """A whole number within bounds.

    Raises:
        SettingsError: It is something else.
    """
    if type(value) is not int or not least <= value <= most:
        end = f" to {most}" if most < math.inf else ""
        raise SettingsError(f"{name} = {value!r} must be a whole number from {least}{end}")
    return value


def numbers(value: Any, name: str, least: int = 0) -> Sequence[int]:
    """A list of whole numbers, which is not empty.

    Raises:
        SettingsError: It is something else.
    """
    if not isinstance(value, list) or not value:
        raise SettingsError(f"{name} = {value!r} must be a list of whole numbers, such as [1, 2]")
    return [number(item, name, least) for item in value]


def switch(value: Any, name: str) -> bool:
    """True or false.

    Raises:
        SettingsError: It is something else.
    """
    if type(value) is not bool:
        raise SettingsError(f"{name} = {value!r} must be true or false")
    return value


def seconds(value: Any, name: str) -> float:
    """A time that ends.

    Raises:
        SettingsError: It is something else.
    """
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise SettingsError(f"{name} = {value!r} must be seconds, from 0 on")
    return float(value)


def percent(value: Any, name: str) -> float:
    """A share, of 0 to 100.

    Raises:
        SettingsError: It is something else.
    """
    if type(value) not in (int, float) or not 0 <= value <= 100:
        raise SettingsError(f"{name} = {value!r} must be between 0 and 100")
    return float(value)
