"""Cases of truth values and bits."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_YES = np.array([[True, True, False, False]])
_NO = np.array([[True, False, True, False], [False, True, True, True]])
_BITS = np.array([0b1100, -1, 7], np.int32)
_MASK = np.array([[0b1010], [3]], np.int32)

CASES = [
    Case(name, (_YES, _NO), order=0, torch=of_torch(f"logical_{name.lower()}"))
    for name in ("And", "Or", "Xor")
]
CASES += [
    Case(f"Bitwise{name}", (_BITS, _MASK), order=0, torch=of_torch(f"bitwise_{name.lower()}"))
    for name in ("And", "Or", "Xor")
]
CASES += [
    Case("Not", (_NO,), order=0, torch=of_torch("logical_not")),
    Case("BitwiseNot", (_BITS,), order=0, torch=of_torch("bitwise_not")),
    Case(
        "BitShift",
        (np.array([1, 2, 255], np.uint8), np.array([3, 7, 1], np.uint8)),
        {"direction": "LEFT"},
        order=0,
        torch=of_torch("bitwise_left_shift"),
    ),
    Case(
        "BitShift",
        (np.array([[16], [255]], np.uint8), np.array([3, 7, 1], np.uint8)),
        {"direction": "RIGHT"},
        order=0,
        torch=of_torch("bitwise_right_shift"),
        note="right",
    ),
]
