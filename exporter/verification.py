"""Proves a file: valid ONNX, and the same numbers from ONNX Runtime as from the trainer's operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from exporter import opened
from exporter.errors import VerificationError
from exporter.reader import GraphModule, graph_of
from exporter.runtime import Session
from trainer.core import tree
from trainer.core.dtypes import describe, is_float
from trainer.core.graph import Value
from trainer.core.mode import no_grad
from trainer.core.proto import from_model
from trainer.core.tensor import Array, Tensor, wrap

BATCHES = (1, 2, 7, 64)
FREE_SIZE = 32  # what an axis of any size but the batch is tried with
# The largest error relative to the largest value of the output; other dtypes must be equal.
TOLERANCES = {"float64": 1e-10, "float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}


@dataclass(frozen=True)
class Comparison:
    """One output at one batch size.

    Attributes:
        output: The name of the output.
        batch: Rows given, or `None` where the file fixes its sizes.
        error: The largest difference.
        relative: That difference divided by the largest value expected.
        place: Where it is.
        expected: What the trainer's operators give there.
        found: What ONNX Runtime gives there.
        tolerance: How large `relative` may be.
    """

    output: str
    batch: int | None
    error: float
    relative: float
    place: tuple[int, ...]
    expected: Any
    found: Any
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether it is close enough."""
        return self.relative <= self.tolerance


@dataclass(frozen=True)
class Verification:
    """What was compared, all of it close enough."""

    comparisons: tuple[Comparison, ...]

    @property
    def largest(self) -> Comparison:
        """The comparison with the largest relative error."""
        return max(self.comparisons, key=lambda one: one.relative)

    def difference(self, output: str) -> float:
        """The largest difference in one output."""
        return max(one.error for one in self.comparisons if one.output == output)


def verify(
    path: str | Path,
    reference: Callable[..., Any] | None = None,
    inputs: Mapping[str, Array] | None = None,
    batches: Sequence[int | None] = BATCHES,
    tolerance: float | None = None,
) -> Verification:
    """Check a file with ONNX's own checker, then compare ONNX Runtime with eager operators.

    Args:
        path: The ONNX file, a version, or a model folder, of which the newest version is taken.
        reference: What the file should compute: a function of Tensors in the order of the inputs, such
            as the Module. Defaults to the file's own graph, run by the trainer's operators.
        inputs: Example rows by input name, repeated to fill a batch. Defaults to random ones.
        batches: How many rows to try; `None` gives the inputs as they are. Defaults to 1, 2, 7 and 64.
        tolerance: The largest error relative to the largest value of an output. Defaults to 1e-5 for
            float32, more for less exact dtypes; other dtypes must be equal.

    Returns:
        The errors, per output and batch size.

    Raises:
        VerificationError: The file is not valid, or an error is too large; the message says where.
    """
    file = opened.find(path)
    model = opened.read(file)
    _check(file, model)
    graph = from_model(model)
    session = Session(file)
    eager = reference or GraphModule(graph_of(model, file))
    comparisons: list[Comparison] = []
    for batch in batches if _has_batch(graph.inputs) else (None,):
        feed = _feed(graph.inputs, batch, inputs)
        found = session.run(feed)
        expected = _eager(eager, feed)
        if len(expected) != len(found):
            raise VerificationError(
                f"{file} has {len(found)} outputs, what it is compared with has {len(expected)}."
            )
        comparisons += [
            _compare(name, batch, a, found[name], tolerance)
            for name, a in zip(session.outputs, expected, strict=True)
        ]
    result = Verification(tuple(comparisons))
    _raise_failed(file, result)
    return result


def _check(file: Path, model: onnx.ModelProto) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise VerificationError(
            f"{file} is not valid ONNX: {' '.join(str(error).split()).rstrip('.')}."
        ) from error


def _eager(function: Callable[..., Any], feed: Mapping[str, Array]) -> list[Array]:
    with no_grad():
        result = function(*map(wrap, feed.values()))
    return [leaf.numpy() for leaf in tree.leaves(result) if isinstance(leaf, Tensor)]


# What is given.


def _has_batch(inputs: Iterable[Value]) -> bool:
    return any(value.shape and not isinstance(value.shape[0], int) for value in inputs)


def _feed(
    inputs: Iterable[Value], batch: int | None, given: Mapping[str, Array] | None
) -> dict[str, Array]:
    generator = np.random.default_rng(0)
    feed = {}
    for value in inputs:
        if given is None:
            feed[value.name] = _random(value, batch, generator)
        elif value.name not in given:
            raise VerificationError(
                f"Example rows for {', '.join(given)} were given; the input {value.name} has none."
            )
        else:
            rows = np.asarray(given[value.name])
            fixed = value.shape is not None and (not value.shape or isinstance(value.shape[0], int))
            feed[value.name] = (
                rows if fixed or batch is None else rows.take(np.arange(batch) % len(rows), axis=0)
            )
    return feed


def _random(value: Value, batch: int | None, generator: np.random.Generator) -> Array:
    """Small numbers: fit for indices and masks as well as for features."""
    if value.shape is None:
        raise VerificationError(f"The input {value.name} has no shape; give example rows for it.")
    first = [FREE_SIZE if batch is None else batch]
    free = [FREE_SIZE] * len(value.shape)
    sizes = [
        size if isinstance(size, int) else one
        for size, one in zip(value.shape, first + free, strict=False)
    ]
    if value.dtype == object:
        return np.full(sizes, "x", object)
    if is_float(value.dtype):
        return generator.standard_normal(sizes).astype(value.dtype)
    return generator.integers(0, 2, sizes).astype(value.dtype)


# What comes out.


def _compare(
    name: str, batch: int | None, expected: Array, found: Array, tolerance: float | None
) -> Comparison:
    if expected.shape != found.shape or expected.dtype != found.dtype:
        raise VerificationError(
            f"The output {name} is {describe(found)} in ONNX Runtime, and {describe(expected)} in what "
            "it is compared with."
        )
    allowed = TOLERANCES.get(expected.dtype.name, 0.0)
    if tolerance is not None and allowed:
        allowed = tolerance
    if not expected.size:
        return Comparison(name, batch, 0.0, 0.0, (), None, None, allowed)
    error, scale = _differences(expected, found)
    place = np.unravel_index(int(error.argmax()), error.shape)
    largest = float(error[place])
    return Comparison(
        name,
        batch,
        largest,
        largest / scale,
        tuple(int(i) for i in place),
        expected[place],
        found[place],
        allowed,
    )


def _differences(expected: Array, found: Array) -> tuple[Array, float]:
    """The differences, and the largest value expected. What is not a number must not be one in both."""
    if not is_float(expected.dtype):
        return np.asarray(expected != found, np.float64), 1.0
    a, b = expected.astype(np.float64), found.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.abs(a - b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
    finite = np.abs(a[np.isfinite(a)])
    return error, float(finite.max(initial=0.0)) or 1.0


def _raise_failed(file: Path, result: Verification) -> None:
    worst = result.largest
    failed = [one for one in result.comparisons if not one.passed]
    if failed:
        worst = max(failed, key=lambda one: one.relative)
        rows = "" if worst.batch is None else f" with {worst.batch} rows"
        raise VerificationError(
            f"{file}: the output {worst.output} at {list(worst.place)}{rows} is {worst.found} in ONNX "
            f"Runtime and {worst.expected} in the trainer, an error of {worst.relative:.2g} of the "
            f"largest value; {worst.tolerance:.2g} is allowed. {len(failed)} of "
            f"{len(result.comparisons)} comparisons failed."
        )
