"""Cases of casting."""

import ml_dtypes
import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(11)
_X = _R.standard_normal((2, 3)) * 3


def _to(name):
    def function(x, *_):
        import torch

        return x.to(getattr(torch, name))

    return function


CASES = [
    Case("Cast", (_X,), {"to": 11}, torch=_to("float64")),
    Case("Cast", (_X,), {"to": np.float64}, note="to a dtype"),
    Case("Cast", (_X,), {"to": 1}, order=0, torch=_to("float32"), note="to float32"),
    Case("Cast", (_X,), {"to": "float16"}, order=0, torch=_to("float16"), note="to float16"),
    Case("Cast", (_X,), {"to": 7}, order=0, torch=_to("int64"), note="to int64"),
    Case("Cast", (_X,), {"to": 9}, order=0, torch=_to("bool"), note="to bool"),
    Case("Cast", (np.array([[1, -2]]),), {"to": 1}, torch=_to("float32"), order=0, note="of int64"),
    Case(
        "Cast", (np.array([True, False]),), {"to": 6}, torch=_to("int32"), order=0, note="of bool"
    ),
    Case("Cast", (_R.standard_normal(()),), {"to": 11}, note="scalar"),
    Case("Cast", (np.zeros((0, 2)),), {"to": 11}, note="empty"),
    Case("CastLike", (_X, np.zeros(1)), wrt=(0,), torch=lambda x, like: x.to(like.dtype)),
    Case("CastLike", (_X, np.zeros((), ml_dtypes.bfloat16)), order=0, note="bfloat16"),
    Case("CastLike", (_X, np.zeros((), np.int8)), order=0, torch=_to("int8"), note="int8"),
]
