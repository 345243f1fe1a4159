"""Every layer as a file: ONNX's checker, ONNX Runtime at several sizes, sizes that vary."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import exporter
from tests.trainer.layers import LAYERS, made
from trainer import Tensor, nn, random


def rows(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def run(path: Path, **inputs: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_exports_and_is_verified(tmp_path: Path, name: str) -> None:
    random.seed(1)
    layer, path = made(name).eval(), tmp_path / "layer.onnx"
    exporter.export(layer, rows(3, *LAYERS[name][1]), path)
    exporter.verify(path, layer)
    opsets = {(o.domain, o.version) for o in onnx.load(path).opset_import}
    assert opsets == {("", 21)}


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_sequences_of_any_length_go_through_one_recurrent_operator(tmp_path: Path, kind) -> None:
    layer, path = kind(3, 4, batch_first=True, bidirectional=True), tmp_path / "layer.onnx"
    exporter.export(layer, rows(2, 5, 3), path, dynamic={"x": {0: "batch", 1: "time"}})
    nodes = [node.op_type for node in onnx.load(path).graph.node]
    assert nodes.count(kind.__name__) == 1
    names = {tensor.name for tensor in onnx.load(path).graph.initializer}
    assert {"layers.0.weight_ih", "layers.0.weight_hh", "layers.0.bias"} <= names
    for batch, time in ((1, 1), (4, 9)):
        x = rows(batch, time, 3)
        np.testing.assert_allclose(
            run(path, x=x)[0], layer(Tensor(x))[0].numpy(), rtol=1e-4, atol=1e-6
        )


class OfLengths(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.lstm(x, lengths=lengths)[0]


def test_lengths_are_an_input_of_the_file(tmp_path: Path) -> None:
    layer, path = OfLengths(), tmp_path / "layer.onnx"
    exporter.export(layer, (rows(2, 5, 3), np.array([5, 2])), path, input_names=("x", "lengths"))
    x, lengths = rows(4, 5, 3), np.array([1, 4, 5, 3])
    (found,) = run(path, x=x, lengths=lengths)
    np.testing.assert_allclose(
        found, layer(Tensor(x), Tensor(lengths)).numpy(), rtol=1e-4, atol=1e-6
    )
    assert not found[0, 1:].any()


def test_causal_attention_takes_any_length(tmp_path: Path) -> None:
    layer, path = nn.TransformerEncoderLayer(6, 2, 8, causal=True).eval(), tmp_path / "layer.onnx"
    exporter.export(layer, rows(2, 5, 6), path, dynamic={"x": {0: "batch", 1: "time"}})
    for batch, time in ((1, 1), (4, 9)):
        x = rows(batch, time, 6)
        np.testing.assert_allclose(
            run(path, x=x)[0], layer(Tensor(x)).numpy(), rtol=1e-4, atol=1e-5
        )
