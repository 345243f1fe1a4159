"""Writes a whole training step as an ONNX file, with which any runtime goes on training without Python."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from exporter import writer
from exporter.errors import ExportError
from exporter.signature import LINEAGE, TensorSpec, dtype_name
from exporter.verification import Comparison, Verification, verify
from trainer.compiled.passes import optimize
from trainer.core.dtypes import is_float
from trainer.core.graph import Value, interpret
from trainer.core.tensor import Array, Tensor, wrap
from trainer.core.trace import Captured, capture
from trainer.nn.module import Module
from trainer.optim.accumulation import accumulated
from trainer.optim.base import Optimizer
from trainer.random import SAMPLERS
from trainer.step import Loss, flat_state, training_step

FORMAT = 1
TRAIN_STEP = "tapeline.train_step"
DISTRIBUTIONS = {"uniform": "uniform on [0, 1)", "normal": "normal with mean 0 and variance 1"}

_STATE = "optimizer."
_BATCH = {"x": {0: "batch"}, "y": {0: "batch"}}
_FEW = 7  # rows, the second size that the file is proven with
_TOLERANCE = 1e-4  # of the largest value; a backward pass adds more rounding than a forward pass
_PURPOSE = (
    "One training step: forward, backward and optimizer. Give the state, lr, x, y and the random "
    "draws; the output <name>.next is the value of <name> for the next step."
)


@dataclass(frozen=True)
class TrainStep:
    """A training step in a file.

    Attributes:
        path: The file.
        state: What changes in a step: the name of each input, and of the output that replaces it.
        fixed: The inputs that belong to the state and do not change.
        inputs: What is given besides: `lr`, `x`, `y` and the random draws.
        draws: The distribution of each random draw.
        verification: How ONNX Runtime was compared with the trainer's operators.
    """

    path: Path
    state: dict[str, str]
    fixed: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    draws: dict[str, str]
    verification: Verification

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "path": str(self.path),
            "state": self.state,
            "fixed": list(self.fixed),
            "inputs": [asdict(spec) for spec in self.inputs],
            "draws": self.draws,
            "largest_relative_error": self.verification.largest.relative,
        }


def export_train_step(
    module: Module,
    loss: Loss,
    optimizer: Optimizer,
    x: Any,
    y: Any,
    path: str | Path,
    *,
    clip: float | None = None,
    accumulate: int = 1,
    lineage: Mapping[str, Any] | None = None,
) -> TrainStep:
    """Write one training step of a Module as an ONNX file of plain operators (IR 10, opset 21).

    State goes in and comes out: the inputs are parameters, running statistics and `optimizer.*` under
    their dotted names, as a checkpoint has them; what changes comes out as `<name>.next`, with the
    loss before the step as `loss`. The learning rate `lr` (float64), any number of rows `x` and `y`, and
    random draws are inputs, too. The names stand in the file's metadata under `tapeline.train_step`.

    Example:
        >>> from trainer import nn, optim
        >>> x, y = np.ones((8, 4), np.float32), np.ones((8, 2), np.float32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = folder + "/train_step.onnx"
        ...     made = export_train_step(nn.Linear(4, 2), nn.mse_loss, optim.SGD(), x, y, file)
        >>> made.state["weight"], [f"{spec.name} {spec}" for spec in made.inputs]
        ('weight.next', ['lr float64[]', 'x float32[batch, 4]', 'y float32[batch, 2]'])

    Args:
        module: What is trained; its values and its mode do not change.
        loss: From the module's output and the target to a scalar.
        optimizer: How parameters change.
        x: A batch of inputs, [batch, ...], that the file is proven with.
        y: The targets of these rows, [batch, ...].
        path: The file.
        clip: The largest norm of all gradients together. Defaults to no limit.
        accumulate: How many batches make one step of the optimizer. Defaults to 1.
        lineage: Plain values that say where the step comes from. Defaults to none.

    Returns:
        The names, and how the file was proven.

    Raises:
        CaptureError: The step cannot become a graph; the message names the line.
        VerificationError: ONNX Runtime computes something else than the trainer.
        ExportError: There are no rows, or the file cannot be written.
    """
    rows = {"x": np.asarray(x), "y": np.asarray(y)}
    if not all(len(array) for array in rows.values()):
        raise ExportError("A training step is proven with a batch; the one given has no rows.")
    optimizer, clip = accumulated(optimizer, clip, accumulate)
    values = optimizer.init(module.tree_children())
    step = training_step(loss, optimizer, clip)
    rate = np.asarray(optimizer.lr, np.float64)
    with writer.switched(module, training=True):
        captured = capture(
            step, module, values, wrap(rate), wrap(rows["x"]), wrap(rows["y"]), dynamic=_BATCH
        )
    given = {name: np.asarray(t._data) for name, t in module.named_tensors().items()}
    given |= {f"{_STATE}{name}": _tried(t) for name, t in flat_state(values).items()}
    if accumulate > 1:  # the batch that completes a step, or the optimizer would not be seen
        given[f"{_STATE}pending"] = np.array(accumulate - 1)
    made = _described(captured, [*given], Path(path))
    model = _documented(captured, made, lineage)
    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder) / made.path.name
        writer.write(model, tried)
        proof = _prove(tried, captured, {**given, "lr": rate}, rows)
    writer.write(model, made.path)
    return replace(made, verification=proof)


def _described(captured: Captured, state: list[str], path: Path) -> TrainStep:
    fixed = tuple(name for name in state if name not in captured.state)
    others = tuple(_spec(v) for v in captured.graph.inputs if v.name not in state)
    draws = {one.name: one.distribution for one in captured.draws}
    return TrainStep(path, captured.state, fixed, others, draws, Verification(()))


def _spec(value: Value) -> TensorSpec:
    return TensorSpec(value.name, dtype_name(value.dtype), value.shape)


def _documented(
    captured: Captured, made: TrainStep, lineage: Mapping[str, Any] | None
) -> onnx.ModelProto:
    """The model; what each input is for stands beside it, and for programs in the metadata."""
    names = {
        "format": FORMAT,
        "loss": "loss",
        "lr": "lr",
        "batch": ["x", "y"],
        "draws": made.draws,
        "state": made.state,
        "fixed": list(made.fixed),
    }
    metadata = {TRAIN_STEP: json.dumps(names)}
    if lineage is not None:
        metadata[LINEAGE] = json.dumps(lineage)
    model = writer.checked(optimize(captured.graph), metadata)
    purposes = {"lr": "the learning rate of this step", "x": "the inputs", "y": "the targets"}
    purposes |= {name: f"state, replaced by {new}" for name, new in made.state.items()}
    purposes |= dict.fromkeys(made.fixed, "state that a step does not change")
    purposes |= {
        n: f"{DISTRIBUTIONS[kind]}, drawn anew for each step" for n, kind in made.draws.items()
    }
    for value in model.graph.input:
        value.doc_string = purposes[value.name]
    model.graph.doc_string = _PURPOSE
    return model


def _tried(state: Tensor) -> Array:
    """Numbers to prove an optimizer's state with.

    With the real ones, a gradient that is nothing but rounding could be divided by itself, and what
    should be compared would be noise.
    """
    array: Array = state.numpy()
    made_up = np.asarray(np.random.default_rng(array.size).uniform(0.5, 1.0, array.shape))
    return made_up.astype(array.dtype) if is_float(array.dtype) else array


def _prove(
    file: Path, captured: Captured, state: Mapping[str, Array], batch: Mapping[str, Array]
) -> Verification:
    """One step with all rows and one with few, in ONNX Runtime and by the trainer's operators."""
    generator = np.random.default_rng(0)
    comparisons: list[Comparison] = []

    def step(*inputs: Tensor) -> list[Tensor]:
        return interpret(captured.graph, inputs)

    for rows in sorted({len(batch["x"]), min(_FEW, len(batch["x"]))}):
        feed: dict[str, Array] = {**state, **{name: array[:rows] for name, array in batch.items()}}
        for one in captured.draws:
            shape = tuple(n if isinstance(n, int) else n.at({"batch": rows}) for n in one.shape)
            feed[one.name] = np.empty(shape, one.dtype)
            SAMPLERS[one.distribution](generator, feed[one.name])
        proof = verify(file, step, feed, batches=(None,), tolerance=_TOLERANCE)
        comparisons += proof.comparisons
    return Verification(tuple(comparisons))
