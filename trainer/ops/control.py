"""If, Loop and Scan: run as Python runs them, so a gradient goes through the branch that was taken."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, TypeAlias

import numpy as np

from trainer.core.define import composite
from trainer.core.tensor import Tensor, apply, wrap

B: TypeAlias = Tensor
I: TypeAlias = Tensor  # noqa: E741  (the schema's name)
V: TypeAlias = Any
S: TypeAlias = Any
Body: TypeAlias = Callable[..., list[Any]]


@composite("If")
def if_(cond: B, *, then_branch: Body, else_branch: Body) -> tuple[V, ...]:
    """The results of one of two branches.

    Args:
        cond: One boolean.
        then_branch: A function of nothing, or a subgraph.
        else_branch: The other.
    """
    return tuple((then_branch if bool(cond) else else_branch)())


@composite("Loop")
def loop(M: I | None = None, cond: B | None = None, *v_initial: V, body: Body) -> tuple[V, ...]:
    """Run a body again and again.

    Args:
        M: How often at most. Defaults to no limit.
        cond: Whether to begin at all. Defaults to yes.
        *v_initial: The values carried from round to round.
        body: From the number of the round, the condition and the carried values to whether to go on,
            the new values, and what is collected.

    Returns:
        The carried values, then all that was collected, stacked along a new first axis.
    """
    carried = list(v_initial)
    going = wrap(np.asarray(True)) if cond is None else cond
    rounds = []
    for k in count() if M is None else range(int(M)):
        if not bool(going):
            break
        going, *results = body(wrap(np.asarray(k, np.int64)), going, *carried)
        carried = results[: len(carried)]
        rounds.append(results[len(carried) :])
    return *carried, *_collected(rounds, body, 1 + len(carried))


@composite("Scan")
def scan(
    *initial_state_and_scan_inputs: V,
    body: Body,
    num_scan_inputs: int,
    scan_input_axes: list[int] | None = None,
    scan_input_directions: list[int] | None = None,
    scan_output_axes: list[int] | None = None,
    scan_output_directions: list[int] | None = None,
) -> tuple[V, ...]:
    """Run a body on every slice of some Tensors.

    Args:
        *initial_state_and_scan_inputs: The values carried from slice to slice, then what is sliced.
        body: From the carried values and one slice each to new values and what is collected.
        num_scan_inputs: How many Tensors are sliced.
        scan_input_axes: The axis that each is sliced along. Defaults to 0.
        scan_input_directions: 1 where one is sliced backwards. Defaults to forwards.
        scan_output_axes: The axis along which each result is stacked. Defaults to 0.
        scan_output_directions: 1 where each new one comes first. Defaults to last.

    Returns:
        The carried values, then all that was collected.
    """
    states = len(initial_state_and_scan_inputs) - num_scan_inputs
    carried = list(initial_state_and_scan_inputs[:states])
    columns = [
        _slices(x, axis, backwards)
        for x, axis, backwards in zip(
            initial_state_and_scan_inputs[states:],
            scan_input_axes or [0] * num_scan_inputs,
            scan_input_directions or [0] * num_scan_inputs,
            strict=True,
        )
    ]
    rounds = []
    for slices in zip(*columns, strict=True):
        results = body(*carried, *slices)
        carried = results[:states]
        rounds.append(results[states:])
    return *carried, *_collected(rounds, body, states, scan_output_axes, scan_output_directions)


@composite("SequenceMap")
def sequence_map(input_sequence: S, *additional_inputs: V, body: Body) -> tuple[S, ...]:
    """Run a body on every Tensor of a sequence; other sequences go along, Tensors stay the same."""
    rounds = [
        body(x, *(other[k] if isinstance(other, list) else other for other in additional_inputs))
        for k, x in enumerate(input_sequence)
    ]
    return tuple(map(list, zip(*rounds, strict=True)))


def _slices(x: Tensor, axis: int, backwards: int) -> list[Tensor]:
    order = range(x.shape[axis])[:: -1 if backwards else 1]
    return [apply("Gather", x, k, axis=axis) for k in order]


def _collected(
    rounds: list[list[Tensor]],
    body: Any,
    first: int,
    axes: list[int] | None = None,
    directions: list[int] | None = None,
) -> list[Tensor]:
    """What the rounds gave beside the carried values, each stacked along a new axis.

    Args:
        rounds: Per round what is collected.
        body: The subgraph, which knows dtypes and shapes should there be no round.
        first: The place of the first of these among its outputs.
        axes: Per result the new axis. Defaults to 0.
        directions: Per result 1 where the last round comes first. Defaults to 0.
    """
    if not rounds:
        outputs = body.graph.outputs[first:]
        shapes = [[0, *(n if isinstance(n, int) else 0 for n in y.shape or ())] for y in outputs]
        return [wrap(np.zeros(s, y.dtype)) for s, y in zip(shapes, outputs, strict=True)]
    columns = [list(column) for column in zip(*rounds, strict=True)]
    stacked = []
    for k, column in enumerate(columns):
        axis = axes[k] if axes else 0
        ordered = column[::-1] if directions and directions[k] else column
        stacked.append(apply("Concat", *[x.unsqueeze(axis) for x in ordered], axis=axis))
    return stacked
