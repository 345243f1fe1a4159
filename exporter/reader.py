"""Takes any ONNX file back: as a graph that the trainer's operators run, and as a Module to fine-tune."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

import trainer.core.reference  # noqa: F401  (operators without a kernel of their own)
from exporter import opened
from exporter.errors import ExportError
from trainer.core.dtypes import is_float
from trainer.core.errors import DataError
from trainer.core.graph import Equation, Graph, interpret
from trainer.core.proto import from_model
from trainer.core.tensor import Array, Tensor, apply
from trainer.nn.module import Module

OLDEST = 13  # the kernels take the attributes of every version from here on
NEWEST = 26  # what ONNX Runtime runs
# Inputs that hold statistics rather than weights: operator and position.
_STATISTICS = {("BatchNormalization", 3), ("BatchNormalization", 4)}


def load(path: str | Path) -> GraphModule:
    """An ONNX file as a Module: run it eagerly, train it further, capture it, export it again.

    Example:
        >>> import tempfile, exporter
        >>> from trainer.nn import Linear
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = exporter.export(Linear(2, 1), Tensor([[1.0, 2.0]]).numpy(), folder + "/line.onnx")
        ...     list(load(folder + "/line.onnx").parameters())
        ['weight', 'bias']

    Args:
        path: The file, a published version, or a model folder.

    Raises:
        ExportError: It is no ONNX file, or newer than ONNX Runtime takes.
    """
    file = opened.find(path)
    return GraphModule(graph_of(opened.read(file), file))


def graph_of(model: onnx.ModelProto, file: str | Path = "The model") -> Graph:
    """The graph of a model in the operators' present form.

    Opsets before 13 are brought up by ONNX's version converter; Constant nodes become constants.

    Raises:
        ExportError: The opset is newer than ONNX Runtime takes, the converter gives up, or the
            file is damaged.
    """
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), OLDEST)
    if version > NEWEST:
        raise ExportError(
            f"{file} is written in opset {version}; up to {NEWEST} can be run. Export it again with an "
            "older opset."
        )
    if version < OLDEST:
        try:
            model = onnx.version_converter.convert_version(model, 21)
        except Exception as error:  # the converter raises whatever its C++ side does
            reason = " ".join(str(error).split())
            raise ExportError(
                f"{file} is written in opset {version}, and ONNX's converter cannot bring it to 21: "
                f"{reason}."
            ) from error
    try:
        graph = from_model(model)
    except DataError as error:
        raise ExportError(f"{file} is damaged: {error}") from error
    _check_order(graph, file)
    return _without_constant_nodes(graph)


class GraphModule(Module):
    """A graph that runs through the trainer's operators; its weights are parameters under their names.

    Floating point constants with at least one axis are parameters, the statistics of batch
    normalization are buffers; BatchNormalization runs as in inference.

    Args:
        graph: What to run.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        statistics = {
            name
            for equation in graph.equations
            for place, name in enumerate(equation.inputs)
            if (equation.op, place) in _STATISTICS
        }
        self.graph = graph
        self._tensors: dict[str, Tensor] = {}
        for name, array in graph.constants.items():
            if is_float(array.dtype) and array.ndim:
                self._own[name] = trained = name not in statistics
                self._tensors[name] = Tensor(array, requires_grad=trained)

    # Weights stand apart from the attributes, for they may have the name of one.

    def _held(self) -> dict[str, Tensor]:
        return self._tensors

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def forward(self, *inputs: Any) -> Any:
        """Run the graph on its inputs in order; one output, or a dict of them by name."""
        names = [value.name for value in self.graph.inputs]
        given = dict(zip(names, inputs, strict=False))
        results = interpret(self.graph, {**self._tensors, **given})
        if len(results) == 1:
            return results[0]
        return {value.name: y for value, y in zip(self.graph.outputs, results, strict=True)}

    def extra_repr(self) -> str:
        """What goes in and out."""
        inputs = ", ".join(value.name for value in self.graph.inputs)
        outputs = ", ".join(value.name for value in self.graph.outputs)
        return f"{inputs} -> {outputs}, {len(self.graph.equations)} operators"


def _check_order(graph: Graph, file: str | Path) -> None:
    """Refuse what reads a value before it is made, as in a circle."""
    made = {"", *graph.constants, *(value.name for value in graph.inputs)}
    for equation in graph.equations:
        if missing := [name for name in equation.inputs if name not in made]:
            raise ExportError(
                f"{file} is no valid ONNX: {equation.op} reads {missing[0]}, which is no input, no "
                "weight and no output of an operator before it."
            )
        made.update(equation.outputs)


def _without_constant_nodes(graph: Graph) -> Graph:
    constants: dict[str, Array] = dict(graph.constants)
    equations: list[Equation] = []
    for equation in graph.equations:
        if equation.op == "Constant" and not equation.domain:
            constants[equation.outputs[0]] = apply("Constant", **equation.attrs).numpy()
        else:
            equations.append(equation)
    return Graph(graph.inputs, graph.outputs, tuple(equations), constants, graph.name)
