"""The folder of models as a source: which versions are there, complete, at this moment."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from serve.errors import LoadError
from serve.manifest import Manifest

MODEL = "model.onnx"

logger = logging.getLogger("serve")

Stamp = tuple[tuple[str, int, int], ...]
"""The files of a version: path within it, size in bytes, time of last change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A complete version as it lies in the folder."""

    model: str
    version: int
    path: Path
    stamp: Stamp


Proposal = Mapping[str, Mapping[int, Candidate]]
"""Every model by name, with its complete versions; a model may have none at the moment."""


class FolderSource:
    """Proposes, each time anew, all complete versions below a folder.

    A version is complete when every file that its manifest lists is there in full size, or when
    nothing in it has changed since the last look; a damaged one is proposed as well, in the end,
    so that its loading says what is wrong.

    Args:
        base: The folder whose children are models.
        model_name: Propose this child only. Defaults to all.
    """

    def __init__(self, base: Path, model_name: str | None = None) -> None:
        self.base = base
        self.model_name = model_name
        self._seen: dict[Path, Stamp] = {}
        self._complaints: dict[str, str] = {}

    def poll(self) -> Proposal | None:
        """Look once; None where the folder cannot be reached or holds nothing at all."""
        seen: dict[Path, Stamp] = {}
        complaints: dict[str, str] = {}
        proposal: dict[str, dict[int, Candidate]] = {}
        try:
            names = self._names()
        except OSError as error:
            names, complaints["the model folder"] = [], str(error)
        for name in names:
            proposal[name] = {}
            try:
                for version, path in _versions(self.base / name):
                    seen[path] = stamp = _stamp(path)
                    if _is_complete(path, stamp, self._seen.get(path)):
                        proposal[name][version] = Candidate(name, version, path, stamp)
            except OSError as error:  # one unreadable folder does not stop the others
                proposal[name], complaints[name] = {}, str(error)
        for name, complaint in complaints.items():
            if self._complaints.get(name) != complaint:
                logger.warning("%s cannot be read: %s", name, complaint)
        self._seen, self._complaints = seen, complaints
        return proposal or None

    def _names(self) -> list[str]:
        """The children that may be models."""
        if self.model_name:
            return [self.model_name]
        with os.scandir(self.base) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())


def _versions(model: Path) -> Iterator[tuple[int, Path]]:
    """The integer-named children of a model's folder that hold a graph."""
    with os.scandir(model) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if name.isascii() and name.isdigit() and int(name) < 2**63:
            path = model / name
            if (path / MODEL).is_file():
                yield int(name), path


def _stamp(folder: Path) -> Stamp:
    found = []
    for path in folder.rglob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # renamed or removed between the two calls
            continue
        if path.is_file():
            found.append((str(path.relative_to(folder)), status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def _is_complete(path: Path, stamp: Stamp, before: Stamp | None) -> bool:
    if stamp == before:
        return True
    try:
        manifest = Manifest.read(path)
    except LoadError:
        return False
    return manifest is not None and not manifest.lacks(path)
