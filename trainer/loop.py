"""The training loop: epochs over batches, validation, and who is told about it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from trainer.core.errors import DataError
from trainer.core.mode import no_grad
from trainer.core.tensor import Array, wrap
from trainer.data import Dataset, Loader
from trainer.metrics import Metric
from trainer.optim.schedule import Schedule
from trainer.step import Step


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave.

    Attributes:
        number: Counted from 1.
        loss: The mean training loss per row.
        validation: The loss and the metrics on held-out data by name; empty without such data.
        lr: The learning rate of the last step.
        seconds: How long the epoch took, validation included.
    """

    number: int
    loss: float
    validation: dict[str, float] = field(default_factory=dict)
    lr: float = 0.0
    seconds: float = 0.0


Listener = Callable[[Epoch], None]
Progress = Callable[[int, int, int, float], None]


def fit(
    step: Step,
    loader: Loader,
    schedule: Schedule,
    epochs: int,
    validation: Dataset | None = None,
    metrics: dict[str, Metric] | None = None,
    first_epoch: int = 1,
    listeners: Sequence[Listener] = (),
    progress: Progress | None = None,
) -> list[Epoch]:
    """Train for some epochs. It talks to a step and does not know which engine runs it.

    Args:
        step: Learns from one batch.
        loader: The training batches; each epoch in an order of its own, the same every time.
        schedule: The learning rate by the number of the step, counted from 0.
        epochs: The number of the last epoch.
        validation: Held-out data. Defaults to none.
        metrics: Functions of (outputs, targets) by name. Defaults to none.
        first_epoch: Where to go on. Defaults to 1.
        listeners: Called after each epoch.
        progress: Called after each step with epoch, step within it, steps per epoch, and loss.

    Returns:
        What each epoch gave.

    Raises:
        DataError: The loss is no longer a number.
    """
    history = []
    number = (first_epoch - 1) * len(loader)
    for epoch in range(first_epoch, epochs + 1):
        loader.epoch = epoch - 1
        start, total, rows, rate = time.perf_counter(), 0.0, 0, schedule(number)
        for index, (x, y) in enumerate(loader):
            rate = schedule(number)
            loss = step.train(x, y, rate)
            if not math.isfinite(loss):
                raise DataError(
                    f"The loss is {loss} at step {index + 1} of epoch {epoch}. Lower the learning rate "
                    f"({rate:g}), clip gradients, or look for extreme values in the data."
                )
            number += 1
            total += loss * len(x)
            rows += len(x)
            if progress is not None:
                progress(epoch, index + 1, len(loader), loss)
        measured = {} if validation is None else evaluate(step, validation, metrics or {})
        history.append(
            Epoch(epoch, total / max(rows, 1), measured, rate, time.perf_counter() - start)
        )
        for listener in listeners:
            listener(history[-1])
    step.sync()
    return history


def evaluate(
    step: Step, dataset: Dataset, metrics: dict[str, Metric], batch_size: int = 256
) -> dict[str, float]:
    """The loss and the metrics on a dataset.

    Args:
        step: Its model is asked, as in inference.
        dataset: The rows.
        metrics: Functions of (outputs, targets) by name.
        batch_size: Rows at a time. Defaults to 256.

    Returns:
        `loss`, and each metric by its name.
    """
    losses, outputs = 0.0, []
    for x, y in _batches(dataset, batch_size):
        outputs.append(step.predict(x))
        with no_grad():
            losses += float(step.loss(wrap(outputs[-1]), wrap(y))) * len(x)
    everything = np.concatenate(outputs)
    return {"loss": losses / len(dataset)} | {
        name: float(metric(everything, dataset.y)) for name, metric in metrics.items()
    }


def predict(step: Step, x: Array, batch_size: int = 256) -> Array:
    """The model's outputs for any number of rows, some at a time."""
    return np.concatenate(
        [step.predict(x[i : i + batch_size]) for i in range(0, len(x), batch_size)]
    )


def _batches(dataset: Dataset, size: int) -> Iterable[tuple[Array, Array]]:
    for start in range(0, len(dataset), size):
        yield dataset.x[start : start + size], dataset.y[start : start + size]
