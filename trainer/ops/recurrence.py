"""What the kernels of RNN, GRU and LSTM share: their activations, and the walk along time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from trainer.core.define import Array
from trainer.core.errors import OperatorError
from trainer.ops.activation import logistic
from trainer.ops.ieee import widen

Activation = Callable[[Array], Array]
Step = Callable[..., tuple[Array, ...]]

# Per direction whether it goes back in time.
BACKWARDS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}

# By name in lower case: the function, and the usual alpha and beta of those that have them.
_ACTIVATIONS: dict[str, tuple[Callable[..., Array], tuple[float, ...]]] = {
    "affine": (lambda x, alpha, beta: alpha * x + beta, (1.0, 0.0)),
    "elu": (lambda x, alpha: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x), (1.0,)),
    "hardsigmoid": (lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1), (0.2, 0.5)),
    "leakyrelu": (lambda x, alpha: np.where(x < 0, alpha * x, x), (0.01,)),
    "relu": (lambda x: np.maximum(x, 0), ()),
    "scaledtanh": (lambda x, alpha, beta: alpha * np.tanh(beta * x), (1.0, 1.0)),
    "sigmoid": (logistic, ()),
    "softplus": (lambda x: np.logaddexp(x, 0), ()),
    "softsign": (lambda x: x / (1 + np.abs(x)), ()),
    "tanh": (np.tanh, ()),
    "thresholdedrelu": (lambda x, alpha: np.where(x > alpha, x, 0), (1.0,)),
}


class Walk:
    """A walk along time in one or two directions.

    Args:
        x: Sequences [time, N, inputs], or [N, time, inputs] with layout 1.
        r: Weights of the state [directions, ..., hidden].
        lengths: The length of each sequence [N], or `None` for all of the time.
        direction: forward, reverse or bidirectional.
        layout: 1 if the batch comes before time and directions, else 0.
        clip: The bound of what goes into an activation, or `None`.
    """

    def __init__(
        self,
        x: Array,
        r: Array,
        lengths: Array | None,
        direction: str,
        layout: int,
        clip: float | None,
    ) -> None:
        if direction not in BACKWARDS:
            raise OperatorError(f"direction={direction!r} is none of {', '.join(BACKWARDS)}")
        self.backwards = BACKWARDS[direction]
        if len(r) != len(self.backwards):
            raise OperatorError(
                f"direction={direction!r} wants weights of {len(self.backwards)} first"
            )
        self.x = widen(x.swapaxes(0, 1) if layout else x)
        self.dtype, self.layout, self.clip = x.dtype, layout, clip
        time, batch = self.x.shape[:2]
        if lengths is not None and (
            lengths.shape != (batch,) or np.any((lengths < 0) | (lengths > time))
        ):
            raise OperatorError(
                f"the lengths must be {batch} whole numbers up to {time}, one for each sequence, not "
                f"{lengths.tolist()}"
            )
        self.lengths = lengths
        self.hidden = r.shape[-1]

    def activations(
        self, names: Sequence[str] | None, usual: Sequence[str], alphas: Any, betas: Any
    ) -> list[list[Activation]]:
        """The activations of each direction; alphas and betas go to those that take them, in order."""
        wanted = len(usual) * len(self.backwards)
        names = list(names or [*usual] * len(self.backwards))
        if len(names) < wanted:
            raise OperatorError(f"{wanted} activations are wanted, not {names}")
        given = iter(alphas or ()), iter(betas or ())
        made = [_activation(name, given) for name in names[:wanted]]
        return [made[i : i + len(usual)] for i in range(0, wanted, len(usual))]

    def clipped(self, a: Array) -> Array:
        """What goes into an activation, within the bounds."""
        return a if self.clip is None else np.clip(a, -self.clip, self.clip)

    def run(
        self,
        project: Callable[[int, Array], Array],
        step: Callable[[int], Step],
        initial: Sequence[Array | None],
    ) -> tuple[Array, ...]:
        """Walk in all directions.

        Args:
            project: From a direction and the inputs to what they add to each step [time, N, ...].
            step: From a direction to its step: from one row of that and the states to new states.
            initial: The states to start from [directions, N, hidden]; `None` is 0.

        Returns:
            The first state at all times, and the states at the end.
        """
        time, batch = self.x.shape[:2]
        y = np.empty((time, len(self.backwards), batch, self.hidden), self.x.dtype)
        ends = np.zeros((len(initial), len(self.backwards), batch, self.hidden), self.x.dtype)
        for state, given in zip(ends, initial, strict=True):
            if given is not None:
                state[...] = given.swapaxes(0, 1) if self.layout else given
        for d, backwards in enumerate(self.backwards):
            order = self._backwards() if backwards else slice(None)
            advance, states = step(d), tuple(ends[:, d])
            for t, row in enumerate(project(d, self.x[order])):
                states = self._kept(t, advance(row, *states), states)
                y[t, d] = states[0]
            ends[:, d] = states
            if self.lengths is not None:
                y[:, d][np.arange(time)[:, None] >= self.lengths] = 0
            y[:, d] = y[:, d][order]
        if self.layout:
            y, ends = y.transpose(2, 0, 1, 3), ends.swapaxes(1, 2)
        return tuple(np.ascontiguousarray(a, self.dtype) for a in (y, *ends))

    def _kept(self, t: int, new: tuple[Array, ...], old: tuple[Array, ...]) -> tuple[Array, ...]:
        """The states after time t: a sequence that is over keeps its last ones."""
        if self.lengths is None:
            return new
        alive = (t < self.lengths)[:, None]
        return tuple(np.where(alive, n, o) for n, o in zip(new, old, strict=True))

    def _backwards(self) -> Any:
        """The index that turns each sequence around, its padding left where it is."""
        time, batch = self.x.shape[:2]
        if self.lengths is None:
            return slice(None, None, -1)
        steps = np.arange(time)[:, None]
        source = np.where(steps < self.lengths, self.lengths - 1 - steps, steps)
        return source, np.arange(batch)


def product_of_rows(x: Array, w: Array) -> Array:
    """The product x w' for x [time, N, inputs]: one of two matrices, not one per time."""
    return (x.reshape(-1, x.shape[-1]) @ w.T).reshape(*x.shape[:2], len(w))


def _activation(name: str, given: tuple[Iterator[float], Iterator[float]]) -> Activation:
    if name.lower() not in _ACTIVATIONS:
        raise OperatorError(f"there is no activation {name!r}")
    function, usual = _ACTIVATIONS[name.lower()]
    numbers = [next(source, default) for source, default in zip(given, usual, strict=False)]
    return lambda x: function(x, *numbers)
