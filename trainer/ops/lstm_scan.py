"""LSTM as a captured training step runs it: a Scan that keeps the gates, and one back through time.

ONNX's operator does not give its gates away, so its gradient rule computes them once more and writes
out the loops. That is right for numpy; ONNX Runtime takes two thirds of the time for these two Scans.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from trainer.core.define import Array
from trainer.core.mode import capturing, current, mode, place
from trainer.core.node import Node, Spec
from trainer.core.op import Op
from trainer.core.tape import differentiating_once, walk, watch
from trainer.core.tensor import Tensor, apply, source, wrap
from trainer.ops.adjoint import zeros
from trainer.ops.recorded_scan import scan
from trainer.ops.recurrence import BACKWARDS
from trainer.ops.recurrence_gradient import only, over_time, rows_of


class Given(NamedTuple):
    """The operator's inputs, as ONNX has them."""

    x: Tensor
    w: Tensor
    r: Tensor
    b: Tensor | None
    h: Tensor | None
    c: Tensor | None


class Kept(NamedTuple):
    """What the way back needs of one direction, each [time, N, hidden], time as in the inputs.

    Attributes:
        i, o, f, g: The gates, and what may go into the memory.
        seen: The tanh of the memory.
        h, c: State and memory before each time.
    """

    i: Tensor
    o: Tensor
    f: Tensor
    g: Tensor
    seen: Tensor
    h: Tensor
    c: Tensor


def is_faster() -> bool:
    """Whether a function is captured whose gradient follows: then gates are worth keeping."""
    return capturing() and differentiating_once()


def lstm(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None,
    initial_h: Tensor | None,
    initial_c: Tensor | None,
    direction: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """The operator LSTM with its usual activations, for sequences that are all as long.

    Args:
        x: Sequences [time, N, inputs].
        w: Weights of the inputs [directions, 4 hidden, inputs], for i, o, f and the new memory.
        r: Weights of the state [directions, 4 hidden, hidden], likewise.
        b: Biases of both, side by side [directions, 8 hidden], or `None`.
        initial_h: The state to start from [directions, N, hidden]; `None` is 0.
        initial_c: The memory to start from, likewise.
        direction: forward, reverse or bidirectional.

    Returns:
        The states [time, directions, N, hidden], the last state and the last memory.
    """
    given = Given(x, w, r, b, initial_h, initial_c)
    with mode(grad=False):
        found = [_walk(given, d, back) for d, back in enumerate(BACKWARDS[direction])]
        ys, hs, cs, kept = zip(*found, strict=True)
        outputs = _stacked(ys, 1), _stacked(hs, 0), _stacked(cs, 0)
    inputs = [*outputs, *given, *(v for parts in kept for v in parts)]
    node = Node(
        _LSTM,
        tuple(map(source, inputs)),
        tuple([None if v is None else v._data for v in inputs]),
        tuple([Spec(v.shape, v.dtype) for v in outputs]),
        {"direction": direction},
        line=place(),
    )
    y, h, c = (wrap(v._data, node, k) for k, v in enumerate(outputs))
    return y, h, c


def _walk(given: Given, d: int, backwards: bool) -> tuple[Tensor, Tensor, Tensor, Kept]:
    """One direction: the states [time, N, hidden], the last state and memory, and what is kept."""
    time, batch, _ = given.x.shape
    w, r = only(given.w, 0, d), only(given.r, 0, d)
    b = None if given.b is None else only(given.b, 0, d).reshape(2, -1).sum(axis=0)
    rows = apply("Gemm", rows_of(given.x), w, b, transB=1).reshape(time, -1, w.shape[0])
    nothing = zeros([batch, r.shape[-1]], given.x)
    starts = [nothing if v is None else only(v, 0, d) for v in (given.h, given.c)]
    h, c, *collected = scan(_step, starts, [rows], [r.T], backwards)
    kept, last = Kept(*collected), h.unsqueeze(0)
    ends = [last, kept.h[:-1]] if backwards else [kept.h[1:], last]
    return apply("Concat", *ends, axis=0), h, c, kept


def _step(h: Tensor, c: Tensor, rows: Tensor, r: Tensor) -> tuple[Tensor, ...]:
    parts = apply("Split", apply("Gemm", h, r, rows), axis=-1, num_outputs=4)
    i, o, f = (part.sigmoid() for part in parts[:3])
    g = parts[3].tanh()
    memory = f * c + i * g
    seen = memory.tanh()
    return o * seen, memory, i, o, f, g, seen, h, c


def _step_back(
    by_h: Tensor,
    by_c: Tensor,
    i: Tensor,
    o: Tensor,
    f: Tensor,
    g: Tensor,
    seen: Tensor,
    c: Tensor,
    *by_y_and_r: Tensor,
) -> tuple[Tensor, ...]:
    """From the gradients of state and memory to those before, and that of what went into the gates.

    The slope of a gate s in what goes into it is s (1 - s): a product with s, less s times that.
    """
    *by_y, r = by_y_and_r
    by_h = by_h + by_y[0] if by_y else by_h
    h = o * seen
    by_c = by_c + by_h * (o - h * seen)
    by_c_before, by_g = by_c * f, by_c * i
    into_f, into_i = by_c_before * c, by_g * g
    gates = into_i - into_i * i, by_h * (h - h * o), into_f - into_f * f, by_g - into_i * g
    a = apply("Concat", *gates, axis=-1)
    return a @ r, by_c_before, a


def _kernel(*values: Array) -> tuple[Array, ...]:
    return values


def _vjp(gradients: Any, results: Any, *inputs: Any, direction: str) -> list[Tensor | None]:
    """The inputs are the outputs, what was given, and what was kept of each direction."""
    outputs, size = [None] * len(results), len(Kept._fields)
    given = Given(*inputs[len(outputs) :][: len(Given._fields)])
    if current.get().grad:
        return outputs + _differentiable(gradients, given, direction)
    kept = inputs[len(outputs) + len(given) :]
    found = [
        _walk_back(gradients, given, Kept(*kept[d * size : (d + 1) * size]), d, backwards)
        for d, backwards in enumerate(BACKWARDS[direction])
    ]
    by_x, *others = zip(*found, strict=True)
    total = by_x[0] if len(by_x) == 1 else by_x[0] + by_x[1]
    return [*outputs, total, *(_stacked(parts, 0) for parts in others)]


def _walk_back(
    gradients: Any, given: Given, kept: Kept, d: int, backwards: bool
) -> tuple[Tensor, ...]:
    """The gradients of what was given, from one direction."""
    by_y, *by_ends = gradients
    w, r = only(given.w, 0, d), only(given.r, 0, d)
    nothing = zeros(kept.h.shape[1:], kept.h)
    states = [nothing if v is None else only(v, 0, d) for v in by_ends]
    slices = [kept.i, kept.o, kept.f, kept.g, kept.seen, kept.c]
    slices += [] if by_y is None else [only(by_y, 1, d)]
    by_h, by_c, stack = scan(_step_back, states, slices, [r], not backwards)
    a, (time, _, size) = rows_of(stack), given.x.shape
    bias = a.sum(axis=0)
    return (
        (a @ w).reshape(time, -1, size),
        over_time(a, rows_of(given.x)),
        over_time(a, rows_of(kept.h)),
        apply("Concat", bias, bias, axis=0),
        by_h,
        by_c,
    )


def _differentiable(gradients: Any, given: Given, direction: str) -> list[Tensor | None]:
    """The same gradients by the operator's own rule, for those who will differentiate them again."""
    watched = {name: watch(v) for name, v in given._asdict().items() if v is not None}
    x, w, r, b, h, c = (watched.get(name) for name in Given._fields)
    size = given.r.shape[-1]
    outputs = apply(
        "LSTM", x, w, r, b, None, h, c, direction=direction, hidden_size=size, outputs=3
    )
    present = [k for k, g in enumerate(gradients) if g is not None]
    asked = [(v._node, v._index) for v in watched.values() if v._node is not None]
    seeds = [gradients[k] for k in present]
    found = walk([outputs[k] for k in present], seeds, asked, record=True)
    by_name = dict(zip(watched, found, strict=True))
    return [by_name.get(name) for name in Given._fields]


def _stacked(parts: tuple[Tensor, ...], axis: int) -> Tensor:
    """What there is in each direction, along a new axis."""
    if len(parts) == 1:
        return parts[0].unsqueeze(axis)
    stacked: Tensor = apply("Concat", *(part.unsqueeze(axis) for part in parts), axis=axis)
    return stacked


_LSTM = Op("LSTM", _kernel)
_LSTM.differentiate_by(_vjp)
_LSTM.tape_only = True
