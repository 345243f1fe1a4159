"""Cases of recurrent layers. ONNX Runtime has none with layout=1: test_recurrent.py has those."""

from typing import Any

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(38)

# Where torch keeps the parts of ONNX's weights: torch has i f g o and r z n.
_ORDER = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 2, 3, 1]}


def _x(*shape: int) -> np.ndarray:
    return 0.7 * _R.standard_normal(shape)


def _layer(
    name: str,
    note: str,
    time: int = 3,
    bare: bool = False,
    lengths: Any = None,
    torch: bool = True,
    **attrs: Any,
) -> Case:
    """A case of a layer; a bare one has no biases and no initial states."""
    directions = 2 if attrs.get("direction") == "bidirectional" else 1
    batch, inputs, hidden, gates = 2, 3, 2, len(_ORDER[name])
    states = 2 if name == "LSTM" else 1
    given = (
        _x(time, batch, inputs),
        _x(directions, gates * hidden, inputs),
        _x(directions, gates * hidden, hidden),
        None if bare else _x(directions, 2 * gates * hidden),
        lengths,
        *(None if bare else _x(directions, batch, hidden) for _ in range(states)),
    )
    attrs = {"hidden_size": hidden, "outputs": 1 + states} | attrs
    same = _torch(name, attrs) if torch else None
    return Case(name, given, attrs, torch=same, note=note)


def _torch(name: str, attrs: dict[str, Any]):
    reverse = attrs.get("direction") == "reverse"

    def same(x, w, r, b, lengths, *states):
        import torch

        rnn = "rnn_relu" if "Relu" in attrs.get("activations", ()) else "rnn_tanh"
        layer = getattr(torch, {"RNN": rnn, "GRU": "gru", "LSTM": "lstm"}[name])
        count = 2 if name == "LSTM" else 1
        states = states if b is not None else (torch.zeros(len(w), x.shape[1], r.shape[2]),) * count
        weights = []
        for d in range(len(w)):
            for part in (w[d], r[d], *(() if b is None else b[d].chunk(2))):
                pieces = part.chunk(len(_ORDER[name]))
                weights.append(torch.cat([pieces[i] for i in _ORDER[name]]))

        def run(x, states):
            first = states if name == "LSTM" else states[0]
            x = x.flip(0) if reverse else x
            y, *ends = layer(x, first, weights, b is not None, 1, 0.0, False, len(w) == 2, False)
            y = (y.flip(0) if reverse else y).reshape(*y.shape[:2], len(w), -1)
            return [y.transpose(1, 2), *ends]

        if lengths is None:
            return run(x, states)
        each = [
            run(x[:length, n : n + 1], [s[:, n : n + 1].contiguous() for s in states])
            for n, length in enumerate(lengths)
        ]
        for found in each:
            over = x.shape[0] - len(found[0])
            found[0] = torch.nn.functional.pad(found[0], (0, 0, 0, 0, 0, 0, 0, over))
        y, *ends = zip(*each, strict=True)
        return [torch.cat(y, 2), *(torch.cat(end, 1) for end in ends)]

    return same


_LENGTHS = np.array([2, 3], np.int32)

CASES: list[Case] = []
for _name, _attrs in (("RNN", {}), ("GRU", {"linear_before_reset": 1}), ("LSTM", {})):
    CASES += [
        _layer(_name, "forward", **_attrs),
        _layer(_name, "bare", bare=True, outputs=1, **_attrs),
        _layer(_name, "one step", time=1, **_attrs),
        _layer(_name, "reverse", direction="reverse", **_attrs),
        _layer(_name, "bidirectional", direction="bidirectional", **_attrs),
        _layer(_name, "lengths", lengths=_LENGTHS, **_attrs),
        _layer(_name, "lengths, reverse", lengths=_LENGTHS, direction="reverse", **_attrs),
        _layer(_name, "lengths, both", lengths=_LENGTHS, direction="bidirectional", **_attrs),
    ]
CASES += [
    _layer("GRU", "reset first", torch=False),
    _layer("GRU", "reset first, bare", torch=False, bare=True, outputs=1),
    _layer("GRU", "reset first, reverse", torch=False, lengths=_LENGTHS, direction="reverse"),
    _layer("RNN", "relu", activations=["Relu"], time=2),
    _layer("RNN", "sigmoid", activations=["Sigmoid"], torch=False),
    _layer("GRU", "clipped", torch=False, clip=0.2)._replace(order=0),
    _layer("LSTM", "coupled", torch=False, input_forget=1)._replace(order=0),
]
