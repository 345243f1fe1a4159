"""From a recipe's newest run to its next published version: what the loss says about the model's use."""

from __future__ import annotations

from exporter.publisher import Published, publish
from exporter.writer import ExportOptions
from trainer import run
from trainer.config import Recipe
from trainer.core.tensor import Tensor, apply
from trainer.data import Dataset

EXAMPLES = 64  # held-out rows that the file is proven with; the first few become golden examples
_LINEAGE = ("recipe", "data", "engine", "seed", "code", "versions", "epoch", "metrics")


def release(recipe: Recipe) -> Published:
    """Publish the newest run of a recipe beside it, as `models/<name>/<next version>`.

    The input is called `x`. What comes out follows from the loss: after `cross_entropy` it is
    `probabilities`, [batch, classes], for the task classify with the class names of the data; after
    either binary cross-entropy `probabilities` of the shape of the target; after any other loss `y`,
    for the task regress.

    Raises:
        CheckpointError: The recipe was not trained yet.
        ExportError, VerificationError, PublishError: As for `exporter.publish`.
    """
    trained, checkpoint = run.load(recipe)
    _, held_out = recipe.dataset()
    options = _use(recipe, held_out)
    options["lineage"] = {
        **{key: checkpoint.meta[key] for key in _LINEAGE if key in checkpoint.meta},
        "run": int(trained.folder.name),
    }
    return publish(
        trained.model,
        held_out.x[:EXAMPLES],
        recipe.folder.name,
        recipe.folder.parent,
        **options,
    )


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
