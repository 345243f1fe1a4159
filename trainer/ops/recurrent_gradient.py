"""The gradients of RNN, GRU and LSTM: gates recomputed for all times at once from the states.

Only what really recurs, the gradients of state and memory, is walked through time; what a rule needs at
each time for that is prepared for all times before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import trainer.ops.recurrent  # noqa: F401  (the operators whose rules these are)
from trainer.core.define import vjp
from trainer.core.errors import GradientError
from trainer.core.tensor import Tensor, apply
from trainer.ops import recurrent  # noqa: F401  (registers what these rules belong to)
from trainer.ops.recurrence_gradient import Passage, by_direction, over_time

# The derivatives of what RNN may have as its activation, from its value.
_DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda y: 1.0 - y * y,
    "sigmoid": lambda y: y * (1.0 - y),
    "relu": lambda y: (y > 0.0).cast(y.dtype),
}


@vjp("RNN")
def _rnn_vjp(
    gradients, y, x, w, r, b=None, lengths=None, h=None, *, activations, clip, direction, layout
):
    unknown = {name.lower() for name in activations} - set(_DERIVATIVES)
    _refuse("RNN", clip=clip, activations=activations if unknown else None)

    def rule(d, p):
        slope = p.by_time(p.held(_DERIVATIVES[activations[d].lower()](p.h)))

        def step(t, by_state):
            a = by_state * slope[t]
            return a, a @ p.r

        a, by_start = p.walk_back(step)
        return *p.by_weights(a), by_start

    return by_direction(gradients, y[0], (x, w, r, b, lengths, h), direction, layout, rule)


@vjp("GRU")
def _gru_vjp(
    gradients,
    y,
    x,
    w,
    r,
    b=None,
    lengths=None,
    h=None,
    *,
    activations,
    clip,
    direction,
    layout,
    linear_before_reset,
):
    _refuse("GRU", clip=clip, activations=_unusual(activations, ["sigmoid", "tanh"]))
    rule = _gru_rule_linear_first if linear_before_reset else _gru_rule_reset_first
    return by_direction(gradients, y[0], (x, w, r, b, lengths, h), direction, layout, rule)


def _gru_rule_linear_first(_d, p):
    from_x, from_h = p.from_inputs(), p.from_states()
    z, reset = _gates(from_x, from_h)
    felt = _new(from_h)
    new = (_new(from_x) + reset * felt).tanh()
    into_new, into_z, share = _gru_slopes(p, z, new)
    into_reset, resets = p.by_time(felt * reset * (1.0 - reset)), p.by_time(reset)

    def step(t, by_state):
        a_new, a_z = by_state * into_new[t], by_state * into_z[t]
        a_reset = a_new * into_reset[t]
        from_state = apply("Concat", a_z, a_reset, a_new * resets[t], axis=-1)
        a = apply("Concat", a_z, a_reset, a_new, axis=-1)
        return a, by_state * share[t] + from_state @ p.r

    a, by_start = p.walk_back(step)
    both, last = _gates_and_new(a, -1)
    return *p.by_weights(a, apply("Concat", both, last * reset, axis=-1)), by_start


def _gru_rule_reset_first(_d, p):
    gate_weights, weights = _gates_and_new(p.r, 0)
    from_x, from_h = p.from_inputs(), p.from_states()
    z, reset = _gates(from_x, from_h)
    felt = reset * p.before
    new = _new(from_x) + felt @ weights.T
    new = (new if p.b is None else new + _new(p.b[1])).tanh()
    into_new, into_z, share = _gru_slopes(p, z, new)
    into_reset, resets = p.by_time(felt * (1.0 - reset)), p.by_time(reset)

    def step(t, by_state):
        a_new, a_z = by_state * into_new[t], by_state * into_z[t]
        by_felt = a_new @ weights
        gates = apply("Concat", a_z, by_felt * into_reset[t], axis=-1)
        earlier = by_state * share[t] + by_felt * resets[t] + gates @ gate_weights
        return apply("Concat", gates, a_new, axis=-1), earlier

    a, by_start = p.walk_back(step)
    by_x, by_w, _, by_b = p.by_weights(a)
    gates, last = _gates_and_new(a, -1)
    by_r = apply("Concat", over_time(gates, p.before), over_time(last, felt), axis=0)
    return by_x, by_w, by_r, by_b, by_start


def _gates(from_x: Tensor, from_h: Tensor) -> tuple[Tensor, Tensor]:
    z, reset, _ = apply("Split", from_x + from_h, axis=-1, num_outputs=3)
    return z.sigmoid(), reset.sigmoid()


def _new(rows: Tensor) -> Tensor:
    """The last third, which goes into the new state."""
    return _gates_and_new(rows, -1)[1]


def _gates_and_new(rows: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    hidden = rows.shape[axis] // 3
    gates, new = apply("Split", rows, [2 * hidden, hidden], axis=axis)
    return gates, new


def _gru_slopes(p: Passage, z: Tensor, new: Tensor) -> tuple[list[Tensor], ...]:
    """By time: the slopes of the state in what goes into `new` and `z`, and in the state before."""
    return (
        p.by_time(p.held((1.0 - z) * (1.0 - new * new))),
        p.by_time(p.held((p.before - new) * z * (1.0 - z))),
        p.by_time(p.held(z)),
    )


@vjp("LSTM")
def _lstm_vjp(
    gradients,
    y,
    x,
    w,
    r,
    b=None,
    lengths=None,
    h=None,
    c=None,
    peepholes=None,
    *,
    activations,
    clip,
    direction,
    input_forget,
    layout,
):
    usual = ["sigmoid", "tanh", "tanh"]
    _refuse(
        "LSTM",
        P=None if peepholes is None else "given",
        activations=_unusual(activations, usual),
        clip=clip,
        input_forget=input_forget,
    )
    inputs = (x, w, r, b, lengths, h, c)
    return *by_direction(gradients, y[0], inputs, direction, layout, _lstm_rule), None


def _lstm_rule(_d, p):
    parts = apply("Split", p.from_both(), axis=-1, num_outputs=4)
    i, o, f = (part.sigmoid() for part in parts[:3])
    g = parts[3].tanh()
    inflow = i * g
    inflows, share = p.by_time(p.held(inflow)), p.by_time(p.kept(f))
    memory = [p.starts[1]]
    for t in range(p.time):
        memory.append(memory[-1] * share[t] + inflows[t])
    c_before, c = (apply("Concat", *rows, axis=0) for rows in (memory[:-1], memory[1:]))
    # The slope of a gate s in what goes into it is s (1 - s): a product with s, less s times that.
    remembered = c_before * f
    slopes = apply(
        "Concat",
        inflow - inflow * i,
        p.h - p.h * o,
        remembered - remembered * f,
        i - inflow * g,
        axis=-1,
    )
    slopes, into_c = p.by_time(p.held(slopes)), p.by_time(p.held(o - p.h * c.tanh()))
    by_memory = p.by_ends[1]

    def step(t, by_state):
        nonlocal by_memory
        by_c = by_memory + by_state * into_c[t]
        by_memory = by_c * share[t]
        a = apply("Concat", by_c, by_state, by_c, by_c, axis=-1) * slopes[t]
        return a, a @ p.r

    a, by_start = p.walk_back(step)
    return *p.by_weights(a), by_start, by_memory


def _refuse(name: str, **given: Any) -> None:
    """Say which attribute there is no gradient with."""
    for attribute, value in given.items():
        if value:
            raise GradientError(
                f"{name} with {attribute}={value!r} has no gradient; leave {attribute} out to train."
            )


def _unusual(activations: Sequence[str] | None, usual: list[str]) -> Sequence[str] | None:
    """The activations if they are others than the usual ones."""
    if not activations or [name.lower() for name in activations] in (usual, usual * 2):
        return None
    return activations
