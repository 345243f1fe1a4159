"""Accumulation: the mean gradient of several batches makes one step of an optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainer.core import tree
from trainer.core.errors import CheckpointError, ConfigError
from trainer.core.mode import capturing, mode
from trainer.core.tensor import Array, Tensor, apply, wrap
from trainer.optim.base import Optimizer, Scalars, State
from trainer.optim.clipping import clip_by_global_norm

_PENDING, _GATHERED = "pending", "accumulated"


class Accumulated(Optimizer):
    """An optimizer that moves once in so many batches, by the mean of their gradients.

    For batches of equal size that is the step of all of them as one batch. What is gathered is part of
    the state: a checkpoint between two steps loses nothing. A captured step has one graph for all batches,
    in which the new values are taken or not; eagerly there is nothing to do before the last batch.

    Example:
        >>> from trainer.optim import SGD
        >>> optimizer = Accumulated(SGD(), batches=2)
        >>> w, state = {"w": Tensor([1.0])}, optimizer.init({"w": Tensor([1.0])})
        >>> w, state = optimizer.update(w, {"w": Tensor([2.0])}, state, 0.5)
        >>> optimizer.update(w, {"w": Tensor([4.0])}, state, 0.5)[0]
        {'w': Tensor([-0.5])}

    Args:
        optimizer: What makes the steps.
        batches: How many batches there are to a step.
        clip: The largest norm of the mean gradient. Defaults to no limit.
    """

    def __init__(self, optimizer: Optimizer, batches: int, clip: float | None = None) -> None:
        super().__init__(optimizer.model, optimizer.lr)
        if batches < 1:
            raise ConfigError(f"accumulate = {batches}: a step takes at least one batch.")
        self._optimizer, self.batches, self._clip = optimizer, batches, clip
        self.slots = (*optimizer.slots, _GATHERED)
        self.elementwise = optimizer.elementwise

    def init(self, parameters: Any) -> State:
        """The optimizer's own state, and no gradient of any batch."""
        return {_PENDING: wrap(np.zeros((), np.int64)), **super().init(parameters)}

    def update(
        self, parameters: Any, gradients: Any, state: State, lr: Tensor | float
    ) -> tuple[Any, State]:
        """Gather the gradients of a batch; after the last one of a step make it."""
        with mode(grad=False, phase="optimizer"):
            pending = state[_PENDING] + 1
            total = tree.map_tree(lambda a, g: a + g, state[_GATHERED], gradients)
            due = pending == self.batches
            if not capturing() and not bool(due):
                return parameters, {**state, _PENDING: pending, _GATHERED: total}
            mean = tree.map_tree(lambda g: g * (1.0 / self.batches), total)
            if self._clip is not None:
                mean = clip_by_global_norm(mean, self._clip)
            own = {key: state[key] for key in ("step", *self._optimizer.slots)}
            new, moved = self._optimizer.update(parameters, mean, own, lr)

            def chosen(now: Any, before: Any) -> Any:
                return tree.map_tree(lambda a, b: apply("Where", due, a, b), now, before)

            return chosen(new, parameters), {
                _PENDING: pending % self.batches,
                **{key: chosen(moved[key], own[key]) for key in own},
                _GATHERED: tree.map_tree(lambda g: apply("Where", due, 0.0, g), total),
            }

    def scalars(self, lr: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Those of the optimizer."""
        return self._optimizer.scalars(lr, step)

    def change(
        self, w: Tensor, g: Tensor, slots: tuple[Tensor, ...], scalars: Scalars
    ) -> tuple[Tensor, ...]:
        """That of the optimizer."""
        return self._optimizer.change(w, g, slots, scalars)


def accumulated(
    optimizer: Optimizer, clip: float | None, batches: int
) -> tuple[Optimizer, float | None]:
    """The optimizer for so many batches per step, and the clipping that is left to do before it."""
    return (optimizer, clip) if batches == 1 else (Accumulated(optimizer, batches, clip), None)


def carried_over(
    saved: Mapping[str, Array], form: Mapping[str, Tensor], optimizer: Optimizer
) -> dict[str, Array]:
    """A saved state as an optimizer needs it that gathers over more, fewer or no batches.

    Args:
        saved: The state by dotted name.
        form: The names and shapes that the optimizer has.
        optimizer: What goes on.

    Raises:
        CheckpointError: So many batches are gathered that the step would have been made by now.
    """
    batches = optimizer.batches if isinstance(optimizer, Accumulated) else 1
    pending = int(saved.get(_PENDING, 0))
    if pending >= batches:
        raise CheckpointError(
            f"The checkpoint lies between two steps: it was saved with `accumulate`, after {pending} "
            f"of the batches of a step, and with accumulate = {batches} the step is due before. "
            f"Resume with accumulate = {pending + 1} or more, or train anew."
        )
    gathered = {name for name in {*saved, *form} if name.split(".")[0] in (_PENDING, _GATHERED)}
    kept = {name: array for name, array in saved.items() if name not in gathered - form.keys()}
    new = gathered & form.keys() - saved.keys()
    return kept | {name: np.zeros(form[name].shape, form[name].dtype) for name in new}
