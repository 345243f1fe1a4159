"""Reads arrays from NumPy's `.npz` files."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.core.errors import DataError
from trainer.core.hint import did_you_mean, listing
from trainer.data.dataset import Array, Dataset, Task
from trainer.data.files import read_bytes, stem
from trainer.data.labels import class_names, encode, given

ZIP_MAGIC = b"PK"
DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)


def read_npz(
    path: str | Path,
    *,
    x: str = "x",
    y: str = "y",
    task: Task | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Read two arrays of an `.npz` file. Nothing is ever unpickled.

    Args:
        path: The file, as written by `numpy.savez` or `numpy.savez_compressed`.
        x: The name of the inputs, [rows, ...]. Defaults to "x".
        y: The name of the targets: class indices (integers), amounts (floats), or labels (strings),
            which become class indices. Defaults to "y".
        task: "classify" or "regress", if it does not follow from the type of the targets.
        classes: The class names by index. Defaults to `None`: the labels found, sorted, or none.

    Raises:
        DataError: The file is missing or damaged, or has no such arrays.
    """
    source = Path(path)
    inputs, targets = _arrays(source, (x, y))
    names = given(classes)
    if targets.dtype.kind in "US":
        labels = targets.astype(str).ravel().tolist()
        names = names or class_names(labels)
        indices = encode(labels, names, lambda row: f"{source}, array {y!r}, row {row}")
        targets = indices.reshape(targets.shape)
    return Dataset(inputs, _as_task(source, targets, task), classes=names, name=stem(source))


def _arrays(path: Path, keys: Sequence[str]) -> list[Array]:
    content = read_bytes(path)
    if not content.startswith(ZIP_MAGIC):
        raise DataError(f"{path}: not an .npz file. Write it with numpy.savez.")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            for key in keys:
                if key not in archive.files:
                    raise DataError(
                        f"{path}: there is no array {key!r}.{did_you_mean(key, archive.files)} "
                        f"The arrays are {listing(archive.files)}."
                    )
            return [np.asarray(archive[key]) for key in keys]
    except (*DAMAGES, ValueError) as error:  # a ValueError is how numpy refuses pickled objects
        raise DataError(
            f"{path}: cannot be read ({error}). Write it with numpy.savez, from arrays of numbers."
        ) from None


def _as_task(path: Path, targets: Array, task: Task | None) -> Array:
    if task not in (None, "classify", "regress"):
        raise DataError(f"The task is 'classify' or 'regress', not {task!r}.")
    if task == "regress":
        return targets.astype(np.float32)
    if task == "classify" and targets.dtype.kind == "f":
        if not (targets == np.floor(targets)).all():
            raise DataError(f"{path}: to classify takes whole numbers, but the targets are not.")
        return targets.astype(np.int64)
    return targets
