"""Cases of the largest and the smallest along axes."""

from functools import partial

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(11)
_TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [5.0, 4.0, 5.0]])


def _x(*shape: int) -> np.ndarray:
    """Numbers that are all different."""
    return _R.permutation(int(np.prod(shape))).reshape(shape) * 0.7 - 3.0


def _axes(*axes: int) -> np.ndarray:
    return np.array(axes, np.int64)


def _method(name, *args, **kwargs):
    return lambda x, *_: getattr(x, name)(*args, **kwargs)


CASES = []
for _name, _peer in [("ReduceMax", "amax"), ("ReduceMin", "amin")]:
    _by = partial(_method, _peer)
    CASES += [
        Case(_name, (_x(2, 3, 4), _axes(1)), torch=_by(1, keepdim=True)),
        Case(_name, (_x(2, 3, 4), _axes(-1, 0)), torch=_by((0, 2), keepdim=True), note="two axes"),
        Case(
            _name, (_x(2, 3, 4), _axes(0, -1)), {"keepdims": 0}, torch=_by((0, 2)), note="dropped"
        ),
        Case(_name, (_x(2, 3),), {"keepdims": 0}, torch=_by(), note="all"),
        Case(_name, (_x(2, 3),), torch=_by((0, 1), keepdim=True), note="all kept"),
        Case(_name, (_x(),), torch=_by(), note="scalar"),
        Case(
            _name, (_x(2, 3),), {"noop_with_empty_axes": 1}, torch=lambda x: x * 1, note="no axes"
        ),
        Case(_name, (_x(0, 3), _axes(1)), torch=_by(1, keepdim=True), note="empty"),
        Case(_name, (_TIES, _axes(1)), torch=_by(1, keepdim=True), note="ties", kinks=True),
        Case(_name, (_TIES,), {"keepdims": 0}, torch=_by(), note="ties of all", kinks=True),
        Case(_name, (_x(1000, 10), _axes(1)), {"keepdims": 0}, order=0, torch=_by(1), note="many"),
        Case(_name, (np.array([[1, 5], [7, 2]]), _axes(1)), order=0, note="integers"),
        Case(_name, (np.array([[True, False]]), _axes(1)), order=0, note="booleans"),
        Case(_name, (np.zeros((2, 0)), _axes(1)), order=0, note="of nothing"),
    ]
for _name in ("ArgMax", "ArgMin"):
    _by = partial(_method, _name.lower())
    CASES += [
        Case(_name, (_x(3, 4),), order=0, torch=_by(0, keepdim=True)),
        Case(
            _name, (_x(3, 4),), {"axis": -1, "keepdims": 0}, order=0, torch=_by(-1), note="dropped"
        ),
        Case(_name, (_TIES,), {"axis": 1}, order=0, torch=_by(1, keepdim=True), note="ties"),
        Case(_name, (_TIES,), {"axis": 1, "select_last_index": 1}, order=0, note="last of ties"),
        Case(
            _name, (np.array([3, 9, 1]),), {"keepdims": 0}, order=0, torch=_by(0), note="integers"
        ),
    ]
CASES += [
    Case("TopK", (_x(3, 5), _axes(2)), torch=lambda x, _: x.topk(2)),
    Case("TopK", (_x(3, 5), _axes(5)), torch=lambda x, _: x.topk(5), note="all"),
    Case("TopK", (_x(3, 5), _axes(0)), torch=lambda x, _: x.topk(0), note="none"),
    Case(
        "TopK",
        (_x(3, 5), _axes(2)),
        {"axis": 0, "largest": 0},
        torch=lambda x, _: x.topk(2, 0, largest=False),
        note="smallest",
    ),
    Case("TopK", (_TIES, _axes(2)), order=0, note="ties"),
    Case("TopK", (np.array([3, 200, 7], np.uint8), _axes(2)), order=0, note="unsigned"),
]
