"""Cases of blocks to channels and back, of reversed sequences."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(13)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _shuffled(x, blocksize):
    import torch

    return torch.nn.functional.pixel_shuffle(x, blocksize)


def _unshuffled(x, blocksize):
    import torch

    return torch.nn.functional.pixel_unshuffle(x, blocksize)


CASES = [
    Case("DepthToSpace", (_x(2, 8, 2, 3),), {"blocksize": 2}),
    Case(
        "DepthToSpace",
        (_x(1, 18, 1, 2),),
        {"blocksize": 3, "mode": "CRD"},
        torch=lambda x: _shuffled(x, 3),
        note="CRD",
    ),
    Case("SpaceToDepth", (_x(2, 3, 4, 2),), {"blocksize": 2}),
    Case(
        "SpaceToDepth",
        (_x(2, 2, 6, 3),),
        {"blocksize": 3, "mode": "CRD"},
        order=0,  # an attribute of opset 28; its gradient is tried in test_rearranging.py
        torch=lambda x: _unshuffled(x, 3),
        note="CRD",
    ),
    Case("ReverseSequence", (_x(4, 3, 2), np.array([4, 1, 3]))),
    Case(
        "ReverseSequence",
        (_x(2, 5), np.array([2, 5])),
        {"batch_axis": 0, "time_axis": 1},
        note="batch first",
    ),
]
