"""Cases of quantizing and back; gradients through the pair are in test_quantization.py."""

import ml_dtypes
import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(17)
_X, _Q = _R.standard_normal((2, 6)) * 4, _R.integers(-99, 99, (2, 6)).astype(np.int8)
_ZERO = np.array(3, np.int8)
_ROWS, _BLOCKS = np.array([0.1, 0.02]), _R.random((2, 3)) + 0.1

CASES = [
    Case("QuantizeLinear", (_X, np.array(0.05), _ZERO), order=0),
    Case("QuantizeLinear", (_X, np.array(0.05)), order=0, note="uint8"),
    Case(
        "QuantizeLinear", (_X, _ROWS, np.array([1, -9], np.int8)), {"axis": 0}, order=0, note="rows"
    ),
    Case(
        "QuantizeLinear",
        (_X, _BLOCKS),
        {"block_size": 2, "output_dtype": 3},
        order=0,
        note="blocks",
    ),
    Case(
        "QuantizeLinear", (_X, _BLOCKS), {"block_size": 2, "output_dtype": 22}, order=0, note="int4"
    ),
    Case("QuantizeLinear", (_X, np.array(0.5)), {"output_dtype": 17}, order=0, note="float8"),
    Case("DequantizeLinear", (_Q, np.array([0.05]), _ZERO.reshape(1))),
    Case("DequantizeLinear", (_Q, np.array(0.05), _ZERO), note="scalar"),
    Case("DequantizeLinear", (_Q, _ROWS, np.array([1, -9], np.int8)), {"axis": -2}, note="rows"),
    Case(
        "DequantizeLinear",
        (_Q, _BLOCKS, np.ones((2, 3), np.int8)),
        {"block_size": 2},
        note="blocks",
    ),
    Case(
        "DequantizeLinear",
        (_Q[:, :5], _BLOCKS, np.ones((2, 3), np.int8)),
        {"block_size": 2},
        note="a shorter last block",
    ),
    Case("DequantizeLinear", (_Q.astype(ml_dtypes.int4), np.array([0.3])), note="int4"),
    Case("DynamicQuantizeLinear", (_X.astype(np.float32),), order=0),
    Case("DynamicQuantizeLinear", (np.zeros((2, 2), np.float32),), order=0, note="zeros"),
]
