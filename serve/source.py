"""Folders of models as a source: which versions are there, complete, at this moment."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serve import models_config
from serve.errors import LoadError, SettingsError
from serve.manifest import Manifest
from serve.models_config import DEFAULT, ModelConfig, ModelEntry

MODEL = "model.onnx"
DEFAULT_NAME = "default"  # TensorFlow Serving's, for a model's own folder given without a name

logger = logging.getLogger("serve")

Stamp = tuple[tuple[str, int, int], ...]
"""The files of a version: path within it, size in bytes, time of last change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version as it lies in the folder.

    Attributes:
        model: The model's name.
        version: Its number.
        path: Its folder.
        stamp: What its files look like from outside.
        waiting: Why it is not complete; empty where it is, and may be loaded.
        config: How its model is served.
    """

    model: str
    version: int
    path: Path
    stamp: Stamp
    waiting: str = ""
    config: ModelConfig = DEFAULT


Proposal = Mapping[str, Mapping[int, Candidate]]
"""Every model by name, with its versions; a model may have none at the moment."""


class FolderSource:
    """Proposes, each time anew, all versions below a folder.

    Args:
        base: The folder whose children are models; or, as in TensorFlow Serving, a model's own
            folder, which holds its versions.
        model_name: Propose this model only. Defaults to all.
        config: How all of them are served.
    """

    def __init__(
        self, base: Path, model_name: str | None = None, config: ModelConfig = DEFAULT
    ) -> None:
        self.base = base
        self.model_name = model_name
        self._config = config
        self._is_model = False  # once it has held versions, it is one even when they are gone
        self._looker = Looker()

    def poll(self) -> Proposal | None:
        """Look once; None where the folder cannot be reached or holds nothing at all."""
        try:
            models = {name: ModelEntry(path, self._config) for name, path in self._models()}
        except OSError as error:
            models = {}
            self._looker.complain("the model folder", str(error))
        return self._looker.look(models) or None

    def config(self, model: str) -> ModelConfig:
        """How a model is served."""
        return self._config

    def required(self) -> frozenset[str]:
        """The models that count for readiness even while they are not there."""
        return frozenset(filter(None, [self.model_name]))

    def _models(self) -> Iterator[tuple[str, Path]]:
        """The children that may be models, or the folder itself where it holds versions."""
        child = self.base / (self.model_name or "")
        if not self.model_name or not child.is_dir():
            with os.scandir(self.base) as entries:
                names = sorted(
                    e.name for e in entries if not e.name.startswith(".") and _is_folder(e)
                )
            self._is_model |= any(
                _is_version(name) and (self.base / name / MODEL).exists() for name in names
            )
            if self._is_model:
                yield self.model_name or DEFAULT_NAME, self.base
                return
            if not self.model_name:
                yield from ((name, self.base / name) for name in names)
                return
        yield self.model_name, child


class ConfiguredSource:
    """Proposes the versions of the models that a configuration file names; reads it on change.

    Args:
        path: The file.
        interval: Seconds between two looks at the file; 0 reads it once.

    Raises:
        SettingsError: The file is wrong now; a file that is wrong later only counts as unchanged.
    """

    def __init__(self, path: Path, interval: float = 1.0) -> None:
        self.path = path
        self.interval = interval
        self._stamp = self._look_at_file()
        self._models = models_config.read(path)
        self._next = time.monotonic() + interval
        self._looker = Looker()

    def poll(self) -> Proposal:
        """Look once, at the file and at the folders that it names."""
        if self.interval and time.monotonic() >= self._next:
            self._next = time.monotonic() + self.interval
            self._reread()
        return self._looker.look(self._models)

    def config(self, model: str) -> ModelConfig:
        """How a model is served."""
        entry = self._models.get(model)
        return entry.config if entry else DEFAULT

    def required(self) -> frozenset[str]:
        """All models of the file count for readiness."""
        return frozenset(self._models)

    def _reread(self) -> None:
        stamp = self._look_at_file()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._models = models_config.read(self.path)
        except SettingsError as error:
            logger.error("%s The one before stays in force.", error)
        else:
            logger.info("read %s: %s", self.path, ", ".join(self._models) or "no models")

    def _look_at_file(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


class Looker:
    """Looks at the folders of models again and again, and so sees what changes.

    A version is complete when every file that its manifest lists is there in full size, or when
    nothing in it has changed since the last look; a damaged one is complete as well, in the end,
    so that its loading says what is wrong.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, Stamp] = {}
        self._complaints: dict[str, str] = {}
        self._new_complaints: dict[str, str] = {}

    def complain(self, what: str, reason: str) -> None:
        """Say that something cannot be read, unless it could not be the last time either."""
        self._new_complaints[what] = reason
        if self._complaints.get(what) != reason:
            logger.warning("%s cannot be read: %s", what, reason)

    def look(self, models: Mapping[str, ModelEntry]) -> Proposal:
        """Find the versions of models, each in its folder."""
        seen: dict[Path, Stamp] = {}
        proposal: dict[str, dict[int, Candidate]] = {}
        for name, entry in models.items():
            proposal[name] = {}
            try:
                versions = list(_versions(entry.base_path))
            except OSError as error:  # one unreadable folder does not stop the others
                self.complain(name, str(error))
                continue
            for version, path in versions:
                try:
                    stamp = _stamp(path)
                    waiting = _lacks(path, stamp, self._seen.get(path))
                    seen[path] = stamp
                except OSError as error:
                    stamp, waiting = (), f"it cannot be read: {error}"
                proposal[name][version] = Candidate(
                    name, version, path, stamp, waiting, entry.config
                )
            policy = entry.config.policy
            for version in sorted((policy.specific | policy.labelled) - proposal[name].keys()):
                reason = f"there is none in {entry.base_path}, though its configuration names it"
                self.complain(f"{name} {version}", reason)
        self._seen = seen
        self._complaints, self._new_complaints = self._new_complaints, {}
        return proposal


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdigit() and int(name) < 2**63


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether to look into it; where nobody can tell, such as a link in a circle, that will say why."""
    try:
        return entry.is_dir()
    except OSError:
        return True


def _versions(model: Path) -> Iterator[tuple[int, Path]]:
    """The integer-named children of a model's folder."""
    with os.scandir(model) as entries:
        names = sorted(e.name for e in entries if _is_version(e.name) and _is_folder(e))
    for name in names:
        yield int(name), model / name


def _stamp(folder: Path) -> Stamp:
    return tuple(sorted(_files(str(folder), "")))


def _files(folder: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    """The files of a folder and of those within it; by scandir, as every version is looked at often."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # renamed or removed meanwhile
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path, f"{prefix}{entry.name}/")
                elif entry.is_file():
                    status = entry.stat()
                    yield prefix + entry.name, status.st_size, status.st_mtime_ns


def _lacks(path: Path, stamp: Stamp, before: Stamp | None) -> str:
    """Why a version is not complete; empty where it is."""
    if not any(name == MODEL for name, *_ in stamp):
        return f"{MODEL} is missing."
    if stamp == before:
        return ""
    try:
        manifest = Manifest.read(path)
    except LoadError as error:
        return str(error)
    if manifest is None:
        return "its files have changed since the last look."
    return manifest.lacks(path)
