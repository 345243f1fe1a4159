"""Reads tables of numbers and class labels from CSV files."""

from __future__ import annotations

import csv
import io
import itertools
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer.core.errors import DataError
from trainer.core.hint import did_you_mean, listing
from trainer.data.dataset import Array, Dataset, Task
from trainer.data.files import read_bytes, stem
from trainer.data.labels import are_whole_numbers, class_names, encode, given

DELIMITERS = ",;\t"
MANY_CLASSES = 20  # above this, classes that are hardly ever repeated are more likely amounts

_REMEDY = "Correct it, or leave out the row or the column."


class Table:
    """A CSV file with a header: its column names, and its cells as numbers or as text.

    The delimiter is the one of comma, semicolon and tab that divides the header most. The file is
    UTF-8. Blank lines are passed over.

    Args:
        path: The file, `.gz` if it is compressed.

    Raises:
        DataError: There is no such file, or it has no usable header.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._content = read_bytes(self.path)
        self._delimiter = ","
        self.columns: tuple[str, ...] = ()
        for delimiter in DELIMITERS:
            _, cells = next(self._lines(delimiter, strict=False), (0, []))
            if len(cells) > len(self.columns):
                self._delimiter, self.columns = delimiter, tuple(cell.strip() for cell in cells)
        self._check_header()

    def numbers(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """The cells of these columns, float32 [rows, columns].

        Raises:
            DataError: A column is missing; a cell is empty, NaN, infinite or not a number.
        """
        indices = [self.index(name) for name in names]
        values = array("f")
        for line, cells in self._rows():
            try:
                values.extend([float(cells[index]) for index in indices])
            except ValueError:
                raise self._not_a_number(line, cells, names) from None
        numbers = np.frombuffer(values, np.float32).reshape(-1, len(names))
        finite = np.isfinite(numbers).all(axis=1)
        if not finite.all():
            line, cells = self._row(int(finite.argmin()))
            raise self._not_a_number(line, cells, names)
        return numbers

    def text(self, name: str) -> list[str]:
        """The cells of a column without the blanks around them.

        Raises:
            DataError: The column is missing; a cell is empty or NaN.
        """
        index = self.index(name)
        texts = [cells[index].strip() for _, cells in self._rows()]
        missing = [text for text in set(texts) if text.lower() in ("", "nan")]
        if missing:
            row = min(map(texts.index, missing))
            raise DataError(f"{self.place(row, name)}: the cell {_problem(texts[row])}. {_REMEDY}")
        return texts

    def index(self, name: str) -> int:
        """The place of a column, from 0.

        Raises:
            DataError: There is no such column.
        """
        try:
            return self.columns.index(name)
        except ValueError:
            raise DataError(
                f"{self.path}: there is no column {name!r}.{did_you_mean(name, self.columns)} "
                f"The columns are {listing(self.columns)}."
            ) from None

    def place(self, row: int, name: str) -> str:
        """Where a cell stands, for an error message."""
        line, _ = self._row(row)
        return f"{self.path}, line {line}, column {name!r}"

    def _lines(self, delimiter: str, strict: bool) -> Iterator[tuple[int, list[str]]]:
        text = io.TextIOWrapper(io.BytesIO(self._content), encoding="utf-8-sig", newline="")
        reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=strict)
        try:
            for cells in reader:
                if cells not in ([], [""]):
                    yield reader.line_num, cells
        except csv.Error as error:
            raise DataError(f"{self.path}, line {reader.line_num}: not CSV ({error}).") from None
        except UnicodeDecodeError:
            raise DataError(f"{self.path}: not UTF-8 text. Save it as CSV in UTF-8.") from None

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        width = len(self.columns)
        for line, cells in itertools.islice(self._lines(self._delimiter, strict=True), 1, None):
            if len(cells) != width:
                raise DataError(
                    f"{self.path}, line {line}: {len(cells)} cells, but the header has {width}."
                )
            yield line, cells

    def _row(self, row: int) -> tuple[int, list[str]]:
        return next(itertools.islice(self._rows(), row, None))

    def _not_a_number(self, line: int, cells: list[str], names: Sequence[str]) -> DataError:
        for name in names:
            cell = cells[self.index(name)].strip()
            problem = _problem(cell)
            if problem:
                return DataError(
                    f"{self.path}, line {line}, column {name!r}: the cell {problem}. {_REMEDY}"
                )
        raise AssertionError("every cell of the line is a number")

    def _check_header(self) -> None:
        if not self.columns:
            raise DataError(f"{self.path}: the file is empty; a line of column names is expected.")
        if all(_problem(name) is None for name in self.columns):
            raise DataError(
                f"{self.path}: the first line holds numbers ({listing(self.columns)}); "
                "a line of column names is expected."
            )
        for number, name in enumerate(self.columns, start=1):
            if self.columns.index(name) != number - 1:
                raise DataError(f"{self.path}: two columns are called {name!r}. Rename one.")


def read_table(
    path: str | Path,
    *,
    target: str | Sequence[str] | None = None,
    features: str | Sequence[str] | None = None,
    task: Task | None = None,
    classes: Sequence[str] | None = None,
) -> Dataset:
    """Read a CSV file with a header.

    Args:
        path: The file, `.csv` or `.tsv`, `.gz` if it is compressed.
        target: The column to predict; several for amounts.
        features: The columns to predict it from. Defaults to `None`: all the others.
        task: "classify" or "regress". Defaults to `None`: "regress" if there are several targets or
            they have a decimal point, "classify" otherwise.
        classes: The class names by index, for example those of the training data. Defaults to
            `None`: the labels found, sorted (by value if they are whole numbers).

    Returns:
        A dataset with float32 inputs [rows, features].

    Raises:
        DataError: The file is missing or is not such a table; the message names the line and column.
    """
    table = Table(path)
    targets = _several(target)
    inputs = _several(features) or _others(table, targets)
    both = [name for name in inputs if name in targets]
    if not targets or both:
        problem = f"{both[0]!r} is a feature as well" if both else "no target column was named"
        raise DataError(
            f"{table.path}: {problem}. Name what is to be predicted as the target, "
            f"one of {listing(table.columns)}."
        )
    if not inputs:
        raise DataError(
            f"{table.path}: there is no column beside {listing(targets)} to predict from; "
            "columns are divided by commas, semicolons or tabs."
        )
    for name in (*targets, *inputs):
        table.index(name)
    x = table.numbers(inputs)
    if len(x) == 0:
        raise DataError(f"{table.path}: there are no rows below the header.")
    y, names = _target(table, targets, task, classes)
    return Dataset(x, y, features=tuple(inputs), classes=names, name=stem(table.path))


def _problem(cell: str) -> str | None:
    """Why a cell cannot be used as a number, or `None`."""
    if not cell:
        return "is empty"
    try:
        with np.errstate(over="ignore"):
            number = np.float32(float(cell))
    except ValueError:
        return f"holds {cell!r}, which is not a number"
    if np.isnan(number):
        return "is NaN"
    return None if np.isfinite(number) else f"holds {cell!r}, which is not finite in float32"


def _several(names: str | Sequence[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _others(table: Table, targets: Sequence[str]) -> list[str]:
    """Every column but the targets; one without a name is most often a row number, not a feature."""
    others = [name for name in table.columns if name not in targets]
    if "" in others:
        raise DataError(
            f"{table.path}: column {table.columns.index('') + 1} has no name. "
            "Name it in the header, or list the features to leave it out."
        )
    return others


def _target(
    table: Table, targets: Sequence[str], task: Task | None, classes: Sequence[str] | None
) -> tuple[Array, tuple[str, ...] | None]:
    names = given(classes)
    if task not in (None, "classify", "regress"):
        raise DataError(f"The task is 'classify' or 'regress', not {task!r}.")
    if task == "regress" or (task is None and len(targets) > 1):
        return table.numbers(targets), names
    if len(targets) > 1:
        raise DataError(f"{table.path}: to classify takes one target, not {listing(targets)}.")
    target = targets[0]
    labels = table.text(target)
    found = class_names(labels)
    if task is None and names is None:
        if not are_whole_numbers(found) and not any(map(_problem, found)):
            return table.numbers(targets), None
        if len(found) > max(MANY_CLASSES, len(labels) // 10):
            raise DataError(
                f"{table.path}: column {target!r} has {len(found)} different values in "
                f"{len(labels)} rows. Are they classes or amounts? Say task = 'classify' or 'regress'."
            )
    names = names or found
    return encode(labels, names, lambda row: table.place(row, target)), names
