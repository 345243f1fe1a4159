"""Publishes a Module as the next version of a model, which appears complete and proven or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from exporter import manifest, writer
from exporter.errors import ExportError, PublishError
from exporter.runtime import Session
from exporter.signature import Signature
from exporter.verification import Verification, verify
from trainer.nn.module import Module

GOLDEN_ROWS = 8
INCOMING = ".incoming-"
# What another tool writes under such a name is not locked: it is left alone for so many seconds.
STALE = 3600.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Published:
    """A published version.

    Attributes:
        path: `root/name/version`.
        signature: What the file takes and gives.
        verification: How the file was compared with the module.
    """

    path: Path
    signature: Signature
    verification: Verification

    @property
    def version(self) -> int:
        """Its number."""
        return int(self.path.name)


def publish(
    module: Module,
    examples: Any,
    name: str,
    root: str | Path = "models",
    **options: Unpack[writer.ExportOptions],
) -> Published:
    """Write, prove and publish a Module as `root/name/<next version>`.

    The version holds `model.onnx`; `golden.npz`, a few inputs and what this very file makes of them
    in ONNX Runtime, for a server to repeat; and `manifest.json`, which names every file with its hash.

    Args:
        module: What is published.
        examples: Rows, as `example_inputs` of `exporter.export`; real ones, of which the first 8
            become the golden examples.
        name: The model's name: letters, digits, `.`, `_` and `-`.
        root: The folder of all models. Defaults to "models".
        **options: As for `exporter.export`.

    Returns:
        Where it is, its signature, and how it was proven.

    Raises:
        PublishError: The name or the folder cannot be used, or the disk is full; no file is left.
        ExportError: The module cannot be written.
        VerificationError: The file computes something else than the module.
    """
    if not _NAME.fullmatch(name):
        raise PublishError(
            f"{name!r} is no name for a model: letters, digits, '.', '_' and '-' are, the first of "
            "them a letter or a digit."
        )
    folder = Path(root) / name
    with _incoming(folder) as incoming:
        signature, verification = _fill(incoming, module, examples, name, options)
        path = _appear(incoming, folder)
    return Published(path, signature, verification)


@contextmanager
def _incoming(folder: Path) -> Iterator[Path]:
    """A hidden folder beside the versions, gone afterwards whatever happens."""
    incoming = lock = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        incoming = Path(tempfile.mkdtemp(prefix=INCOMING, dir=folder))
        incoming.chmod(0o755)
        lock = _lock(incoming)
        yield incoming
    except (OSError, ExportError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError):
            raise
        raise PublishError(
            f"Cannot publish in {folder}: {cause.strerror or cause}. Nothing was published."
        ) from error
    finally:
        if incoming is not None:
            shutil.rmtree(incoming, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _sweep(folder: Path) -> None:
    """Remove what publishers that were killed have left behind."""
    for left in folder.glob(f"{INCOMING}*"):
        with suppress(OSError):  # another may sweep as well
            if time.time() - left.stat().st_mtime > STALE and (lock := _lock(left)) is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)


def _lock(incoming: Path) -> int | None:
    """Lock a folder for as long as this process lives; None where another has it, or none can."""
    handle = os.open(incoming, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _fill(
    folder: Path, module: Module, examples: Any, name: str, options: writer.ExportOptions
) -> tuple[Signature, Verification]:
    file = folder / "model.onnx"
    signature = writer.export(module, examples, file, **options)
    arrays = examples if isinstance(examples, list | tuple) else (examples,)
    inputs = {
        spec.name: np.asarray(getattr(array, "_data", array))
        for spec, array in zip(signature.inputs, arrays, strict=True)
    }
    with writer.switched(module, training=False):
        verification = verify(file, _answers(module, options.get("head")), inputs)
    golden = {
        spec.name: inputs[spec.name][:GOLDEN_ROWS] if spec.has_batch else inputs[spec.name]
        for spec in signature.inputs
    }
    outputs = Session(file).run(golden)
    manifest.save_golden(folder, golden, outputs)
    rows = min(len(array) for array in golden.values() if array.ndim)
    manifest.write(folder, name, rows, [*outputs], verification)
    return signature, verification


def _answers(module: Module, head: writer.Head | None) -> Callable[..., Any]:
    return module if head is None else lambda *tensors: head(module(*tensors))


def _appear(incoming: Path, folder: Path) -> Path:
    """Rename the whole folder to the next free number, when all of it is on the disk."""
    for file in incoming.iterdir():
        _sync(file)
    _sync(incoming)
    while True:
        numbers = [int(p.name) for p in folder.iterdir() if p.name.isascii() and p.name.isdigit()]
        target = folder / str(max(numbers, default=0) + 1)
        try:
            incoming.rename(target)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                continue  # another was faster
            raise
        _sync(folder)
        return target


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
