"""Cases of sums, means, norms and products over axes."""

from functools import partial

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(10)


def _positive(*shape: int) -> np.ndarray:
    return _R.uniform(0.5, 1.5, shape)


def _signed(*shape: int) -> np.ndarray:
    return _positive(*shape) * _R.choice([-1.0, 1.0], shape)


def _axes(*axes: int) -> np.ndarray:
    return np.array(axes, np.int64)


def _prod(x, dim, keepdim):
    """torch multiplies over one axis at a time."""
    for axis in sorted((axis % x.ndim for axis in dim), reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x


_PEERS = {
    "ReduceSum": (lambda x, dim, keepdim: x.sum(dim, keepdim=keepdim), _signed),
    "ReduceMean": (lambda x, dim, keepdim: x.mean(dim, keepdim=keepdim), _signed),
    "ReduceSumSquare": (lambda x, dim, keepdim: (x * x).sum(dim, keepdim=keepdim), _signed),
    "ReduceL1": (lambda x, dim, keepdim: x.norm(1, dim, keepdim=keepdim), _signed),
    "ReduceL2": (lambda x, dim, keepdim: x.norm(2, dim, keepdim=keepdim), _signed),
    "ReduceLogSum": (lambda x, dim, keepdim: x.sum(dim, keepdim=keepdim).log(), _positive),
    "ReduceLogSumExp": (lambda x, dim, keepdim: x.logsumexp(dim, keepdim=keepdim), _signed),
    "ReduceProd": (_prod, _signed),
}


def _against(peer, dim, keepdim):
    def function(x, *_):
        wanted = tuple(range(x.ndim)) if dim is None else dim
        return peer(x, wanted, keepdim) if wanted else peer(x[None], (0,), False)

    return function


CASES = []
for _name, (_peer, _make) in _PEERS.items():
    _by = partial(_against, _peer)
    CASES += [
        Case(_name, (_make(2, 3, 4), _axes(1)), torch=_by((1,), True)),
        Case(_name, (_make(2, 3, 4), _axes(-1, 0)), torch=_by((0, 2), True), note="two axes"),
        Case(
            _name,
            (_make(2, 3, 4), _axes(-1, 0)),
            {"keepdims": 0},
            torch=_by((0, 2), False),
            note="dropped",
        ),
        Case(_name, (_make(2, 3),), torch=_by(None, True), note="all"),
        Case(_name, (_make(2, 3),), {"keepdims": 0}, torch=_by(None, False), note="all dropped"),
        Case(
            _name,
            (_make(2, 3), _axes()),
            {"keepdims": 0},
            torch=_by(None, False),
            note="empty axes",
        ),
        Case(
            _name,
            (_make(2, 3),),
            {"noop_with_empty_axes": 1, "keepdims": 0},
            torch=_by((), False),
            note="no axes",
        ),
        Case(_name, (_make(),), torch=_by((), False), note="scalar"),
        Case(_name, (_make(0, 3), _axes(1)), torch=_by((1,), True), note="empty"),
        Case(
            _name, (_make(2, 1), _axes(1)), {"keepdims": 0}, torch=_by((1,), False), note="single"
        ),
    ]
    if _name != "ReduceProd":
        CASES += [
            Case(_name, (_make(3, 5000), _axes(1)), order=0, torch=_by((1,), True), note="long"),
            Case(_name, (_make(3, 4000), _axes(0)), order=0, torch=_by((0,), True), note="columns"),
        ]
_ZEROS = np.array([[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 3.0, 0.0]])
_ROWS = _axes(1)
CASES += [
    Case(
        "ReduceSum",
        (_signed(0, 3), _axes(0)),
        torch=_against(_PEERS["ReduceSum"][0], (0,), True),
        note="of nothing",
    ),
    Case(
        "ReduceProd",
        (_signed(0, 3), _axes(0)),
        torch=_against(_prod, (0,), True),
        note="of nothing",
    ),
    Case("ReduceSum", (np.array([[1, 2], [3, 4]]), _axes(0)), order=0, note="integers"),
    Case("ReduceMean", (np.array([[1, 2], [4, 4]]), _axes(0)), order=0, note="integers"),
    Case(
        "ReduceProd",
        (_ZEROS, _ROWS),
        torch=lambda x, _: x.prod(1, keepdim=True),
        note="zeros",
    ),
    Case(
        "ReduceL1",
        (_ZEROS, _ROWS),
        torch=lambda x, _: x.norm(1, 1, keepdim=True),
        note="zeros",
        kinks=True,
    ),
    Case(
        "ReduceL2",
        (np.array([[3.0, 4.0], [0.0, 0.0]]), _ROWS),
        torch=lambda x, _: x.norm(2, 1, keepdim=True),
        note="norm 0",
        kinks=True,
    ),
    Case(
        "ReduceLogSumExp",
        (np.array([[1e4, 1e4], [-1e4, 0.0], [-np.inf, 0.0], [-np.inf, -np.inf]]), _ROWS),
        order=0,
        torch=lambda x, _: x.logsumexp(1, keepdim=True),
        note="far",
    ),
    Case("CumSum", (_signed(2, 3), np.array(1)), torch=lambda x, _: x.cumsum(1)),
    Case("CumSum", (_signed(2, 3), np.array(-2)), torch=lambda x, _: x.cumsum(0), note="axis -2"),
    Case(
        "CumSum",
        (_signed(2, 3), np.array([1])),
        {"reverse": 1},
        torch=lambda x, _: x.flip(1).cumsum(1).flip(1),
        note="reverse",
    ),
    Case(
        "CumSum",
        (_signed(2, 3), np.array(1)),
        {"exclusive": 1},
        torch=lambda x, _: x.cumsum(1) - x,
        note="exclusive",
    ),
    Case(
        "CumSum",
        (_signed(2, 3), np.array(0)),
        {"exclusive": 1, "reverse": 1},
        torch=lambda x, _: x.flip(0).cumsum(0).flip(0) - x,
        note="exclusive and reverse",
    ),
    Case("CumSum", (_signed(2, 0), np.array(1)), torch=lambda x, _: x.cumsum(1), note="empty"),
]
