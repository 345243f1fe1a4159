"""AutoStep: the compiled step where the model can be compiled, the eager one where it cannot."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from trainer.compiled.step import CompiledStep
from trainer.core.errors import CaptureError
from trainer.core.tensor import Array
from trainer.nn.module import Module
from trainer.optim.base import Optimizer
from trainer.step import EagerStep, Loss, Step

_log = logging.getLogger("trainer")


class AutoStep:
    """A training step that is compiled, or falls back to eager with one line that says why.

    Args:
        model: What is trained.
        loss: From the model's output and the target to a scalar.
        optimizer: How parameters change.
        clip: The largest norm of all gradients together. Defaults to no limit.
        accumulate: How many batches make one step of the optimizer. Defaults to 1.
    """

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        clip: float | None = None,
        accumulate: int = 1,
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self._clip, self._accumulate = clip, accumulate
        self._step: Step = CompiledStep(model, loss, optimizer, clip, accumulate)

    @property
    def engine(self) -> str:
        """Which engine runs now: "onnx" or "eager"."""
        return "onnx" if isinstance(self._step, CompiledStep) else "eager"

    def train(self, x: Array, y: Array, lr: float) -> float:
        """Learn from one batch and return its loss."""
        try:
            return self._step.train(x, y, lr)
        except CaptureError as error:
            return self._eager(error).train(x, y, lr)

    def predict(self, x: Array) -> Array:
        """The model's outputs for a batch, as in inference."""
        try:
            return self._step.predict(x)
        except CaptureError as error:
            return self._eager(error).predict(x)

    def sync(self) -> None:
        """Bring the model's parameters up to date."""
        self._step.sync()

    def state(self) -> dict[str, Array]:
        """The optimizer's state by dotted name, for a checkpoint."""
        return self._step.state()

    def load(self, state: Mapping[str, Array]) -> None:
        """Continue from such a state."""
        self._step.load(state)

    def _eager(self, error: CaptureError) -> Step:
        """Go on eagerly from where the compiled step stands."""
        if isinstance(self._step, EagerStep):
            raise error
        _log.warning("This model runs eagerly, which is slower: %s", error)
        state = self._step.state()
        self._step = EagerStep(self.model, self.loss, self.optimizer, self._clip, self._accumulate)
        self._step.load(state)
        return self._step
