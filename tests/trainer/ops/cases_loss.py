"""Cases of the losses of classification."""

from typing import Any

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(35)


def _targets(*shape: int, classes: int = 4) -> np.ndarray:
    return _R.integers(0, classes, shape)


def _torch(function: str, reduction: str, ignore: int):
    def same(x, target, weight=None):
        import torch

        loss = getattr(torch.nn.functional, function)
        return loss(x, target, weight, ignore_index=ignore, reduction=reduction)

    return same


def _likelihood(reduction: str, *inputs: Any, ignore: int | None = None, note: str = "") -> Case:
    attrs = {"reduction": reduction} | ({} if ignore is None else {"ignore_index": ignore})
    same = _torch("nll_loss", reduction, -100 if ignore is None else ignore)
    name = f"{reduction} {note}".strip()
    return Case("NegativeLogLikelihoodLoss", inputs, attrs, wrt=(0,), torch=same, note=name)


def _entropy(reduction: str, *inputs: Any, ignore: int | None = None, note: str = "") -> Case:
    attrs = {"reduction": reduction} | ({} if ignore is None else {"ignore_index": ignore})
    same = _torch("cross_entropy", reduction, -100 if ignore is None else ignore)
    name = f"{reduction} {note}".strip()
    return Case("SoftmaxCrossEntropyLoss", inputs, attrs, wrt=(0,), torch=same, note=name)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


_WEIGHTS = np.array([0.5, 1.0, 2.0, 0.25])
_IGNORED = np.array([1, -1, 3, 0, -1])

CASES = [
    *(
        make(reduction, *inputs, note=note, ignore=ignore)
        for make in (_likelihood, _entropy)
        for reduction in ("none", "sum", "mean")
        for note, ignore, inputs in (
            ("", None, (_x(5, 4), _targets(5))),
            ("weighted", None, (_x(5, 4), _targets(5), _WEIGHTS)),
            ("ignoring", -1, (_x(5, 4), _IGNORED)),
            ("weighted and ignoring", 2, (_x(5, 4), _targets(5), _WEIGHTS)),
            ("of images", None, (_x(2, 4, 3, 2), _targets(2, 3, 2), _WEIGHTS)),
        )
    ),
    _entropy("mean", _x(5, 4), _targets(5).astype(np.int32), note="int32")._replace(torch=None),
    _entropy("mean", 300 * _x(3, 4), _targets(3), note="large scores")._replace(kinks=True),
    # ONNX Runtime refuses to reshape nothing.
    _entropy("sum", _x(0, 4), _targets(0), note="no rows")._replace(order=0),
    Case(
        "SoftmaxCrossEntropyLoss",
        (_x(5, 4), _targets(5)),
        {"outputs": 2},
        note="with log-probabilities",
    ),
]
