"""Scan as one operator of a captured graph; `trainer.ops.control` has the one that runs slice by slice.

A loop over time that is written out has a copy of each slice and of each result, and these and its many
operators pass through memory. One Scan reads slices where they lie and writes results where they belong.
"""

from __future__ import annotations

from collections.abc import Callable

from trainer.core.graph import Closure
from trainer.core.mode import mode, place
from trainer.core.node import Node
from trainer.core.op import Op
from trainer.core.tensor import Array, Tensor, source, wrap
from trainer.core.trace import capture
from trainer.ops import control

Body = Callable[..., tuple[Tensor, ...]]


def _kernel(*values: Array) -> tuple[Array, ...]:
    return values


_SCAN = Op("Scan", _kernel)


def scan(
    body: Body,
    states: list[Tensor],
    slices: list[Tensor],
    shared: list[Tensor],
    backwards: bool = False,
) -> tuple[Tensor, ...]:
    """Record a Scan while a function is captured. No gradient flows through it.

    Args:
        body: From the states, a slice each [N, ...] and what is shared to the new states, and to what
            is collected of them.
        states: What is carried from slice to slice, each [N, ...].
        slices: What is sliced along its first axis, each [time, N, ...].
        shared: What every run of the body reads whole.
        backwards: Whether to begin at the last slice. Results lie where the slices do. Defaults to
            False.

    Returns:
        The states at the end, then all that was collected, each [time, N, ...].
    """
    inputs = [*states, *slices, *shared]
    carried, sliced, whole = ([wrap(x._data) for x in xs] for xs in (states, slices, shared))

    def flat(*values: Tensor) -> list[Tensor]:
        return list(body(*values))

    attrs = {
        "num_scan_inputs": len(slices),
        "scan_input_directions": [int(backwards)] * len(slices),
    }
    with mode(capture=False, grad=False):
        batch = {f"values.{k}": {0: "batch"} for k in range(len(states) + len(slices))}
        once = [wrap(x._data[0]) for x in slices]
        graph = capture(flat, *carried, *once, *whole, dynamic=batch).graph
        collected = len(graph.outputs) - len(states)
        attrs["scan_output_directions"] = [int(backwards)] * collected
        made = control.scan(
            *carried,
            *sliced,
            body=lambda *values: flat(*values, *whole),
            **attrs,
        )
    node = Node(
        _SCAN,
        tuple(map(source, inputs)),
        tuple(x._data for x in inputs),
        tuple(y._data for y in made),
        {"body": Closure(graph, len(shared)), **attrs},
        tracked=False,
        line=place(),
    )
    return tuple(wrap(y._data, node, k) for k, y in enumerate(made))
