"""The signature: what a file takes and gives, and what it is for, as it stands in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from exporter.errors import ExportError
from trainer.core.graph import Dimension, Graph, Value

FORMAT = 1
SIGNATURE = "tapeline.signature"
LINEAGE = "tapeline.lineage"

Task = Literal["predict", "classify", "regress"]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    Attributes:
        name: Its name in the graph.
        dtype: A numpy name, or "string".
        shape: A number, a symbol, or `None` per axis; `None` instead where the rank is unknown.
    """

    name: str
    dtype: str
    shape: tuple[Dimension, ...] | None

    @property
    def has_batch(self) -> bool:
        """Whether the first axis may have any size."""
        return self.shape is not None and self.shape != () and not isinstance(self.shape[0], int)

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype}[...]"
        sizes = ("?" if size is None else str(size) for size in self.shape)
        return f"{self.dtype}[{', '.join(sizes)}]"


@dataclass(frozen=True)
class Signature:
    """What a file takes and gives.

    Example:
        >>> x = TensorSpec("x", "float32", ("batch", 4))
        >>> y = TensorSpec("probabilities", "float32", ("batch", 2))
        >>> text = Signature("classify", (x,), (y,), classes=("no", "yes")).to_json()
        >>> str(Signature.from_json(text).inputs[0])
        'float32[batch, 4]'

    Attributes:
        task: "predict", "classify" (the first output scores the classes) or "regress" (it is an amount).
        inputs: In the order of the graph.
        outputs: In the order of the graph.
        classes: The names of the classes, or `None`.
    """

    task: Task
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    classes: tuple[str, ...] | None = None

    @staticmethod
    def of(
        graph: Graph, task: Task = "predict", classes: tuple[str, ...] | None = None
    ) -> Signature:
        """The signature of a graph.

        Raises:
            ExportError: The classes do not fit the first output or the task.
        """
        signature = Signature(
            task, tuple(map(_spec, graph.inputs)), tuple(map(_spec, graph.outputs)), classes
        )
        if classes is not None:
            shape = signature.outputs[0].shape
            if task != "classify" or not shape or shape[-1] != len(classes):
                raise ExportError(
                    f"{len(classes)} class names do not fit the task {task!r} with the output "
                    f"{signature.outputs[0].name} {signature.outputs[0]}; the task classify with a "
                    "score for each class is expected."
                )
        return signature

    def to_json(self) -> str:
        """The text for the entry `tapeline.signature` of the file's metadata."""
        values = {"format": FORMAT, **asdict(self)}
        if self.classes is None:
            del values["classes"]
        return json.dumps(values)

    @staticmethod
    def from_json(text: str) -> Signature:
        """Read such a text.

        Raises:
            ExportError: It is no signature, or of a newer format.
        """
        values = _parsed(text)
        try:
            if values["task"] not in get_args(Task):
                raise ValueError(f"there is no task {values['task']!r}")
            classes = values.get("classes")
            return Signature(
                values["task"],
                tuple(map(_read_spec, values["inputs"])),
                tuple(map(_read_spec, values["outputs"])),
                None if classes is None else tuple(map(str, classes)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ExportError(f"The {SIGNATURE} of this file cannot be read: {error}.") from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
        number = int(values.get("format", FORMAT))
    except (AttributeError, TypeError, ValueError) as error:
        raise ExportError(f"The {SIGNATURE} of this file is not valid: {error}.") from error
    if number > FORMAT:
        raise ExportError(
            f"The {SIGNATURE} of this file has the format {number}; this version reads up to {FORMAT}. "
            "Update tapeline."
        )
    return dict(values)


def _spec(value: Value) -> TensorSpec:
    return TensorSpec(value.name, dtype_name(value.dtype), value.shape)


def _read_spec(values: Mapping[str, Any]) -> TensorSpec:
    shape = values["shape"]
    return TensorSpec(
        str(values["name"]), str(values["dtype"]), None if shape is None else tuple(shape)
    )


def dtype_name(dtype: np.dtype[Any]) -> str:
    """A dtype as signatures spell it: numpy's name, or "string".

    Example:
        >>> dtype_name(np.dtype(np.float32)), dtype_name(np.dtype(object))
        ('float32', 'string')
    """
    return "string" if dtype.kind == "O" else dtype.name
