"""Tries a recipe's model on two rows before anything is written: what does not fit is said at once."""

from __future__ import annotations

import traceback
from pathlib import Path

from trainer.config import Recipe
from trainer.core.dtypes import describe
from trainer.core.errors import ConfigError, DataError, TapelineError
from trainer.core.mode import no_grad
from trainer.core.tensor import Tensor, wrap
from trainer.data import Dataset
from trainer.nn.module import Module


def try_out(model: Module, rows: Dataset, recipe: Recipe) -> None:
    """Compute the outputs and the metrics of two rows.

    Raises:
        ConfigError: The model fails, or its outputs do not fit the data, the loss or a metric.
    """
    output = _output(model, rows, recipe.folder)
    if recipe.train.loss == "cross_entropy":
        _check_scores(output, rows)
    for name, metric in recipe.metrics().items():
        try:
            metric(output.numpy(), rows.y[:2])
        except DataError as error:
            raise ConfigError(
                f"The metric {name} does not fit the model and its data: {error}"
            ) from error


def _output(model: Module, rows: Dataset, folder: Path) -> Tensor:
    model.eval()
    try:
        with no_grad():
            output = model(wrap(rows.x[:2]))
    except TapelineError:
        raise
    except Exception as error:  # the model is the user's: whatever it does, it is no defect here
        raise ConfigError(f"{_place(error, folder)}: {type(error).__name__}: {error}.") from error
    if not isinstance(output, Tensor):
        raise ConfigError(
            f"{type(model).__name__}.forward returns {type(output).__name__}; a Tensor is expected."
        )
    return output


def _check_scores(output: Tensor, rows: Dataset) -> None:
    if rows.task != "classify":
        raise ConfigError(
            f"cross_entropy takes classes, but what is to be predicted of {rows.name} are amounts: take "
            "mse_loss or l1_loss, or say task = 'classify' in the options of the data."
        )
    count = len(rows.classes or ()) or int(rows.y.max()) + 1
    if output.ndim < 2 or output.shape[1] < count:
        raise ConfigError(
            f"The model's output is {describe(output)} for two rows, but {rows.name} has "
            f"{count} classes: let the last layer give {count} outputs."
        )


def _place(error: Exception, folder: Path) -> str:
    """The last line on the way to an error that stands beside the recipe."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent == folder]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}" if own else "The model fails"
