"""Recurrent layers over whole sequences: RNN, GRU and LSTM."""

from __future__ import annotations

import numpy as np

from trainer.core.define import T1, Array, T, op
from trainer.ops.ieee import widen
from trainer.ops.recurrence import Walk, product_of_rows


@op("RNN")
def rnn(
    x: T,
    w: T,
    r: T,
    b: T | None = None,
    sequence_lens: T1 | None = None,
    initial_h: T | None = None,
    *,
    activation_alpha=None,
    activation_beta=None,
    activations=("Tanh", "Tanh"),
    clip=None,
    direction="forward",
    hidden_size=None,
    layout=0,
    outputs=1,
) -> tuple[Array, ...]:
    """The simple recurrent layer: h = f(x w' + h r' + b).

    Args:
        x: Sequences [time, N, inputs].
        w: Weights of the inputs [directions, hidden, inputs].
        r: Weights of the state [directions, hidden, hidden].
        b: Biases of both, side by side [directions, 2 hidden]. Defaults to 0.
        sequence_lens: The length of each sequence [N]. Defaults to all of the time.
        initial_h: The state to start from [directions, N, hidden]. Defaults to 0.
        activation_alpha: Parameters of the activations that have one, in order.
        activation_beta: Second parameters likewise.
        activations: f per direction. Defaults to Tanh.
        clip: The bound of what goes into an activation. Defaults to none.
        direction: forward, reverse or bidirectional. Defaults to forward.
        hidden_size: The size of the state; `r` says it, too.
        layout: 1 for x [N, time, inputs], y [N, time, directions, hidden] and states likewise.
            Defaults to 0.

    Returns:
        The states y [time, directions, N, hidden] and, where asked for, the last state.
    """
    walk = Walk(x, r, sequence_lens, direction, layout, clip)
    functions = walk.activations(activations, ["Tanh"], activation_alpha, activation_beta)
    w, r, biases = widen(w), widen(r), _biases(b, r, 1)

    def step(d):
        (f,), weights = functions[d], r[d].T
        return lambda a, h: (f(walk.clipped(a + h @ weights)),)

    def project(d, inputs):
        return product_of_rows(inputs, w[d]) + biases[d].sum(0)

    return walk.run(project, step, [initial_h])[:outputs]


@op("GRU")
def gru(
    x: T,
    w: T,
    r: T,
    b: T | None = None,
    sequence_lens: T1 | None = None,
    initial_h: T | None = None,
    *,
    activation_alpha=None,
    activation_beta=None,
    activations=None,
    clip=None,
    direction="forward",
    hidden_size=None,
    layout=0,
    linear_before_reset=0,
    outputs=1,
) -> tuple[Array, ...]:
    """Gated recurrent units: h = (1 - z) g(x w' + (r * h) r' + b) + z h with gates z and r.

    Args:
        x: Sequences [time, N, inputs].
        w: Weights of the inputs [directions, 3 hidden, inputs], for z, r and the new state.
        r: Weights of the state [directions, 3 hidden, hidden], likewise.
        b: Biases of both, side by side [directions, 6 hidden]. Defaults to 0.
        sequence_lens: The length of each sequence [N]. Defaults to all of the time.
        initial_h: The state to start from [directions, N, hidden]. Defaults to 0.
        activation_alpha: Parameters of the activations that have one, in order.
        activation_beta: Second parameters likewise.
        activations: Per direction those of the gates and g. Defaults to Sigmoid and Tanh.
        clip: The bound of what goes into an activation. Defaults to none.
        direction: forward, reverse or bidirectional. Defaults to forward.
        hidden_size: The size of the state; `r` says it, too.
        layout: 1 for x [N, time, inputs], y [N, time, directions, hidden] and states likewise.
            Defaults to 0.
        linear_before_reset: 1 for r * (h r' + b) in place of (r * h) r' + b, as PyTorch does.
            Defaults to 0.

    Returns:
        The states y [time, directions, N, hidden] and, where asked for, the last state.

    Reference:
        Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014.
    """
    walk = Walk(x, r, sequence_lens, direction, layout, clip)
    usual = ["Sigmoid", "Tanh"]
    functions = walk.activations(activations, usual, activation_alpha, activation_beta)
    w, r, biases, hidden = widen(w), widen(r), _biases(b, r, 3), r.shape[-1]

    def step(d):
        f, g = functions[d]
        gate_weights, weights = r[d, : 2 * hidden].T, r[d, 2 * hidden :].T
        state_bias = biases[d, 1, 2 * hidden :]

        def step(a, h):
            gates = f(walk.clipped(a[:, : 2 * hidden] + h @ gate_weights))
            z, reset = gates[:, :hidden], gates[:, hidden:]
            if linear_before_reset:
                felt = reset * (h @ weights + state_bias)
            else:
                felt = (reset * h) @ weights + state_bias
            new = g(walk.clipped(a[:, 2 * hidden :] + felt))
            return (new + z * (h - new),)

        return step

    def project(d, inputs):
        rows = product_of_rows(inputs, w[d]) + biases[d, 0]
        rows[..., : 2 * hidden] += biases[d, 1, : 2 * hidden]
        return rows

    return walk.run(project, step, [initial_h])[:outputs]


@op("LSTM")
def lstm(
    x: T,
    w: T,
    r: T,
    b: T | None = None,
    sequence_lens: T1 | None = None,
    initial_h: T | None = None,
    initial_c: T | None = None,
    p: T | None = None,
    *,
    activation_alpha=None,
    activation_beta=None,
    activations=None,
    clip=None,
    direction="forward",
    hidden_size=None,
    input_forget=0,
    layout=0,
    outputs=1,
) -> tuple[Array, ...]:
    """Long short-term memory: c = f * c + i * g(x w' + h r' + b), h = o * tanh(c) with gates i, o, f.

    Args:
        x: Sequences [time, N, inputs].
        w: Weights of the inputs [directions, 4 hidden, inputs], for i, o, f and the new memory.
        r: Weights of the state [directions, 4 hidden, hidden], likewise.
        b: Biases of both, side by side [directions, 8 hidden]. Defaults to 0.
        sequence_lens: The length of each sequence [N]. Defaults to all of the time.
        initial_h: The state to start from [directions, N, hidden]. Defaults to 0.
        initial_c: The memory to start from, likewise.
        p: Weights with which i, o and f see the memory [directions, 3 hidden]. Defaults to 0.
        activation_alpha: Parameters of the activations that have one, in order.
        activation_beta: Second parameters likewise.
        activations: Per direction those of the gates, g, and of the memory. Defaults to Sigmoid, Tanh
            and Tanh.
        clip: The bound of what goes into an activation. Defaults to none.
        direction: forward, reverse or bidirectional. Defaults to forward.
        hidden_size: The size of the state; `r` says it, too.
        input_forget: 1 to couple the gates: f = 1 - i. Defaults to 0.
        layout: 1 for x [N, time, inputs], y [N, time, directions, hidden] and states likewise.
            Defaults to 0.

    Returns:
        The states y [time, directions, N, hidden] and, where asked for, the last state and memory.

    Reference:
        Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; Gers et al., 2000 and 2002.
    """
    walk = Walk(x, r, sequence_lens, direction, layout, clip)
    usual = ["Sigmoid", "Tanh", "Tanh"]
    functions = walk.activations(activations, usual, activation_alpha, activation_beta)
    w, r, biases, hidden = widen(w), widen(r), _biases(b, r, 4), r.shape[-1]
    seen = None if p is None else widen(p).reshape(len(r), 3, hidden)
    plain = seen is None and not input_forget

    def step(d):
        f, g, of_memory = functions[d]
        weights = r[d].T

        def step(a, h, c):
            a = a + h @ weights
            if plain:  # the gates in one go
                gates, g_now = (
                    f(walk.clipped(a[:, : 3 * hidden])),
                    g(walk.clipped(a[:, 3 * hidden :])),
                )
                c = gates[:, 2 * hidden :] * c + gates[:, :hidden] * g_now
                return gates[:, hidden : 2 * hidden] * of_memory(c), c
            into_i, into_o, into_f, into_g = np.split(a, 4, axis=1)  # views
            if seen is not None:
                into_i += seen[d, 0] * c
                into_f += seen[d, 2] * c
            i = f(walk.clipped(into_i))
            forget = 1 - i if input_forget else f(walk.clipped(into_f))
            c = forget * c + i * g(walk.clipped(into_g))
            if seen is not None:
                into_o += seen[d, 1] * c
            return f(walk.clipped(into_o)) * of_memory(c), c

        return step

    def project(d, inputs):
        return product_of_rows(inputs, w[d]) + biases[d].sum(0)

    return walk.run(project, step, [initial_h, initial_c])[:outputs]


def _biases(b: Array | None, r: Array, gates: int) -> Array:
    """The biases [directions, 2, gates * hidden] of the inputs and of the state."""
    shape = (len(r), 2, gates * r.shape[-1])
    return np.zeros(shape, widen(r).dtype) if b is None else widen(b).reshape(shape)
