"""Recurrent layers against PyTorch: states at all times and at the end, gradients, unequal lengths."""

import re

import numpy as np
import pytest

from tests.oracle import oracle
from trainer import Tensor, nn
from trainer.core.errors import ConfigError, OperatorError

torch = oracle("torch")
TIME, BATCH, INPUTS, HIDDEN = 5, 3, 4, 6
ORDER = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}  # PyTorch's gates in ONNX's order

SETTINGS = [
    {},
    {"bias": False},
    {"batch_first": True, "num_layers": 2},
    {"bidirectional": True},
    {"bidirectional": True, "num_layers": 2, "batch_first": True},
]
CASES = [(name, settings) for name in ORDER for settings in SETTINGS]
CASES.append(("RNN", {"nonlinearity": "relu"}))


def sorted_gates(name: str, array: np.ndarray) -> np.ndarray:
    gates = np.split(array, len(ORDER[name]))
    return np.concatenate([gates[k] for k in ORDER[name]])


def from_torch(name: str, layer: nn.Module, tensor_of) -> dict[str, np.ndarray]:
    """What PyTorch keeps under one name per direction, in the form of our parameters."""
    ends = [""] if layer.directions == 1 else ["", "_reverse"]

    def both(part: str) -> np.ndarray:
        return np.stack([sorted_gates(name, tensor_of(part + end)) for end in ends])

    found = {}
    for k, one in enumerate(layer.layers):
        found[f"layers.{k}.weight_ih"] = both(f"weight_ih_l{k}")
        found[f"layers.{k}.weight_hh"] = both(f"weight_hh_l{k}")
        if one.bias is not None:
            biases = [both(f"bias_ih_l{k}"), both(f"bias_hh_l{k}")]
            found[f"layers.{k}.bias"] = np.concatenate(biases, axis=1)
    return found


def pair(name: str, settings) -> tuple[nn.Module, object]:
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(INPUTS, HIDDEN, **settings)
    ours = getattr(nn, name)(INPUTS, HIDDEN, **settings)
    ours.load(from_torch(name, ours, lambda key: getattr(theirs, key).detach().numpy()))
    return ours, theirs


def close(found, expected) -> None:
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("begin", [False, True], ids=["from zeros", "from a state"])
@pytest.mark.parametrize(("name", "settings"), CASES, ids=lambda v: str(v))
def test_recurrent_layers_are_pytorchs(name, settings, begin) -> None:
    ours, theirs = pair(name, settings)
    generator = np.random.default_rng(1)
    first = settings.get("batch_first", False)
    shape = (BATCH, TIME, INPUTS) if first else (TIME, BATCH, INPUTS)
    array = generator.standard_normal(shape).astype(np.float32)
    many = len(ours.layers) * ours.directions
    states = generator.standard_normal((ours.states, many, BATCH, HIDDEN)).astype(np.float32)
    x, tx = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    starts = [Tensor(s, requires_grad=True) for s in states] if begin else []
    their_starts = [torch.tensor(s, requires_grad=True) for s in states] if begin else []
    whole = (lambda parts: tuple(parts)) if name == "LSTM" else (lambda parts: parts[0])
    y, ends = ours(x, whole(starts)) if begin else ours(x)
    ty, their_ends = theirs(tx, whole(their_starts)) if begin else theirs(tx)
    found = [y, *(ends if name == "LSTM" else [ends])]
    expected = [ty, *(their_ends if name == "LSTM" else [their_ends])]
    loss, their_loss = 0.0, 0.0
    for one, other in zip(found, expected, strict=True):
        close(one.numpy(), other)
        weights = generator.standard_normal(one.shape).astype(np.float32)
        loss = (one * weights).sum() + loss
        their_loss = (other * torch.tensor(weights)).sum() + their_loss
    loss.backward()
    their_loss.backward()
    close(x.grad.numpy(), tx.grad)
    for one, other in zip(starts, their_starts, strict=True):
        close(one.grad.numpy(), other.grad)
    gradients = from_torch(name, ours, lambda key: getattr(theirs, key).grad.numpy())
    for key, parameter in ours.parameters().items():
        np.testing.assert_allclose(
            parameter.grad.numpy(), gradients[key], rtol=2e-4, atol=2e-5, err_msg=key
        )


@pytest.mark.parametrize("name", ORDER)
def test_unequal_lengths_are_pytorchs_packed_sequences(name) -> None:
    ours, theirs = pair(name, {"bidirectional": True, "num_layers": 2, "batch_first": True})
    array = np.random.default_rng(2).standard_normal((BATCH, TIME, INPUTS)).astype(np.float32)
    lengths = np.array([2, 5, 3])
    x, tx = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    y, ends = ours(x, lengths=Tensor(lengths))
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        tx, torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    ty, their_ends = theirs(packed)
    ty = torch.nn.utils.rnn.pad_packed_sequence(ty, batch_first=True)[0]
    close(y.numpy(), ty)
    h, th = (ends[0], their_ends[0]) if name == "LSTM" else (ends, their_ends)
    close(h.numpy(), th)
    ((y * y).sum() + h.sum()).backward()
    ((ty * ty).sum() + th.sum()).backward()
    close(x.grad.numpy(), tx.grad)


def test_initial_values_are_uniform_within_pytorchs_bound() -> None:
    layer = nn.LSTM(50, 100)
    for name, array in layer.state().items():
        assert np.abs(array).max() <= 0.1, name
        np.testing.assert_allclose(array.std(), 0.1 / np.sqrt(3), rtol=0.05, err_msg=name)


def test_the_last_state_joins_both_directions() -> None:
    layer = nn.GRU(INPUTS, HIDDEN, num_layers=2, bidirectional=True, batch_first=True)
    x = Tensor(np.random.default_rng(3).standard_normal((BATCH, TIME, INPUTS)).astype(np.float32))
    y, _ = layer(x)
    found = nn.LastState(bidirectional=True)(layer(x)).numpy()
    np.testing.assert_array_equal(found[:, :HIDDEN], y.numpy()[:, -1, :HIDDEN])
    np.testing.assert_array_equal(found[:, HIDDEN:], y.numpy()[:, 0, HIDDEN:])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("wrong", [[9, 3, 2], [-1, 3, 2], [5, 3]])
def test_lengths_that_cannot_be_are_refused(wrong, bidirectional) -> None:
    x = Tensor(np.ones((TIME, BATCH, INPUTS), np.float32))
    layer = nn.GRU(INPUTS, HIDDEN, bidirectional=bidirectional)
    message = f"the lengths must be 3 whole numbers up to 5, one for each sequence, not {wrong}"
    with pytest.raises(OperatorError, match=re.escape(message)):
        layer(x, lengths=Tensor(wrong))
    y, _ = layer(x, lengths=Tensor([5, 3, 2]))
    for lengths in ([5, 3, 2], np.array([5, 3, 2])):
        np.testing.assert_array_equal(layer(x, lengths=lengths)[0].numpy(), y.numpy())


def test_what_is_wrong_is_said() -> None:
    x = Tensor(np.zeros((TIME, BATCH, INPUTS), np.float32))
    state = Tensor(np.zeros((1, BATCH, HIDDEN), np.float32))
    with pytest.raises(ConfigError, match="a state of 1 Tensors was given, 2 are expected"):
        nn.LSTM(INPUTS, HIDDEN)(x, state)
    with pytest.raises(ConfigError, match="num_layers=0"):
        nn.GRU(INPUTS, HIDDEN, num_layers=0)
    with pytest.raises(ConfigError, match="'tanh' or 'relu'"):
        nn.RNN(INPUTS, HIDDEN, nonlinearity="cosine")
