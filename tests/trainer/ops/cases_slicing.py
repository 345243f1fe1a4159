"""Cases of slicing, padding, cropping."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(8)
_FIRST, _LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _pad(x, widths, mode="constant", value=None):
    import torch

    return torch.nn.functional.pad(x, widths, mode, value)


CASES = [
    Case("Slice", (_x(4, 5), _i(1, 0), _i(3, 4)), torch=lambda x, *_: x[1:3, :4]),
    Case("Slice", (_x(4, 5), _i(-3), _i(_LAST), _i(1)), torch=lambda x, *_: x[:, -3:], note="open"),
    Case("Slice", (_x(4, 5), _i(-9), _i(-1), _i(-2)), torch=lambda x, *_: x[:-1], note="beyond"),
    Case("Slice", (_x(4, 5), _i(3), _i(9), _i(0)), torch=lambda x, *_: x[3:], note="to the end"),
    Case("Slice", (_x(3, 4), _i(7), _i(9), _i(0)), torch=lambda x, *_: x[7:9], note="nothing"),
    Case("Slice", (_x(0, 4), _i(0), _i(2), _i(1)), torch=lambda x, *_: x[:, :2], note="of nothing"),
    Case(
        "Slice", (_x(7, 3), _i(1), _i(6), _i(0), _i(2)), torch=lambda x, *_: x[1:6:2], note="step 2"
    ),
    Case(
        "Slice",
        (_x(2, 8), _i(0), _i(_LAST), _i(-1), _i(3)),
        torch=lambda x, *_: x[:, ::3],
        note="step 3",
    ),
    Case(
        "Slice",
        (_x(4, 2), _i(-1), _i(_FIRST), _i(0), _i(-1)),
        torch=lambda x, *_: x.flip(0),
        note="backwards",
    ),
    Case(
        "Slice",
        (_x(6, 2), _i(4), _i(0), _i(0), _i(-1)),
        torch=lambda x, *_: x[1:5].flip(0),
        note="backwards within",
    ),
    Case(
        "Slice",
        (_x(3, 8), _i(_LAST, 1), _i(0, -1), _i(1, 0), _i(-3, 1)),
        torch=lambda x, *_: x[1:2].flip(1)[:, :7:3],
        note="backwards by 3",
    ),
    Case("Slice", (_x(4), np.array([1], np.int32), np.array([3], np.int32)), note="int32"),
    Case("Slice", (_x(3), _i(), _i()), note="no axes"),
    Case("Pad", (_x(2, 3), _i(1, 0, 2, 1)), torch=lambda x, _: _pad(x, (0, 1, 1, 2))),
    Case("Pad", (_x(3, 4), _i(-1, 0, 0, -2)), torch=lambda x, _: x[1:, :2], note="crop"),
    Case("Pad", (_x(3, 4), _i(-1, 2, 1, -1)), note="pad and crop"),
    Case(
        "Pad",
        (_x(2, 3), _i(1, 2), np.array(0.5), _i(-1)),
        torch=lambda x, _p, value, _a: _filled(x, value),
        note="value and axes",
    ),
    Case("Pad", (_x(2, 3), _i(1, 2), np.array([0.5]), _i(0)), note="value of one dimension"),
    Case("Pad", (_x(), _i()), order=0, note="scalar"),
    Case("Pad", (_x(0, 2), _i(1, 0, 1, 0)), note="of nothing"),
    Case(
        "Pad",
        (_x(1, 2, 4, 5), _i(2, 1, 3, 4), None, _i(2, 3)),
        {"mode": "reflect"},
        torch=lambda x, *_: _pad(x, (1, 4, 2, 3), "reflect"),
        note="reflect",
    ),
    Case(
        "Pad",
        (_x(1, 2, 3), _i(0, 0, 2, 0, 0, 4)),
        {"mode": "edge"},
        torch=lambda x, _: _pad(x, (2, 4), "replicate"),
        note="edge",
    ),
    Case(
        "Pad",
        (_x(1, 2, 4), _i(3, 2), None, _i(-1)),
        {"mode": "wrap"},
        torch=lambda x, *_: _pad(x, (3, 2), "circular"),
        note="wrap",
    ),
    Case("Pad", (_x(3, 4), _i(1, -1, 2, 2)), {"mode": "reflect"}, note="reflect and crop"),
    Case("Pad", (_x(3, 4), _i(5, 0, 7, 2)), {"mode": "reflect"}, order=0, note="reflect far"),
    Case("CenterCropPad", (_x(5, 4), _i(2, 7)), torch=lambda x, _: _pad(x[1:3], (1, 2))),
    Case(
        "CenterCropPad",
        (_x(2, 3, 6), _i(3)),
        {"axes": [-1]},
        torch=lambda x, _: x[..., 1:4],
        note="axes",
    ),
]


def _filled(x, value):
    framed = _pad(x, (1, 2))
    inside = _pad(x * 0 + 1, (1, 2))
    return framed + (1 - inside.detach()) * value
