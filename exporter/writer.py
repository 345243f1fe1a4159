"""Writes a Module as an ONNX file: inference only, parameters as initializers under their own names."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import onnx

from exporter.errors import ExportError
from exporter.signature import LINEAGE, SIGNATURE, Signature, Task
from trainer.core import passes
from trainer.core.graph import Graph, all_names
from trainer.core.lowering import Axes
from trainer.core.proto import to_model
from trainer.core.tensor import Tensor, as_tensor
from trainer.core.trace import Captured, capture
from trainer.nn.module import Module

Head = Callable[[Any], Any]

_LARGEST = 2**31 - 2**20  # protobuf's limit, less some room for the graph


class ExportOptions(TypedDict, total=False):
    """The keyword arguments of `export`, for those who pass them on."""

    input_names: Sequence[str]
    output_names: Sequence[str] | None
    dynamic: Axes | None
    head: Head | None
    task: Task
    classes: Sequence[str] | None
    lineage: Mapping[str, Any] | None


def export(
    module: Module,
    example_inputs: Any,
    path: str | Path,
    *,
    input_names: Sequence[str] = ("x",),
    output_names: Sequence[str] | None = None,
    dynamic: Axes | None = None,
    head: Head | None = None,
    task: Task = "predict",
    classes: Sequence[str] | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> Signature:
    """Write a Module as an ONNX file (IR 10, opset 21), whole or not at all.

    Example:
        >>> import tempfile
        >>> from trainer.nn import Linear
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     signature = export(Linear(4, 2), np.zeros((3, 4), np.float32), folder + "/line.onnx")
        >>> str(signature.inputs[0]), str(signature.outputs[0])
        ('float32[batch, 4]', 'float32[batch, 2]')

    Args:
        module: It is exported as in inference; its own mode does not change.
        example_inputs: An array or Tensor, or a sequence with one for each input of `forward`.
        path: The file.
        input_names: A name for each input. Defaults to `("x",)`.
        output_names: A name for each output. Defaults to `y`, `y.0`, `y.1` ..., or the keys of a dict.
        dynamic: Which axes of which inputs may have any size, each with a symbol:
            `{"x": {0: "batch"}}`. Defaults to axis 0 of every input, called `batch`.
        head: What is done to the module's output in the file, such as a softmax. Defaults to nothing.
        task: What the file is for: "predict", "classify" or "regress". Defaults to "predict".
        classes: The names of the classes that the first output scores. Defaults to none.
        lineage: Plain values that say where the weights come from. Defaults to none.

    Returns:
        The signature, which the file carries in its metadata.

    Raises:
        ExportError: Names or classes do not fit, the module behaves differently from call to call in
            inference, or the file cannot be written.
        CaptureError: A value leaks out of a Tensor in `forward`; the message names the line.
    """
    inputs = _inputs(example_inputs, input_names)
    graph = _inference_graph(module, inputs, dynamic, head)
    graph = _with_names(graph, input_names, output_names)
    signature = Signature.of(graph, task, None if classes is None else tuple(classes))
    metadata = {SIGNATURE: signature.to_json()}
    if lineage is not None:
        metadata[LINEAGE] = json.dumps(lineage)
    write(checked(graph, metadata), Path(path))
    return signature


def _inputs(examples: Any, names: Sequence[str]) -> dict[str, Tensor]:
    arrays = examples if isinstance(examples, list | tuple) else (examples,)
    if len(arrays) != len(names) or len(set(names)) != len(names):
        raise ExportError(
            f"{len(arrays)} example inputs were given for the input names {', '.join(names)}; one "
            "different name for each is expected."
        )
    inputs = {name: as_tensor(array).detach() for name, array in zip(names, arrays, strict=True)}
    for name, tensor in inputs.items():
        if 0 in tensor.shape:
            raise ExportError(
                f"The example input {name} has the shape {list(tensor.shape)}: no rows."
            )
    return inputs


def _inference_graph(
    module: Module, inputs: dict[str, Tensor], dynamic: Axes | None, head: Head | None
) -> Graph:
    """The captured forward, with the module's Tensors as constants instead of inputs."""

    def forward(model: Module, inputs: dict[str, Tensor]) -> Any:
        output = model(*inputs.values())
        return output if head is None else head(output)

    if dynamic is None:
        dynamic = {name: {0: "batch"} for name, tensor in inputs.items() if tensor.ndim}
    unknown = dynamic.keys() - inputs.keys()
    if unknown:
        raise ExportError(
            f"dynamic names {', '.join(sorted(unknown))}; the inputs are: {', '.join(inputs)}."
        )
    axes = {f"inputs.{name}": symbols for name, symbols in dynamic.items()}
    with switched(module, training=False):
        captured = capture(forward, module, inputs, dynamic=axes)
    _check_constant(captured)
    weights = module.named_tensors()
    graph = replace(
        captured.graph,
        inputs=tuple(v for v in captured.graph.inputs if v.name not in weights),
        constants=captured.graph.constants | {n: np.asarray(t._data) for n, t in weights.items()},
    )
    return passes.without_dead_ends(passes.without_identities(graph))


@contextmanager
def switched(module: Module, training: bool) -> Iterator[None]:
    """The module in training or in inference, and each part of it afterwards as it was."""
    before = [(part, part.training) for _, part in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


def _check_constant(captured: Captured) -> None:
    """In inference nothing may be drawn at random or change from call to call."""
    if captured.draws:
        raise ExportError(
            "The module draws random numbers in inference, so it gives no fixed answer. Draw only "
            "where `self.training` is true."
        )
    if captured.state:
        raise ExportError(
            f"The module changes {', '.join(captured.state)} in inference. Assign to buffers only "
            "where `self.training` is true."
        )


def _with_names(graph: Graph, inputs: Sequence[str], outputs: Sequence[str] | None) -> Graph:
    old_outputs = [value.name for value in graph.outputs]
    if outputs is None:
        outputs = [_default_output(name) for name in old_outputs]
    if len(outputs) != len(old_outputs) or len(set(outputs)) != len(outputs):
        raise ExportError(
            f"The module has {len(old_outputs)} outputs ({', '.join(old_outputs)}); the output names "
            f"are: {', '.join(outputs)}. One different name for each is expected."
        )
    old = [*(value.name for value in graph.inputs), *old_outputs]
    new = [*inputs, *outputs]
    names = dict(zip(old, new, strict=True))
    taken = (all_names(graph) - names.keys()).intersection(new) | set(inputs).intersection(outputs)
    if taken or "" in new:
        raise ExportError(
            f"The names {sorted(taken) or ['']} cannot be given to inputs or outputs: they are empty or "
            "something else in the model has them."
        )
    return passes.renamed(graph, names)


def _default_output(name: str) -> str:
    head, dot, rest = name.partition(".")
    return f"y{dot}{rest}" if head == "output" else name


def checked(graph: Graph, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """A graph as a model with metadata, which ONNX's own checker has found valid.

    Raises:
        ExportError: It has no valid form, or is larger than a file can be.
    """
    size = sum(array.nbytes for array in graph.constants.values())
    if size > _LARGEST:
        raise ExportError(
            f"The model has {size / 2**30:.1f} GiB of parameters; an ONNX file holds less than 2 GiB."
        )
    model = to_model(graph, metadata)
    model.producer_version = version("tapeline")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"The model would be no valid ONNX file: {error}") from error
    return model


def write(model: onnx.ModelProto, path: Path) -> None:
    """Write a model whole or not at all.

    Raises:
        ExportError: It cannot be written; what was there before is still there.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(model.SerializeToString(deterministic=True))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise ExportError(f"Cannot write {path}: {error.strerror}.") from error
