"""Recurrent layers: LSTM, GRU and RNN over whole sequences, stacked and in both directions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from trainer.core.errors import ConfigError
from trainer.core.tensor import Tensor, apply
from trainer.nn.dropout import Dropout
from trainer.nn.initializer import fan_in_uniform
from trainer.nn.module import Module
from trainer.ops import lstm_scan

States = Tensor | tuple[Tensor, ...]


class _Layer(Module):
    """The weights of one layer, in the form that the ONNX operator reads without a copy."""

    def __init__(self, inputs: int, hidden: int, gates: int, directions: int, bias: bool) -> None:
        super().__init__()
        rows = gates * hidden
        self.weight_ih = fan_in_uniform((directions, rows, inputs), hidden)
        self.weight_hh = fan_in_uniform((directions, rows, hidden), hidden)
        self.bias = fan_in_uniform((directions, 2 * rows), hidden) if bias else None


class _Recurrent(Module):
    """What LSTM, GRU and RNN share.

    Parameters are in ONNX's layout, not in PyTorch's: each is one initializer of the operator, so neither a
    training step nor an exported file has to put them together or to sort gates.
    """

    operator: ClassVar[str]
    gates: ClassVar[int]
    states: ClassVar[int] = 1  # how many Tensors pass from step to step

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ConfigError(f"{type(self).__name__}(num_layers={num_layers}): one is the least.")
        self.input_size, self.hidden_size, self.batch_first = input_size, hidden_size, batch_first
        self.directions = 2 if bidirectional else 1
        wider = hidden_size * self.directions
        self.layers = [
            _Layer(wider if k else input_size, hidden_size, self.gates, self.directions, bias)
            for k in range(num_layers)
        ]
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, state: States | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, States]:
        """Walk through sequences.

        Args:
            x: [time, batch, input_size], or [batch, time, input_size] if `batch_first`.
            state: What to start from, [num_layers * directions, batch, hidden_size]; for an LSTM a tuple of
                this for the state and the memory. Defaults to zeros.
            lengths: The length of each sequence [batch]. After its end a sequence has outputs 0 and keeps
                its state; backwards it is read from its end. Defaults to all of the time.

        Returns:
            The last layer's states at all times, [time, batch, directions * hidden_size] (or batch
            first), and the states of all layers at the end, in the form of `state`.
        """
        starts: tuple[Tensor | None, ...] = (None,) * self.states
        if state is not None:
            starts = state if isinstance(state, tuple) else (state,)
        if len(starts) != self.states:
            raise ConfigError(
                f"{type(self).__name__}: a state of {len(starts)} Tensors was given, {self.states} are "
                "expected."
            )
        if lengths is not None:
            given = lengths if isinstance(lengths, Tensor) else Tensor(lengths)
            lengths = given.cast(np.int32)
        y, ends = x.transpose(0, 1) if self.batch_first else x, []
        for k, layer in enumerate(self.layers):
            y = self.dropout(y) if k else y
            rows = slice(k * self.directions, (k + 1) * self.directions)
            begin = [None if start is None else start[rows] for start in starts]
            y, *end = self._walk(layer, y, lengths, begin)
            ends.append(end)
        last = tuple(_stacked(parts) for parts in zip(*ends, strict=True))
        y = y.transpose(0, 1) if self.batch_first else y
        return y, last if self.states > 1 else last[0]

    def _settings(self) -> dict[str, Any]:
        direction = "forward" if self.directions == 1 else "bidirectional"
        return {"hidden_size": self.hidden_size, "direction": direction}

    def _walk(
        self, layer: _Layer, x: Tensor, lengths: Tensor | None, begin: list[Tensor | None]
    ) -> list[Tensor]:
        """One layer: [time, batch, inputs] to [time, batch, directions * hidden] and its last states."""
        y, *ends = self._apply(layer, x, lengths, begin)
        if self.directions == 1:
            return [y.squeeze(1), *ends]
        time, batch, width = x.shape[0], x.shape[1], self.directions * self.hidden_size
        return [y.permute(0, 2, 1, 3).reshape(time, batch, width), *ends]

    def _apply(
        self, layer: _Layer, x: Tensor, lengths: Tensor | None, begin: list[Tensor | None]
    ) -> tuple[Tensor, ...]:
        """The operator: states [time, directions, batch, hidden] and the last ones."""
        weights = (layer.weight_ih, layer.weight_hh, layer.bias)
        inputs = (x, *weights, lengths, *begin)
        made: tuple[Tensor, ...] = apply(
            self.operator, *inputs, outputs=1 + self.states, **self._settings()
        )
        return made


def _stacked(parts: tuple[Tensor, ...]) -> Tensor:
    return parts[0] if len(parts) == 1 else apply("Concat", *parts, axis=0)


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), see `forward` for states and lengths.

    Example:
        >>> layer = LSTM(4, 8, batch_first=True)
        >>> y, (h, c) = layer(Tensor(np.zeros((2, 5, 4), np.float32)))
        >>> y.shape, h.shape, c.shape
        ((2, 5, 8), (1, 2, 8), (1, 2, 8))

    Args:
        input_size: The size of the last axis of the input.
        hidden_size: The size of the state.
        num_layers: How many layers there are, each fed by the one before. Defaults to 1.
        bias: Whether numbers are added before the activations. Defaults to True.
        batch_first: Whether input and output are [batch, time, ...], not [time, batch, ...]. Defaults
            to False.
        dropout: The probability of a zero between two layers. Defaults to 0.
        bidirectional: Whether sequences are read backwards as well. Defaults to False.

    Attributes:
        layers: Per layer `weight_ih` [directions, 4 hidden, inputs], `weight_hh` [directions, 4 hidden,
            hidden] and `bias` [directions, 8 hidden], those of the inputs before those of the state. The
            gates are in ONNX's order i, o, f, g (PyTorch: i, f, g, o).
    """

    operator, gates, states = "LSTM", 4, 2

    def _apply(
        self, layer: _Layer, x: Tensor, lengths: Tensor | None, begin: list[Tensor | None]
    ) -> tuple[Tensor, ...]:
        if lengths is not None or not lstm_scan.is_faster():
            return super()._apply(layer, x, lengths, begin)
        weights, (h, c) = (layer.weight_ih, layer.weight_hh, layer.bias), begin
        return lstm_scan.lstm(x, *weights, h, c, self._settings()["direction"])


class GRU(_Recurrent):
    """Gated recurrent units (Cho et al. 2014), in the form that PyTorch has; see `LSTM` for arguments.

    Example:
        >>> y, h = GRU(4, 8, bidirectional=True)(Tensor(np.zeros((5, 2, 4), np.float32)))
        >>> y.shape, h.shape
        ((5, 2, 16), (2, 2, 8))

    Attributes:
        layers: Per layer `weight_ih` [directions, 3 hidden, inputs], `weight_hh` [directions, 3 hidden,
            hidden] and `bias` [directions, 6 hidden], those of the inputs before those of the state. The
            gates are in ONNX's order z, r, new (PyTorch: r, z, new).
    """

    operator, gates = "GRU", 3

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "linear_before_reset": 1}


class RNN(_Recurrent):
    """The simple recurrent layer, h = f(x w' + h r' + b) (Elman 1990).

    Example:
        >>> y, h = RNN(4, 8, nonlinearity="relu")(Tensor(np.zeros((5, 2, 4), np.float32)))
        >>> y.shape, h.shape
        ((5, 2, 8), (1, 2, 8))

    Args:
        input_size: The size of the last axis of the input.
        hidden_size: The size of the state.
        num_layers: How many layers there are, each fed by the one before. Defaults to 1.
        nonlinearity: f, "tanh" or "relu". Defaults to "tanh".
        bias: Whether numbers are added before f. Defaults to True.
        batch_first: Whether input and output are [batch, time, ...], not [time, batch, ...]. Defaults
            to False.
        dropout: The probability of a zero between two layers. Defaults to 0.
        bidirectional: Whether sequences are read backwards as well. Defaults to False.

    Attributes:
        layers: Per layer `weight_ih` [directions, hidden, inputs], `weight_hh` [directions, hidden,
            hidden] and `bias` [directions, 2 hidden], those of the inputs before those of the state.
    """

    operator, gates = "RNN", 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ConfigError(f"RNN(nonlinearity={nonlinearity!r}): it is 'tanh' or 'relu'.")
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )
        self.nonlinearity = nonlinearity

    def _settings(self) -> dict[str, Any]:
        activations = [self.nonlinearity.capitalize()] * self.directions
        return {**super()._settings(), "activations": activations}


class LastState(Module):
    """What a recurrent layer ends with, for a model that is a plain sequence of layers.

    Example:
        >>> from trainer.nn import Linear, Sequential
        >>> model = Sequential(LSTM(4, 8, batch_first=True), LastState(), Linear(8, 3))
        >>> model(Tensor(np.zeros((2, 5, 4), np.float32))).shape
        (2, 3)

    Args:
        bidirectional: Whether the layer before is; then its last states in both directions are put side
            by side. Defaults to False.
    """

    def __init__(self, bidirectional: bool = False) -> None:
        super().__init__()
        self.bidirectional = bidirectional

    def forward(self, output: tuple[Tensor, States]) -> Tensor:
        """Map what the layer returned to [batch, directions * hidden_size]."""
        _, state = output
        h = state[0] if isinstance(state, tuple) else state
        if not self.bidirectional:
            return h[-1]
        return apply("Concat", h[-2], h[-1], axis=-1)
