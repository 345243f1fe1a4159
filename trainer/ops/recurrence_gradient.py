"""What the gradient rules of RNN, GRU and LSTM share: the walk back through time, in each direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from trainer.core.tensor import Tensor, apply
from trainer.ops.adjoint import flip, zeros
from trainer.ops.recurrence import BACKWARDS


class Passage(NamedTuple):
    """One direction of a layer, its sequences turned so that time runs forwards.

    What there is at all times is one matrix, whose rows are those of the first time, then those of the
    second, and so on: so products with weights are products of two matrices.

    Attributes:
        time: How many times there are.
        x: Inputs [time * N, inputs].
        w: Weights of the inputs.
        r: Weights of the state.
        b: Biases of the inputs and of the state [2, ...], or `None`.
        starts: The states to start from [N, hidden].
        h: The state after each time [time * N, hidden].
        before: The state before each time.
        by_h: The gradient of `h` time by time, or `None`.
        by_ends: The gradients of the last states [N, hidden].
        alive: 1 where a sequence is not over [time * N, 1], or `None` if all are as long.
    """

    time: int
    x: Tensor
    w: Tensor
    r: Tensor
    b: Tensor | None
    starts: list[Tensor]
    h: Tensor
    before: Tensor
    by_h: list[Tensor] | None
    by_ends: list[Tensor]
    alive: Tensor | None

    def from_inputs(self) -> Tensor:
        """What the inputs add to what goes into the activations, for all times."""
        return _affine(self.x, self.w, None if self.b is None else self.b[0])

    def from_states(self) -> Tensor:
        """What the states before add to it."""
        return _affine(self.before, self.r, None if self.b is None else self.b[1])

    def from_both(self) -> Tensor:
        """What inputs and states before add up to."""
        biases = None if self.b is None else self.b.sum(axis=0)
        return _affine(self.before, self.r, _affine(self.x, self.w, biases))

    def by_time(self, rows: Tensor) -> list[Tensor]:
        """What there is at all times, time by time."""
        return list(apply("Split", rows, axis=0, num_outputs=self.time))

    def held(self, slope: Tensor) -> Tensor:
        """A slope that is 0 where a sequence is over."""
        return slope if self.alive is None else slope * self.alive

    def kept(self, share: Tensor) -> Tensor:
        """The share of a state that is passed on: all of it where a sequence is over."""
        return share if self.alive is None else share * self.alive + (1.0 - self.alive)

    def walk_back(
        self, step: Callable[[int, Tensor], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """From the gradient of each state to that of what went into the activations.

        Args:
            step: From a time and the gradient of its state to the gradient of what went into the
                activations and that of the state before.

        Returns:
            The first of these for all times, and the gradient of the initial state.
        """
        over = None if self.alive is None else self.by_time(1.0 - self.alive)
        by_state, made = self.by_ends[0], []
        for t in reversed(range(self.time)):
            if self.by_h is not None:
                by_state = by_state + self.by_h[t]
            a, earlier = step(t, by_state)
            by_state = earlier if over is None else earlier + by_state * over[t]
            made.append(a)
        return apply("Concat", *reversed(made), axis=0), by_state

    def by_weights(self, a: Tensor, a_of_states: Tensor | None = None) -> tuple[Tensor, ...]:
        """The gradients of inputs, weights and biases.

        Args:
            a: The gradient of `from_inputs()`.
            a_of_states: The gradient of `from_states()`. Defaults to the same.
        """
        bias = a.sum(axis=0)
        bias_of_states = bias if a_of_states is None else a_of_states.sum(axis=0)
        return (
            a @ self.w,
            over_time(a, self.x),
            over_time(a if a_of_states is None else a_of_states, self.before),
            apply("Concat", bias, bias_of_states, axis=0),
        )


def _affine(x: Tensor, w: Tensor, c: Tensor | None) -> Tensor:
    y: Tensor = apply("Gemm", x, w, c, transB=1)
    return y


def over_time(a: Tensor, x: Tensor) -> Tensor:
    """The gradient of weights that turn `x` into something whose gradient is `a`."""
    by_weights: Tensor = apply("Gemm", a, x, transA=1)
    return by_weights


def by_direction(
    gradients: tuple[Tensor | None, ...],
    y: Tensor,
    inputs: tuple[Any, ...],
    direction: str,
    layout: int,
    rule: Callable[[int, Passage], tuple[Tensor, ...]],
) -> list[Tensor | None]:
    """The gradients of a layer by its inputs, from those in each direction.

    Args:
        gradients: Of all states and of the last ones.
        y: All states.
        inputs: x, w, r, b, sequence_lens and the initial states.
        direction: forward, reverse or bidirectional.
        layout: 1 if the batch comes before time and directions, else 0.
        rule: From the number of a direction and its passage to the gradients of x, w, r, b and the
            initial states.
    """
    x, w, r, b, lengths, *starts = inputs
    by_y, *by_ends = (*gradients, None, None)[: len(starts) + 1]
    if layout:
        x, y = x.transpose(0, 1), y.permute(1, 2, 0, 3)
        by_y = None if by_y is None else by_y.permute(1, 2, 0, 3)
        starts = [None if v is None else v.transpose(0, 1) for v in starts]
        by_ends = [None if v is None else v.transpose(0, 1) for v in by_ends]
    time, batch, _ = x.shape
    nothing = zeros([batch, r.shape[-1]], x)
    alive = None
    if lengths is not None:
        steps = np.arange(time, dtype=np.int32).reshape(-1, 1)
        alive = apply("Less", steps, lengths).cast(x.dtype).unsqueeze(-1)
    found = []
    for d, backwards in enumerate(BACKWARDS[direction]):
        h = _turned(only(y, 1, d), backwards, lengths)
        by_h = None if by_y is None else _turned(only(by_y, 1, d), backwards, lengths)
        if by_h is not None and alive is not None:
            by_h = by_h * alive  # where a sequence is over, `y` is 0 whatever the state
        begin = [nothing if v is None else only(v, 0, d) for v in starts]
        first = begin[0].unsqueeze(0)
        passage = Passage(
            time=time,
            x=rows_of(_turned(x, backwards, lengths)),
            w=only(w, 0, d),
            r=only(r, 0, d),
            b=None if b is None else only(b, 0, d).reshape(2, -1),
            starts=begin,
            h=rows_of(h),
            before=rows_of(apply("Concat", first, h[:-1], axis=0) if time > 1 else first),
            by_h=None if by_h is None else apply("Split", rows_of(by_h), axis=0, num_outputs=time),
            by_ends=[nothing if v is None else only(v, 0, d) for v in by_ends],
            alive=None if alive is None else rows_of(alive),
        )
        rows, *rest = rule(d, passage)
        by_inputs = rows.reshape(time, -1, rows.shape[-1])
        found.append([_turned(by_inputs, backwards, lengths), *(v.unsqueeze(0) for v in rest)])
    xs, *others = zip(*found, strict=True)
    by_x = xs[0] if len(xs) == 1 else xs[0] + xs[1]
    by_w, by_r, by_b, *by_starts = (apply("Concat", *parts, axis=0) for parts in others)
    if layout:
        by_x, by_starts = by_x.transpose(0, 1), [v.transpose(0, 1) for v in by_starts]
    return [by_x, by_w, by_r, by_b, None, *by_starts]


def only(x: Tensor, axis: int, d: int) -> Tensor:
    """One direction of what there is for each along an axis; the only one without a copy."""
    if x.shape[axis] == 1:
        return x.squeeze(axis)
    return x[d] if axis == 0 else x[:, d]


def rows_of(x: Tensor) -> Tensor:
    """[time, N, ...] as one matrix."""
    return x.reshape(-1, x.shape[-1])


def _turned(x: Tensor, backwards: bool, lengths: Tensor | None) -> Tensor:
    """Sequences [time, N, ...] turned around in time, each within its length."""
    if not backwards:
        return x
    if lengths is None:
        return flip(x, 0)
    turned: Tensor = apply("ReverseSequence", x, lengths.cast(np.int64))
    return turned
