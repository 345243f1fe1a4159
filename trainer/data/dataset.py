"""Rows and their targets in memory, checked once, and their split into training and held-out rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trainer.core.errors import DataError

Array = npt.NDArray[Any]
Task = Literal["classify", "regress"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Rows of inputs with a target each.

    The arrays are not copied where they already fit, and cannot be written through the dataset.

    Args:
        x: The inputs, [rows, ...]; float64 is rounded to float32, the dtype of parameters.
        y: Class indices of any integer type, [rows, ...], kept as int64; or amounts of any float
            type, [rows] or [rows, targets], kept as float32 with at least two axes.
        features: The name of each column of `x`. Defaults to `None`: the columns have no names.
        classes: The name of each class index. Defaults to `None`: the classes have no names.
        name: What to call the data in messages and reports. Defaults to "data".

    Raises:
        DataError: There is no row, the row counts differ, a value is not a finite number, or the
            names do not fit the arrays.

    Example:
        >>> Dataset(np.eye(3), np.array([0, 1, 1]), classes=("no", "yes"), name="example")
        Dataset(example: 3 rows of float32[3], 2 classes)
    """

    x: Array
    y: Array
    features: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    name: str = "data"

    def __post_init__(self) -> None:
        x, y = _inputs(self.name, self.x), _targets(self.name, self.y)
        if len(x) != len(y):
            raise DataError(f"{self.name}: {len(x)} rows of inputs, but {len(y)} targets.")
        if len(x) == 0:
            raise DataError(f"{self.name}: there are no rows; at least one is needed.")
        if self.features is not None and x.shape[1:] != (len(self.features),):
            raise DataError(
                f"{self.name}: {len(self.features)} feature names "
                f"for rows of shape {list(x.shape[1:])}."
            )
        if self.classes is not None:
            _check_classes(self.name, y, self.classes)
        for field, value in {"x": _frozen(x), "y": _frozen(y)}.items():
            object.__setattr__(self, field, value)

    @property
    def task(self) -> Task:
        """What a model of this data does: "classify" for class indices, "regress" for amounts."""
        return "classify" if self.y.dtype == np.int64 else "regress"

    @cached_property
    def sha256(self) -> str:
        """A hash of the content (arrays with their dtypes and shapes, names), not of the file."""
        names = {"features": self.features, "classes": self.classes}
        digest = hashlib.sha256(json.dumps(names).encode())
        for array in (self.x, self.y):
            little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{little_endian.dtype.str}{array.shape}".encode())
            digest.update(little_endian.data)
        return digest.hexdigest()

    def take(self, indices: npt.NDArray[np.integer] | Sequence[int]) -> Dataset:
        """The rows with these indices, in this order, as a dataset of its own."""
        return replace(self, x=self.x.take(indices, axis=0), y=self.y.take(indices, axis=0))

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        if self.task == "regress":
            target = f"targets float32{list(self.y.shape[1:])}"
        else:
            target = f"{len(self.classes) if self.classes else self.y.max() + 1} classes"
        inputs = f"{self.x.dtype}{list(self.x.shape[1:])}"
        return f"Dataset({self.name}: {len(self)} rows of {inputs}, {target})"


def split(
    dataset: Dataset, holdout: float = 0.2, seed: int = 0, stratified: bool = True
) -> tuple[Dataset, Dataset]:
    """Divide the rows at random into training rows and held-out rows.

    The same arguments give the same split. Both parts keep the order of the rows. A stratified split
    holds out the same share of every class, to less than one row, and never the last row of a class;
    amounts and rows with several class indices are split without strata.

    Args:
        dataset: The rows to divide.
        holdout: The share of rows to hold out, between 0 and 1. Defaults to 0.2.
        seed: Chooses the rows; any integer from 0. Defaults to 0.
        stratified: Whether to keep the proportions of the classes. Defaults to True.

    Returns:
        The training rows and the held-out rows.

    Raises:
        DataError: The share is out of range, or a part would be empty.

    Example:
        >>> rows = Dataset(np.arange(10.0).reshape(10, 1), np.arange(10) % 2)
        >>> train, held_out = split(rows, holdout=0.4)
        >>> len(train), len(held_out), held_out.y.mean().item()
        (6, 4, 0.5)
    """
    if not 0.0 < holdout < 1.0:
        raise DataError(f"The holdout must be a share of the rows between 0 and 1, not {holdout}.")
    by_class = stratified and dataset.task == "classify" and dataset.y.ndim == 1
    strata = dataset.y if by_class else np.zeros(len(dataset), np.int64)
    _, stratum_of, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    quotas = _quotas(sizes, holdout)
    if quotas.sum() == 0:
        raise DataError(
            f"{dataset.name}: {len(dataset)} rows are too few to hold out {holdout:.0%} of them and "
            "train on every class. Give more rows or another share."
        )
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(dataset), bool)
    for stratum, quota in enumerate(quotas):
        held_out[generator.permutation(np.flatnonzero(stratum_of == stratum))[:quota]] = True
    return dataset.take(np.flatnonzero(~held_out)), dataset.take(np.flatnonzero(held_out))


def _quotas(sizes: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.int64]:
    """How many rows of each stratum to hold out: the method of largest remainders."""
    quotas = np.floor(sizes * share).astype(np.int64)
    missing = round(int(sizes.sum()) * share) - int(quotas.sum())
    may_give_one_more = (quotas < sizes * share) & (quotas + 1 < sizes)
    by_remainder = np.argsort(quotas - sizes * share, kind="stable")
    quotas[by_remainder[may_give_one_more[by_remainder]][: max(missing, 0)]] += 1
    return quotas


def _inputs(name: str, x: Array) -> Array:
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise DataError(f"{name}: the inputs are {x.dtype}; numbers are expected.")
    if x.ndim < 2:
        raise DataError(
            f"{name}: the inputs have shape {list(x.shape)}; [rows, features] or more is expected."
        )
    native = x.astype(x.dtype.newbyteorder("="), copy=False)
    return _finite(name, "inputs", _single_precision(native))


def _targets(name: str, y: Array) -> Array:
    y = np.asarray(y)
    if y.dtype.kind not in "biuf" or y.ndim == 0:
        raise DataError(
            f"{name}: the targets are {y.dtype}{list(y.shape)}; "
            "class indices or amounts, one or more per row, are expected."
        )
    if y.dtype.kind == "f":
        y = _finite(name, "targets", _single_precision(y).astype(np.float32, copy=False))
        return y[:, np.newaxis] if y.ndim == 1 else y
    y = y.astype(np.int64, copy=False)
    if y.size and y.min() < 0:
        row = int(np.argwhere(y < 0)[0][0])
        raise DataError(f"{name}: the class index in row {row} is {y.min()}; it starts from 0.")
    return y


def _single_precision(array: Array) -> Array:
    if array.dtype.kind != "f" or array.dtype.itemsize <= 4:
        return array
    with np.errstate(over="ignore"):  # what overflows is infinite and reported as that
        return array.astype(np.float32)


def _finite(name: str, what: str, array: Array) -> Array:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0].tolist()
        raise DataError(
            f"{name}: the {what} hold {array[tuple(place)]} at {place} (counted from 0); "
            "every value must be a finite float32."
        )
    return array


def _check_classes(name: str, y: Array, classes: tuple[str, ...]) -> None:
    if y.dtype != np.int64:
        raise DataError(f"{name}: class names were given, but the targets are amounts ({y.dtype}).")
    if len(set(classes)) != len(classes):
        raise DataError(f"{name}: the class names {', '.join(classes)} are not all different.")
    if y.max() >= len(classes):
        raise DataError(
            f"{name}: the class index {y.max()} has no name; {len(classes)} class names were given."
        )


def _frozen(array: Array) -> Array:
    view = np.asarray(array, order="C").view()
    view.flags.writeable = False
    return view
