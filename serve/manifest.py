"""The manifest of a published version: which files it has, and how exactly it must be reproduced."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast, get_args

import orjson

from serve.errors import LoadError

FORMAT = 1
NAME = "manifest.json"

Comparison = Literal["close", "argmax", "none"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an output may be from its golden example."""

    rtol: float = 1e-3
    atol: float = 1e-4
    compare: Comparison = "close"


@dataclass(frozen=True, slots=True)
class File:
    """What a file of the version must be."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A version's files by their path within it, and its tolerances by output."""

    files: Mapping[str, File]
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Read the manifest of a version; None where it has none.

        Raises:
            LoadError: It is not a manifest of a format known here.
        """
        try:
            text = (folder / NAME).read_bytes()
        except FileNotFoundError:
            return None
        try:
            content = orjson.loads(text)
            version = content["format"]
            if version > FORMAT:
                raise LoadError(
                    f"{NAME} has format {version}, this server knows {FORMAT}: "
                    "update the server, or publish the model again."
                )
            files = {
                _inside(path): File(int(entry["size"]), str(entry["sha256"]))
                for path, entry in content["files"].items()
            }
            outputs = content.get("golden", {}).get("outputs", {})
            return cls(files, {name: _tolerance(entry) for name, entry in outputs.items()})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise LoadError(f"{NAME} is damaged: {error!r}.") from error

    def lacks(self, folder: Path) -> str:
        """Name the first file that is missing or has another size; empty where there is none."""
        for path, expected in self.files.items():
            try:
                size = (folder / path).stat().st_size
            except FileNotFoundError:
                return f"{path} is missing."
            if size != expected.size:
                return f"{path} has {size} bytes, {NAME} says {expected.size}."
        return ""

    def verify(self, folder: Path) -> None:
        """Compare every file with its hash.

        Raises:
            LoadError: A file is missing or has other contents.
        """
        if reason := self.lacks(folder):
            raise LoadError(reason)
        for path, expected in self.files.items():
            with (folder / path).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected.sha256:
                    raise LoadError(f"{path} does not have the SHA-256 that {NAME} says.")


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise LoadError(f"{NAME} names {path!r}, which is outside the version's folder.")
    return path


def _tolerance(entry: Mapping[str, Any]) -> Tolerance:
    numbers = {name: float(entry[name]) for name in ("rtol", "atol") if name in entry}
    tolerance = Tolerance(**numbers, compare=cast(Comparison, entry.get("compare", "close")))
    if tolerance.compare not in get_args(Comparison):
        raise ValueError(f"compare = {tolerance.compare!r}")
    return tolerance
