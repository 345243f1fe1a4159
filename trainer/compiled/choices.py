"""The table that decides which formula a compiled step writes a convolution's gradient with."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trainer.core.errors import ConfigError
from trainer.ops.convolution_gradient import ASKED, MEASURED, Setting
from trainer.ops.window import Axis, Window

FORMAT = 1


def local_table() -> Path:
    """Where `tapeline tune` writes: $TAPELINE_CHOICES, or choices.json in the user's cache."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user whom the system does not know: a place where nothing can be
        cache = Path(os.devnull)
    return Path(os.environ.get("TAPELINE_CHOICES") or cache / "tapeline" / "choices.json")


@functools.cache
def install() -> None:
    """Let compiled steps follow the table of the repository and, before that, the local one.

    Raises:
        ConfigError: The local table is damaged or written by a newer version.
    """
    for path in (Path(__file__).with_suffix(".json"), local_table()):
        if path.is_file():
            MEASURED.update(_read(path))


def used() -> list[dict[str, Any]]:
    """What was chosen for every gradient captured so far, as plain values for a checkpoint."""
    return [plain(setting, chosen) for setting, chosen in ASKED.items()]


def restore(entries: Iterable[Mapping[str, Any]]) -> None:
    """Choose again as `used` said, so that a run goes on to the bit as it began."""
    MEASURED.update(map(_parsed, entries))


def write(path: Path, choices: Mapping[Setting, str]) -> None:
    """Add choices to a table; those of other settings stay.

    Raises:
        ConfigError: It cannot be written, or what is there is no table.
    """
    table = (_read(path) if path.is_file() else {}) | dict(choices)
    lines = ",\n".join(json.dumps(plain(*entry)) for entry in table.items())
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(f'{{"format": {FORMAT}, "choices": [\n{lines}\n]}}\n')
        partial.replace(path)
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}.") from error


def _read(path: Path) -> dict[Setting, str]:
    try:
        table = json.loads(path.read_text())
        number = int(table["format"])
        if number <= FORMAT:
            return dict(map(_parsed, table["choices"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path} is no table of choices: {error}. Delete it, and measure again: tapeline tune."
        ) from error
    raise ConfigError(
        f"{path} has the format {number}; this version reads up to {FORMAT}. Update tapeline."
    )


def plain(setting: Setting, chosen: str) -> dict[str, Any]:
    """An entry of a table."""
    window = [list(axis) for axis in setting.window]
    return {**setting._asdict(), "window": window, "formula": chosen}


def _parsed(entry: Mapping[str, Any]) -> tuple[Setting, str]:
    fields = dict(entry)
    chosen = str(fields.pop("formula"))
    setting = Setting(**{**fields, "window": Window(Axis(*axis) for axis in fields["window"])})
    if chosen not in setting.formulas:
        raise ValueError(f"a gradient by {setting.gradient} has no formula {chosen!r}")
    return setting, chosen
