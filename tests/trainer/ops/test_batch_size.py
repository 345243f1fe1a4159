"""Captured gradients of layers hold for every batch size, in stock ONNX Runtime."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from trainer.core.proto import to_model
from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply
from trainer.core.trace import capture

_R = np.random.default_rng(0)


def _w(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape).astype(np.float32)


def _call(name: str, *weights: Any, **attrs: Any) -> Callable[[Tensor], Tensor]:
    return lambda x: apply(name, x, *weights, **attrs)


def _recurrent(name: str, gates: int) -> Callable[[Tensor], Tensor]:
    w, r = _w(1, 3 * gates, 36), _w(1, 3 * gates, 3)
    return lambda x: apply(name, _sequence(x), w, r, hidden_size=3)


def _sequence(x: Tensor) -> Tensor:
    """The channels as times [4, N, 36]."""
    return x.reshape(-1, 4, 36).transpose(0, 1)


def _wide_convolution() -> Callable[[Tensor], Tensor]:
    w = _w(3, 16, 2, 2)
    return lambda x: apply("Conv", x.reshape(-1, 16, 3, 3), w)


_HALF = {"kernel_shape": [2, 2], "strides": [2, 2]}
_OVERLAPPING = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}

# Of images [N, 4, 6, 6].
LAYERS = {
    "Conv": _call("Conv", _w(3, 4, 3, 3), _w(3), pads=[1, 1, 1, 1]),
    "Conv wide": _wide_convolution(),
    "Conv strided": _call("Conv", _w(3, 4, 3, 3), strides=[2, 2]),
    "Conv in groups": _call("Conv", _w(4, 2, 3, 3), group=2),
    "Conv depthwise": _call("Conv", _w(4, 1, 3, 3), group=4),
    "ConvTranspose": _call("ConvTranspose", _w(4, 3, 3, 3), strides=[2, 2]),
    "MaxPool": _call("MaxPool", **_HALF),
    "MaxPool overlapping": _call("MaxPool", **_OVERLAPPING),
    "AveragePool": _call("AveragePool", **_HALF),
    "AveragePool overlapping": _call("AveragePool", **_OVERLAPPING),
    "LpPool": _call("LpPool", **_HALF),
    "GlobalMaxPool": _call("GlobalMaxPool"),
    "GlobalAveragePool": _call("GlobalAveragePool"),
    "GlobalLpPool": _call("GlobalLpPool"),
    "BatchNormalization": _call("BatchNormalization", _w(4), _w(4), _w(4), _w(4) ** 2),
    "BatchNormalization in training": _call(
        "BatchNormalization", _w(4), _w(4), _w(4), _w(4) ** 2, training_mode=1
    ),
    "LayerNormalization": _call("LayerNormalization", _w(6, 6), _w(6, 6), axis=2),
    "InstanceNormalization": _call("InstanceNormalization", _w(4), _w(4)),
    "GroupNormalization": _call("GroupNormalization", _w(4), _w(4), num_groups=2),
    "MeanVarianceNormalization": _call("MeanVarianceNormalization"),
    "LpNormalization": _call("LpNormalization", axis=1),
    "LRN": _call("LRN", size=3),
    "Dropout": lambda x: apply("Dropout", x) * x,
    "SoftmaxCrossEntropyLoss": lambda x: apply(
        "SoftmaxCrossEntropyLoss", x, x[:, 0].cast(np.int64) * 0
    ),
    "NegativeLogLikelihoodLoss": lambda x: apply(
        "NegativeLogLikelihoodLoss", x * x, x[:, 0].cast(np.int64) * 0
    ),
    "RNN": _recurrent("RNN", 1),
    "GRU": _recurrent("GRU", 3),
    "LSTM": _recurrent("LSTM", 4),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_holds_for_every_batch_size(name: str) -> None:
    layer = LAYERS[name]

    def loss(x: Tensor) -> Tensor:
        y = layer(x)
        return (y * y * y).sum()

    def gradient(x: Tensor) -> Tensor:
        return grad(loss)(x)

    captured = capture(gradient, Tensor(_w(3, 4, 6, 6)), dynamic={"x": {0: "batch"}})
    session = onnxruntime.InferenceSession(
        to_model(captured.graph).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for batch in (1, 5):
        x = _w(batch, 4, 6, 6)
        (found,) = session.run(None, {"x": x})
        expected = gradient(Tensor(x)).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3, strict=True)
