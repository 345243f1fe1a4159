"""Reads a data source by name: a built-in data set, a CSV file, an `.npz` file, a pair of IDX files."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.core.errors import DataError
from trainer.core.hint import did_you_mean, listing
from trainer.data.archive import read_npz
from trainer.data.builtin import digits, iris
from trainer.data.dataset import Dataset
from trainer.data.idx import read_idx
from trainer.data.table import read_table

Reader = Callable[..., Dataset]

BUILTIN: dict[str, Callable[[], Dataset]] = {"iris": iris, "digits": digits}

READERS: dict[str, Reader] = {
    ".csv": read_table,
    ".tsv": read_table,
    ".npz": read_npz,
    "ubyte": read_idx,  # MNIST's names end in idx3-ubyte, after a hyphen or a full stop
    ".idx": read_idx,
}


def read(source: str | Path, **options: Any) -> Dataset:
    """Read a data source.

    Args:
        source: "iris" or "digits", or a file whose name ends in `.csv`, `.tsv`, `.npz`, `ubyte` or
            `.idx`, each also with `.gz`. A file that has the name of a built-in data set is
            reached as `./iris`.
        **options: What the reader of that kind of file takes: `target`, `features`, `task` and
            `classes` for CSV; `x`, `y`, `task` and `classes` for npz; `labels` and `classes` for IDX.

    Raises:
        DataError: There is no such source, it does not take such an option, or it holds something
            else than expected.

    Example:
        >>> read("iris")
        Dataset(iris: 150 rows of float32[4], 3 classes)
    """
    built_in = BUILTIN.get(str(source))
    if built_in is not None:
        _check_options(str(source), built_in, options)
        return built_in()
    reader = _reader(Path(source))
    _check_options(str(source), reader, options)
    return reader(source, **options)


def _reader(path: Path) -> Reader:
    name = path.name.lower().removesuffix(".gz")
    for ending, reader in READERS.items():
        if name.endswith(ending):
            return reader
    raise DataError(
        f"{path}: unknown data source.{did_you_mean(str(path), BUILTIN)} Known are "
        f"{listing([*BUILTIN])} and files that end in {listing([*READERS])}."
    )


def _check_options(source: str, reader: Callable[..., Dataset], options: dict[str, Any]) -> None:
    parameters = inspect.signature(reader).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for name, value in options.items():
        if name not in known:
            takes = f"It takes {listing(known)}." if known else "It takes no options."
            raise DataError(
                f"{source}: there is no option {name!r} for this source."
                f"{did_you_mean(name, known)} {takes}"
            )
        texts = value if isinstance(value, list | tuple) else [value]
        if value is not None and not all(isinstance(text, str | Path) for text in texts):
            raise DataError(
                f"{source}: {name} is {value!r}; a name or a list of names is expected."
            )
