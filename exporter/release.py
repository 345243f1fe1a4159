"""From a recipe's newest run to its next published version: what the loss says about the model's use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from exporter.publisher import Published, publish
from exporter.train_step import TrainStep, export_train_step
from exporter.writer import ExportOptions
from trainer import run
from trainer.checkpoint import Checkpoint
from trainer.config import Recipe
from trainer.core.tensor import Tensor, apply
from trainer.data import Dataset
from trainer.nn.module import Module
from trainer.optim.accumulation import accumulated
from trainer.step import filled_state

EXAMPLES = 64  # held-out rows that the file is proven with; the first few become golden examples
TRAIN_STEP_FILE = "train_step.onnx"
_LINEAGE = (
    "recipe",
    "data",
    "features",
    "engine",
    "seed",
    "code",
    "versions",
    "epoch",
    "metrics",
)


def release(recipe: Recipe, checkpoint: Path | None = None) -> Published:
    """Publish the newest run of a recipe beside it, as `models/<name>/<next version>`.

    The input is called `x`. What comes out follows from the loss: after `cross_entropy` it is
    `probabilities`, [batch, classes], for the task classify with the class names of the data; after
    either binary cross-entropy `probabilities` of the shape of the target; after any other loss `y`,
    for the task regress.

    Args:
        recipe: What was trained.
        checkpoint: A file with the weights. Defaults to that of the newest run.

    Raises:
        CheckpointError: The recipe was not trained yet, or the file is missing or damaged.
        TreeError: The file belongs to another model.
        ExportError, VerificationError, PublishError: As for `exporter.publish`.
    """
    model, _, lineage, _ = _trained(recipe, checkpoint)
    _, held_out = recipe.dataset()
    options = _use(recipe, held_out)
    options["lineage"] = lineage
    return publish(
        model,
        held_out.x[:EXAMPLES],
        recipe.folder.name,
        recipe.folder.parent,
        **options,
    )


def release_train_step(recipe: Recipe, checkpoint: Path | None = None) -> TrainStep:
    """Write a recipe's training step as `train_step.onnx` beside a checkpoint, which is its state.

    Args:
        recipe: What was trained.
        checkpoint: The file with the state. Defaults to that of the newest run.

    Raises:
        CheckpointError, TreeError: As for `release`.
        CaptureError, ExportError, VerificationError: As for `exporter.export_train_step`.
    """
    model, saved, lineage, file = _trained(recipe, checkpoint)
    optimizer, clip, accumulate = recipe.optimizer(), recipe.train.clip, recipe.train.accumulate
    whole, _ = accumulated(optimizer, clip, accumulate)
    filled_state(whole.init(model.tree_children()), saved.optimizer)  # or the sentence why not
    rows, _ = recipe.dataset()
    return export_train_step(
        model,
        recipe.loss(),
        optimizer,
        rows.x[: recipe.train.batch_size],
        rows.y[: recipe.train.batch_size],
        file.parent / TRAIN_STEP_FILE,
        clip=clip,
        accumulate=accumulate,
        lineage=lineage,
    )


def _trained(recipe: Recipe, file: Path | None) -> tuple[Module, Checkpoint, dict[str, Any], Path]:
    """The trained model, its checkpoint, where they come from, and the checkpoint's file."""
    origin: dict[str, Any]
    if file is None:
        trained, checkpoint = run.load(recipe)
        model, file, origin = trained.model, trained.checkpoint, {"run": int(trained.folder.name)}
    else:
        checkpoint = Checkpoint.load(file)
        model = recipe.module()
        model.load(checkpoint.model)
        model.eval()
        origin = {"checkpoint": hashlib.sha256(file.read_bytes()).hexdigest()}
    lineage = {key: checkpoint.meta[key] for key in _LINEAGE if key in checkpoint.meta}
    return model, checkpoint, lineage | origin, file


def _use(recipe: Recipe, rows: Dataset) -> ExportOptions:
    match recipe.train.loss:
        case "cross_entropy":
            return {
                "output_names": ["probabilities"],
                "head": _softmax,
                "task": "classify",
                "classes": rows.classes,
            }
        case "binary_cross_entropy_with_logits":
            return {"output_names": ["probabilities"], "head": _sigmoid}
        case "binary_cross_entropy":
            return {"output_names": ["probabilities"]}
        case _:
            return {"output_names": ["y"], "task": "regress"}


def _softmax(logits: Tensor) -> Tensor:
    return apply("Softmax", logits, axis=1)


def _sigmoid(logits: Tensor) -> Tensor:
    return apply("Sigmoid", logits)
