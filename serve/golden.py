"""Golden examples: what a version answered when it was published, and whether it still does."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from serve.errors import LoadError
from serve.manifest import Tolerance
from serve.tensors import TensorSpec

NAME = "golden.npz"

Arrays = Mapping[str, np.ndarray[Any, Any]]


def read(folder: Path) -> tuple[Arrays, Arrays] | None:
    """Read a version's golden inputs and outputs by name; None where it has none.

    Raises:
        LoadError: The file is damaged.
    """
    try:
        with (folder / NAME).open("rb") as file, np.lib.npyio.NpzFile(file) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise LoadError(f"{NAME} is damaged: {error}.") from error
    inputs = {n.removeprefix("input/"): a for n, a in arrays.items() if n.startswith("input/")}
    outputs = {n.removeprefix("output/"): a for n, a in arrays.items() if n.startswith("output/")}
    if not inputs or not outputs:
        raise LoadError(f"{NAME} must hold arrays input/NAME and output/NAME, and has {[*arrays]}.")
    return inputs, outputs


def batches(arrays: Arrays, specs: tuple[TensorSpec, ...]) -> Iterator[tuple[slice, Arrays]]:
    """Cut examples, which lie along the first axis, where the model does not take all at once."""
    if all(spec.accepts(arrays[spec.name].shape) for spec in specs if spec.name in arrays):
        yield slice(None), arrays
        return
    rows = min((len(array) for array in arrays.values() if array.ndim), default=1)
    fixed = [spec.shape[0] for spec in specs if spec.shape and isinstance(spec.shape[0], int)]
    step = max(fixed[0], 1) if fixed else rows
    for start in range(0, rows, step):
        part = slice(start, start + step)
        yield part, {name: array[part] if array.ndim else array for name, array in arrays.items()}


def replay(
    run: Callable[[Arrays], Mapping[str, Any]],
    examples: tuple[Arrays, Arrays],
    specs: tuple[TensorSpec, ...],
    tolerances: Mapping[str, Tolerance],
) -> str:
    """Run the examples and compare; say where the largest disagreement is, or nothing.

    Args:
        run: Answers feeds by name with outputs by name.
        examples: The golden inputs and outputs.
        specs: The model's inputs.
        tolerances: How far an output may be; `Tolerance()` for those not named.
    """
    inputs, expected = examples
    for part, feeds in batches(inputs, specs):
        given = run(feeds)
        for name, whole in expected.items():
            if name not in given:
                return f"golden output {name!r} is not an output of the model."
            golden = whole[part] if whole.ndim else whole
            tolerance = tolerances.get(name, Tolerance())
            if reason := compare(np.asarray(given[name]), golden, tolerance):
                return f"golden examples disagree: output {name!r}: {reason}"
    return ""


def compare(given: np.ndarray[Any, Any], golden: np.ndarray[Any, Any], tolerance: Tolerance) -> str:
    """Say how an output differs from its golden example; nothing where it does not.

    Example:
        >>> compare(np.array([1.0, 2.5]), np.array([1.0, 2.0]), Tolerance())
        'the largest error is 0.5, allowed are rtol 0.001 and atol 0.0001.'
    """
    if tolerance.compare == "none":
        return ""
    if given.shape != golden.shape:
        return f"shape {given.shape} instead of {golden.shape}."
    if tolerance.compare == "argmax":
        if given.ndim == 0:
            return ""
        differing = np.count_nonzero(given.argmax(axis=-1) != golden.argmax(axis=-1))
        return (
            f"{differing} of {len(golden)} examples have another largest entry."
            if differing
            else ""
        )
    if given.dtype.kind not in "fiub" or golden.dtype.kind not in "fiub":
        differing = np.count_nonzero(given.astype(str) != golden.astype(str))
        return f"{differing} of {golden.size} entries differ." if differing else ""
    a, b = given.astype(np.float64), golden.astype(np.float64)
    if np.allclose(a, b, rtol=tolerance.rtol, atol=tolerance.atol, equal_nan=True):
        return ""
    with np.errstate(invalid="ignore"):  # infinite - infinite
        error = np.abs(a - b)[~((a == b) | (np.isnan(a) & np.isnan(b)))].max()
    return (
        f"the largest error is {error:.6g}, "
        f"allowed are rtol {tolerance.rtol:g} and atol {tolerance.atol:g}."
    )
