"""What a model takes and gives: from the graph itself, and from what its publisher wrote into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import orjson

from serve.errors import LoadError
from serve.tensors import TensorSpec

KEY = "tapeline.signature"
FORMAT = 1

Task = Literal["predict", "classify", "regress"]


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model, in the order of the graph, and what it is for."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    task: Task = "predict"
    classes: tuple[str, ...] = ()

    @cached_property
    def input(self) -> Mapping[str, TensorSpec]:
        """The inputs by name."""
        return {spec.name: spec for spec in self.inputs}

    @cached_property
    def output(self) -> Mapping[str, TensorSpec]:
        """The outputs by name."""
        return {spec.name: spec for spec in self.outputs}

    @cached_property
    def required(self) -> frozenset[str]:
        """The names of the inputs that have no value of their own."""
        return frozenset(spec.name for spec in self.inputs if not spec.optional)

    def described_by(self, metadata: Mapping[str, str]) -> Signature:
        """Complete the graph's own signature by the publisher's, where the model carries one.

        Raises:
            LoadError: It is damaged, of a newer format, or names what the graph does not have.
        """
        if KEY not in metadata:
            return self
        try:
            content = orjson.loads(metadata[KEY])
            if content["format"] > FORMAT:
                raise LoadError(
                    f"{KEY} has format {content['format']}, this server knows {FORMAT}: "
                    "update the server, or publish the model again."
                )
            task = content.get("task", "predict")
            if task not in get_args(Task):
                raise ValueError(f"task {task!r}")
            return Signature(
                inputs=_with_shapes(self.inputs, content["inputs"]),
                outputs=_with_shapes(self.outputs, content["outputs"]),
                task=task,
                classes=tuple(map(str, content.get("classes") or ())),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise LoadError(f"the metadata {KEY} is damaged: {error!r}.") from error


def _with_shapes(
    specs: Sequence[TensorSpec], entries: Sequence[Mapping[str, Any]]
) -> tuple[TensorSpec, ...]:
    """The graph's specs with the published shapes, which have the better symbols."""
    if unknown := sorted({entry["name"] for entry in entries} - {spec.name for spec in specs}):
        raise LoadError(f"the metadata {KEY} names {unknown}, which the graph does not have.")
    # A shape that is null is unknown to the publisher, too: then the graph's own stays.
    shapes = {e["name"]: tuple(e["shape"]) for e in entries if e["shape"] is not None}
    return tuple(replace(spec, shape=shapes.get(spec.name, spec.shape)) for spec in specs)
