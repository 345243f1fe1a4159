"""Asks a file about rows of data, without a server: CSV or NumPy's formats in, an answer for each row out."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter.errors import ExportError
from exporter.inspection import Inspection, inspect
from exporter.runtime import Session
from exporter.signature import TensorSpec
from trainer.core.errors import DataError
from trainer.core.hint import listing
from trainer.core.tensor import Array
from trainer.data.files import read_bytes
from trainer.data.table import Table

ROWS = 256  # of one run: the memory of all of them at once might not be there


@dataclass(frozen=True)
class Prediction:
    """The answers.

    Attributes:
        outputs: By name, each [rows, ...]; a map for each row, as scikit-learn's classifiers have, is
            an output for each key, `NAME.KEY`.
        classes: What the columns of the first output score, or `None`.
    """

    outputs: Mapping[str, Array]
    classes: tuple[str, ...] | None = None

    @property
    def labels(self) -> list[str] | None:
        """The best class of each row; `None` where there are no classes."""
        if self.classes is None:
            return None
        scores = next(iter(self.outputs.values()))
        return [self.classes[best] for best in scores.argmax(axis=1)]

    def columns(self) -> list[str]:
        """What the values of a row are called."""
        names: list[str] = []
        for place, (name, array) in enumerate(self.outputs.items()):
            width = math.prod(array.shape[1:])
            if place == 0 and self.classes is not None:
                names += ["class", *self.classes]
            else:
                names += [name] if width == 1 else [f"{name}.{k}" for k in range(width)]
        return names

    def rows(self) -> Iterator[list[Any]]:
        """The values of each row."""
        labels = self.labels
        flat = [array.reshape(len(array), -1) for array in self.outputs.values()]
        for k, parts in enumerate(zip(*flat, strict=True)):
            yield [*(labels[k : k + 1] if labels else ()), *(one for part in parts for one in part)]


def predict(model: str | Path, data: str | Path) -> Prediction:
    """Compute a model's outputs for the rows of a file.

    Args:
        model: An .onnx file, a version folder, or a model folder, of which the newest version is asked.
        data: A `.csv` or `.tsv` file whose header has the columns that the model was trained with, or
            the names of its inputs; an `.npy` file with its one input; or an `.npz` file with
            all of them by name. Each may be compressed, with `.gz`.

    Raises:
        ExportError: There is no such model, or an output has no answer for each row.
        DataError: The file is missing or holds something else than the model takes.
        VerificationError: ONNX Runtime cannot run it.
    """
    found = inspect(model)
    inputs = _read(found, Path(data))
    counts = {len(array) if array.ndim else 0 for array in inputs.values()}
    if len(counts) != 1 or counts == {0}:
        raise DataError(f"{data}: every input needs as many rows as the others, and at least one.")
    (count,) = counts
    size = ROWS if all(spec.has_batch for spec in found.inputs) else count
    session = Session(found.path)
    parts = []
    for start in range(0, count, size):
        asked = {name: array[start : start + size] for name, array in inputs.items()}
        parts.append(_answered(session.answer(asked), min(size, count - start)))
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Prediction(outputs, found.signature.classes if found.signature else None)


def _answered(outputs: Mapping[str, Any], rows: int) -> dict[str, Array]:
    """The outputs as arrays with an element for each row."""
    arrays: dict[str, Array] = {}
    for name, value in outputs.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            keys = value[0]
            arrays |= {f"{name}.{key}": np.array([row[key] for row in value]) for key in keys}
        else:
            arrays[name] = np.asarray(value)
    for name, array in arrays.items():
        if not array.ndim or len(array) != rows:
            raise ExportError(
                f"The output {name} has the shape {list(array.shape)} for {rows} rows: there is no "
                "answer for each of them."
            )
    return arrays


def _read(found: Inspection, data: Path) -> dict[str, Array]:
    """The inputs by name."""
    ending = Path(data.name.lower().removesuffix(".gz")).suffix
    if ending in (".csv", ".tsv"):
        return _from_table(found, Table(data))
    if ending not in (".npy", ".npz"):
        raise DataError(f"{data}: a file that ends in .csv, .tsv, .npy or .npz is expected.")
    content = read_bytes(data)
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except Exception as error:  # a damaged archive has many ways to say so
        raise DataError(f"{data}: cannot be read ({error}). Write it with numpy.save.") from None
    names = [spec.name for spec in found.inputs]
    if len(names) == len(arrays) == 1:
        arrays = dict(zip(names, arrays.values(), strict=True))
    if missing := sorted(set(names) - arrays.keys()):
        raise DataError(
            f"{data}: there is no array {missing[0]!r}. The inputs of {found.path} are {listing(names)}."
        )
    return {spec.name: _as(spec, arrays[spec.name], data) for spec in found.inputs}


def _from_table(found: Inspection, table: Table) -> dict[str, Array]:
    if len(found.inputs) > 1:  # a column for each, as scikit-learn's converters have it
        return {
            spec.name: _columns(table, spec, [spec.name]).reshape(-1, *_inner(spec))
            for spec in found.inputs
        }
    (spec,) = found.inputs
    rows = _columns(table, spec, (found.lineage or {}).get("features") or table.columns)
    if rows.shape[1] == math.prod(_inner(spec)):  # an image, a pixel a column
        rows = rows.reshape(-1, *_inner(spec))
    return {spec.name: rows}


def _inner(spec: TensorSpec) -> list[int]:
    """The sizes of one row; what may have any size is 1."""
    return [size if isinstance(size, int) else 1 for size in (spec.shape or ())[1:]]


def _columns(table: Table, spec: TensorSpec, names: Sequence[str]) -> Array:
    """The cells of some columns, [rows, columns], of the input's type."""
    dtype = _dtype(spec)
    if dtype.kind not in "Oiu":
        return _as(spec, table.numbers(names), table.path)
    cells = np.array([table.text(name) for name in names], object).T
    try:
        return cells.astype(dtype)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{table.path}: the input {spec.name} takes {spec}, and not every cell of "
            f"{listing(names)} is one of these whole numbers: {error}."
        ) from error


def _as(spec: TensorSpec, array: Array, data: Path) -> Array:
    """The array in an input's type; whole numbers may become others, amounts no whole numbers."""
    wanted, given = _dtype(spec), array.dtype
    if given.kind in "US" and wanted.kind == "O":
        return array.astype(str).astype(object)
    if given.kind == wanted.kind or np.can_cast(given, wanted, "same_kind"):
        return array.astype(wanted)
    raise DataError(f"{data}: the input {spec.name} takes {spec}, but {given} is given.")


def _dtype(spec: TensorSpec) -> np.dtype[Any]:
    try:
        return np.dtype(object if spec.dtype == "string" else spec.dtype)
    except TypeError:
        raise DataError(
            f"The input {spec.name} takes {spec}; there is no file of rows for that."
        ) from None
