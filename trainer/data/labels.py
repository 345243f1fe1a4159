"""Turns class labels as people write them into class indices, and remembers their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from trainer.core.errors import DataError
from trainer.core.hint import did_you_mean, listing

_WHOLE_NUMBER = re.compile(r"[+-]?\d+")


def given(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """Class names as a caller gives them, or `None` for none."""
    return tuple(str(name) for name in classes) if classes else None


def are_whole_numbers(labels: Iterable[str]) -> bool:
    """Whether every label is written as an integer."""
    return all(_WHOLE_NUMBER.fullmatch(label) for label in labels)


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The different labels in order: by value if all are whole numbers, by letter otherwise.

    Example:
        >>> class_names(["10", "9", "10"])
        ('9', '10')
        >>> class_names(["virginica", "setosa"])
        ('setosa', 'virginica')
    """
    names = set(labels)
    return tuple(
        sorted(names, key=lambda name: (int(name), name))
        if are_whole_numbers(names)
        else sorted(names)
    )


def encode(
    labels: Sequence[str], classes: Sequence[str], where: Callable[[int], str]
) -> npt.NDArray[np.int64]:
    """The index of each label in the class names.

    Args:
        labels: One label per row.
        classes: The class names, in the order of their indices.
        where: Names the place of row `i` for an error message.

    Raises:
        DataError: A label is none of the classes.

    Example:
        >>> encode(["b", "a", "b"], ["a", "b"], where=str)
        array([1, 0, 1])
    """
    index_of = {name: index for index, name in enumerate(classes)}
    try:
        return np.fromiter(map(index_of.__getitem__, labels), np.int64, len(labels))
    except KeyError:
        row = next(i for i, label in enumerate(labels) if label not in index_of)
        raise DataError(
            f"{where(row)}: {labels[row]!r} is not one of the classes {listing(classes)}."
            f"{did_you_mean(labels[row], classes)}"
        ) from None
