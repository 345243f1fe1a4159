"""Cases of constants, ranges and shapes."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(12)


def _f(value: float) -> np.ndarray:
    return np.array(value)


def _arange(start, limit, delta):
    import torch

    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


CASES = [
    Case("Constant", (), {"value": np.eye(2)}, order=0),
    Case("Constant", (), {"value_float": 1.5}, order=0, note="float"),
    Case("Constant", (), {"value_floats": [1.5, 2.0]}, order=0, note="floats"),
    Case("Constant", (), {"value_int": 3}, order=0, note="int"),
    Case("Constant", (), {"value_ints": [3, 4]}, order=0, note="ints"),
    Case("Constant", (), {"value_string": "a"}, order=0, note="string"),
    Case("Constant", (), {"value_strings": ["a", "b"]}, order=0, note="strings"),
    Case("ConstantOfShape", (np.array([2, 3]),), order=0),
    Case("ConstantOfShape", (np.array([2]),), {"value": np.array([5])}, order=0, note="value"),
    Case("ConstantOfShape", (np.zeros(0, np.int64),), order=0, note="scalar"),
    Case("Range", (_f(0.5), _f(3.2), _f(0.7))),
    Case("Range", (_f(3.0), _f(-1.2), _f(-1.5)), note="downwards"),
    Case("Range", (_f(3.0), _f(1.0), _f(1.0)), note="nothing"),
    Case("Range", (np.array(2), np.array(9), np.array(3)), order=0, torch=_arange, note="integers"),
    Case("EyeLike", (_R.standard_normal((3, 4)),), order=0),
    Case("EyeLike", (_R.standard_normal((3, 4)),), {"k": -1, "dtype": 7}, order=0, note="below"),
    Case("Shape", (_R.standard_normal((2, 3, 4)),), order=0),
    Case("Shape", (_R.standard_normal((2, 3, 4)),), {"start": -2, "end": 2}, order=0, note="part"),
    Case("Size", (_R.standard_normal((2, 3)),), order=0),
]
