"""Cases of dropout."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(34)
_X = _R.standard_normal((3, 4))
_FALSE = np.array(False)
_RATIO = np.array(0.3, np.float32)

CASES = [
    Case("Dropout", (_X,), torch=lambda x: x * 1),
    Case("Dropout", (_X, _RATIO), wrt=(0,), torch=lambda x, _: x * 1, note="ratio"),
    Case("Dropout", (_X, _RATIO, _FALSE), wrt=(0,), torch=lambda x, *_: x * 1, note="inference"),
    Case("Dropout", (_X, _RATIO, _FALSE), {"outputs": 2}, wrt=(0,), note="inference with mask"),
    Case("Dropout", (np.array(2.0), _RATIO, _FALSE), wrt=(0,), note="scalar"),
]
# In training ONNX Runtime draws other numbers; test_dropout.py has those cases.
